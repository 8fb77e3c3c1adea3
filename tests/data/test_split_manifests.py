from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from data_builders import NO_REAL, REAL, REPOSITORY, dataset_config, save
from PIL import Image

from radar.data.dataset import open_dataset
from radar.data.decoding import read_pixels
from radar.data.hashes import content_hashes
from radar.data.layouts import LAYOUTS, layout_of
from radar.data.leaks import find_leaks
from radar.data.manifest import manifest_text, read_manifest
from radar.data.near_duplicates import ThumbnailVectors
from radar.data.split_manifests import MANIFESTS, known_groups, split_manifests
from radar.data.split_rules import split_entries
from radar.runtime.crops import file_and_crop

INDEX = {each.name: each for each in split_manifests()}
needs_real = pytest.mark.skipif(not (REAL / "mvtec_ad").is_dir(), reason=NO_REAL)


def config_of(manifest, root=None):
    return dataset_config(
        manifest.layout,
        root or REAL / manifest.folder,
        category=manifest.category,
        split=manifest.split,
        split_seed=manifest.split_seed,
        near_duplicates="warn",
        validation_fraction=manifest.validation_fraction,
        test_fraction=manifest.test_fraction,
        settings=None if manifest.settings is None else LAYOUTS.get(manifest.layout).Settings(**manifest.settings),
    )


def regenerate(manifest):
    spec = importlib.util.spec_from_file_location("make_manifests", REPOSITORY / "scripts/make_manifests.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make(manifest, REAL)


def test_the_test_fraction_matters_only_where_the_rule_draws_a_test_split():
    for name, matters in [("mvtec_quads_wood", False), ("magnetic_tile_literature", True)]:
        assert INDEX[name].applies(replace(config_of(INDEX[name]), test_fraction=0.7)) != matters


def test_every_manifest_has_its_line_in_the_index():
    assert {path.stem for path in MANIFESTS.glob("*.csv")} == set(INDEX)


@pytest.mark.parametrize("name", INDEX)
def test_groups_and_contents_of_a_manifest_never_cross(name):
    rows = read_manifest(INDEX[name].path)
    leaks = find_leaks(rows, None, {})
    assert leaks.groups == leaks.identical == ()
    assert {row.split for row in rows} == {"train", "validation", "test"}


@pytest.mark.parametrize("name", sorted(INDEX.keys() - {"magnetic_tile_literature"}))
def test_names_alone_tell_groups_as_a_manifest_has_them_or_finer_ones(name):
    rows, layout = read_manifest(INDEX[name].path), LAYOUTS.get(INDEX[name].layout)
    named = layout.named_groups([PurePosixPath(row.path) for row in rows])
    of_name = {(group or row.path, row.group) for row, group in zip(rows, named, strict=True)}
    assert len({group for group, _ in of_name}) == len(of_name), "what has one name is one group"
    known = known_groups(layout.name, "another", [row.content_hash for row in rows], [row.path for row in rows])
    assert len(set(known)) == len(of_name)
    likeness = name == "magnetic_tile_grouped" or name.startswith("piped")
    assert len(of_name) == len({row.group for row in rows}) or likeness
    files = {(file_and_crop(PurePosixPath(row.path))[0].with_suffix(""), row.group) for row in rows}
    assert len({file for file, _ in files}) == len(files), "a file's name tells its group"


@needs_real
@pytest.mark.parametrize("name", sorted(INDEX.keys() - {"magnetic_tile_grouped"}))
def test_a_manifest_equals_what_its_rule_gives(name):
    if not (REAL / INDEX[name].folder).is_dir():
        pytest.skip(f"{REAL / INDEX[name].folder} is not there")
    assert manifest_text(regenerate(INDEX[name])) == INDEX[name].path.read_text(encoding="utf-8")


@needs_real
def test_the_grouped_split_of_magnetic_tile_is_its_rules_and_clean_and_the_literatures_leaks():
    manifest = INDEX["magnetic_tile_grouped"]
    layout = layout_of(config_of(manifest))
    vectors = ThumbnailVectors(layout, None)  # decoded once for all of this
    entries = layout.entries()
    hashes = content_hashes(layout, [entry.path for entry in entries], None)
    grouped = split_entries(entries, layout.config, hashes, vectors)
    assert manifest_text(grouped) == manifest.path.read_text(encoding="utf-8")
    assert sum(sample.label for sample in grouped) == 392
    assert max(Counter(sample.group for sample in grouped).values()) == 16
    paths = [sample.path for sample in grouped]
    assert find_leaks(grouped, vectors(paths), {}).clean
    literature = read_manifest(INDEX["magnetic_tile_literature"].path)
    assert [sample.path for sample in literature] == paths
    assert len(find_leaks(literature, vectors(paths), {}).near_duplicates) > 300


@needs_real
def test_real_masks():
    tile = open_dataset(replace(config_of(INDEX["magnetic_tile_grouped"]), near_duplicates="ignore"))
    assert tile.notes == ()
    empty = [sample.path for sample in tile.samples if sample.label and not tile.mask(sample).any()]
    assert len(empty) == 4
    paper = open_dataset(config_of(INDEX["piped_PA_BTN01_RL"]))
    shares = [paper.mask(sample).mean() for sample in paper.samples if sample.label]
    assert min(shares) > 0 and max(shares) < 0.5
    assert {paper.mask(sample).shape for sample in paper.samples} == {(128, 128), (128, 127)}


def wood(tmp_path):
    shutil.copytree(REAL / "mvtec_quads/wood", tmp_path / "wood")
    return config_of(INDEX["mvtec_quads_wood"], tmp_path)


def rows_without_hashes(samples):
    return [replace(sample, content_hash="") for sample in samples]


@needs_real
def test_another_release_of_the_same_files_keeps_the_split_of_the_manifest(tmp_path):
    config = wood(tmp_path)
    first = next((tmp_path / "wood/train/good").iterdir())
    save(first, read_pixels(first).values[::2, ::2])
    dataset = open_dataset(config)
    assert dataset.notes[0].startswith("1 of 64 images are not the very files of radar's split manifest")
    changed = next(sample for sample in dataset.samples if first.name == sample.path.removeprefix("train/good/"))
    assert changed.content_hash == hashlib.sha256(first.read_bytes()).hexdigest()
    assert rows_without_hashes(dataset.samples) == rows_without_hashes(read_manifest(INDEX["mvtec_quads_wood"].path))


@needs_real
@pytest.mark.parametrize("change", ["file", "seed", "fraction"])
def test_other_files_or_settings_are_split_by_the_rule(tmp_path, change):
    config = wood(tmp_path)
    if change == "file":
        Image.new("L", (64, 64)).save(tmp_path / "wood/train/good/new.png")
    changes = {"file": {}, "seed": {"split_seed": 1}, "fraction": {"validation_fraction": 0.5}}
    dataset = open_dataset(replace(config, **changes[change]))
    by_manifest = {row.path: row.split for row in read_manifest(INDEX["mvtec_quads_wood"].path)}
    assert {sample.path: sample.split for sample in dataset.samples} != by_manifest
    assert find_leaks(dataset.samples, None, {}).groups == ()
