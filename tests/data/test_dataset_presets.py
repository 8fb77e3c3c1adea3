from __future__ import annotations

from dataclasses import fields
from functools import cache

import pytest
from data_builders import REPOSITORY, image_config
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from radar.compose import experiment
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
    "name", ["grid", "leather_quads", "wood_quads", "magnetic_tile", "magnetic_tile_literature", "piped", "aitex_00"]
)
def test_a_public_preset_has_its_manifest(composed, name):
    config = composed(f"dataset={name}", "data_root=/data").dataset
    found = [each for each in split_manifests() if each.applies(config) and config.root == f"/data/{each.folder}"]
    assert len(found) == 1


def test_the_fabrics_that_nobody_has_looked_at_are_split_by_their_rule_alone(composed):
    for fabric in ("01", "02"):
        config = composed(f"dataset=aitex_{fabric}").dataset
        assert (config.name, config.settings.fabric, config.split) == (f"aitex_{fabric}", fabric, "official")
        assert not any(each.applies(config) for each in split_manifests())


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("[!_]*.yaml")))
def test_every_preset_has_100_px_and_the_paper_fixes_what_it_publishes(name):
    assert preset(name).image.size == 100
    image = OmegaConf.load(CONF.parent / "experiment/paper.yaml").dataset.image
    assert image == {"channels": "grey", "size": 100, "aspect": "stretch"}


def test_no_preset_of_a_data_set_changes_what_the_paper_fixes(tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/mine.yaml").write_text(
        "defaults: [printed_layers, _self_]\nimage: {channels: rgb, size: 50, aspect: pad, resize: box}\n"
    )
    own = experiment(["dataset=mine"], config_dir=str(tmp_path)).dataset.image
    paper = experiment(["experiment=paper", "dataset=mine"], config_dir=str(tmp_path)).dataset.image
    asked = experiment(["experiment=paper", "dataset=mine", "dataset.image.size=64"], config_dir=str(tmp_path))
    assert own == image_config(channels="rgb", size=50, aspect="pad")
    assert paper == image_config(size=100)
    assert asked.dataset.image.size == 64
