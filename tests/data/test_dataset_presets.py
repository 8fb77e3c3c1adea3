from __future__ import annotations

from dataclasses import fields
from functools import cache

import pytest
from data_builders import REPOSITORY
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from radar.config.schema import DatasetConfig, ImageConfig
from radar.data.layouts import settings_gathered
from radar.data.split_manifests import split_manifests

CONF = REPOSITORY / "conf/dataset"
OPEN = {"mvtec": ["category=carpet"], "folder": ["root=/images"]}  # what such a preset leaves to the user


@cache
def preset(name: str):
    with initialize_config_dir(str(CONF), version_base=None):
        composed = compose(name, overrides=OPEN.get(name, []))
    return OmegaConf.create({"data_root": "/data", "dataset": composed}).dataset


def keys(kind) -> set[str]:
    return {entry.name for entry in fields(kind)}


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("[!_]*.yaml")))
def test_a_preset_fills_the_schema_exactly(name):
    found = OmegaConf.to_container(preset(name), resolve=True, throw_on_missing=True)
    gathered, settings = settings_gathered(found)
    assert gathered.keys() == keys(DatasetConfig)
    assert found["image"].keys() == keys(ImageConfig)
    own = set() if settings is None else {found["layout"]}
    assert found.keys() == gathered.keys() - {"settings"} | own  # and no section of another layout
    assert settings is None or found[found["layout"]].keys() == keys(settings)


@pytest.mark.parametrize(
    "name", ["grid", "leather_quads", "wood_quads", "magnetic_tile", "magnetic_tile_literature", "piped"]
)
def test_a_public_preset_has_its_manifest(name):
    config = preset(name)
    found = [each for each in split_manifests() if each.applies(config) and config.root == f"/data/{each.folder}"]
    assert len(found) == 1
