"""What a stored result says of its images' groups."""

from __future__ import annotations

from dataclasses import replace

from report_builders import result

from radar.data.layouts import LAYOUTS
from radar.data.manifest import read_manifest
from radar.data.split_manifests import MANIFESTS, known_groups
from radar.report.result import HASH_DIGITS

TILES = [tile for tile in read_manifest(MANIFESTS / "magnetic_tile_grouped.csv") if not tile.label]
STARTS = [tile.content_hash[:HASH_DIGITS] for tile in TILES]


def test_exposures_of_a_tile_are_a_group_whatever_the_split() -> None:
    paths, named = [tile.path for tile in TILES], [tile.group for tile in TILES]
    assert known_groups("magnetic_tile", None, "literature", STARTS, paths) == named
    assert len(set(named)) < len(named) / 3
    other = known_groups("magnetic_tile", None, "literature", ["0" * HASH_DIGITS, *STARTS[1:]], paths)
    assert other == [paths[0], *named[1:]]


def test_a_split_that_tells_groups_is_believed_and_of_other_images_nothing_is_known() -> None:
    paths = [tile.path for tile in TILES]
    assert known_groups("magnetic_tile", None, "grouped", STARTS, paths) == paths
    assert known_groups("folder", None, "random", STARTS, paths) == paths
    assert known_groups("magnetic_tile", None, "literature", [], []) == []


def test_a_manifest_of_ones_own_that_tells_groups_is_believed_whatever_the_split_is_called() -> None:
    halves = [f"half {index % 2}" for index in range(len(TILES))]
    for split in ("literature", "random"):
        assert known_groups("magnetic_tile", None, split, STARTS, halves) == halves


def test_a_result_of_a_random_split_has_them() -> None:
    one = result()
    shown = tuple(
        replace(image, content_hash=start, group=tile.path)
        for image, start, tile in zip(one.images, STARTS, TILES, strict=False)
    )
    dataset = {"name": "tiles", "layout": "magnetic_tile", "category": None, "split": "literature"}
    found = replace(one, config={**one.config, "dataset": dataset}, images=shown)
    assert found.groups == [tile.group for tile in TILES[: len(shown)]]
    assert result().groups == [image.group for image in one.images]


def test_masks_of_one_file_that_two_layouts_read_in_opposite_ways_are_two() -> None:
    def masks(**changes: str | None) -> str | None:
        one = result()
        dataset = {**one.config["dataset"], "layout": changes["layout"]}
        environment = {**one.environment, "data_masks_hash": changes["hash"]}
        return replace(one, config={**one.config, "dataset": dataset}, environment=environment).masks

    assert masks(layout="folder", hash="a") == masks(layout="mvtec", hash="a") != masks(layout="piped", hash="a")
    assert masks(layout="piped", hash=None) is None
    dark = {name for name in LAYOUTS.names() if getattr(LAYOUTS.get(name), "dark_masks", False)}
    assert all(masks(layout=name, hash="a") == "dark a" for name in dark) and dark
