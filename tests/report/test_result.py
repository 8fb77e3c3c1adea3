"""What a stored result says of its images' groups."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_builders import result

from radar.data.layouts import LAYOUTS
from radar.data.manifest import read_manifest
from radar.data.split_manifests import MANIFESTS, known_groups
from radar.report.result import HASH_DIGITS

TILES = [tile for tile in read_manifest(MANIFESTS / "magnetic_tile_grouped.csv") if not tile.label]
STARTS = [tile.content_hash[:HASH_DIGITS] for tile in TILES]


def test_exposures_of_a_tile_are_a_group_whatever_the_split() -> None:
    paths, named = [tile.path for tile in TILES], [tile.group for tile in TILES]
    assert known_groups("magnetic_tile", None, STARTS, paths) == named
    assert len(set(named)) < len(named) / 3
    other = ["elsewhere/photo.jpg", *paths[1:]]
    unknown = known_groups("magnetic_tile", None, ["0" * HASH_DIGITS, *STARTS[1:]], other)
    assert unknown == [other[0], *named[1:]]


@pytest.mark.parametrize("ending", [".jpg", ".bmp", ".jpg#xywh=0,0,64,64"])
def test_copies_that_were_resized_cut_or_encoded_anew_are_of_the_groups_of_their_names(ending: str) -> None:
    others = [f"{number:016x}" for number in range(len(TILES))]
    paths, named = [tile.path.replace(".jpg", ending) for tile in TILES], [tile.group for tile in TILES]
    assert known_groups("magnetic_tile", None, others, paths) == named
    mixed = [STARTS[place] if place % 2 else other for place, other in enumerate(others)]
    assert known_groups("magnetic_tile", None, mixed, paths) == named, "some are the very files"


def test_what_no_manifest_holds_is_of_the_groups_that_its_layout_tells_by_names() -> None:
    def count(layout: str, category: str | None, *paths: str) -> int:
        hashes = [f"{number:016x}" for number in range(len(paths))]
        return len(set(known_groups(layout, category, hashes, paths)))

    crops = [f"strips/{strip}.png#xywh={64 * left},0,64,64" for strip in "ab" for left in range(5)]
    assert count("aitex", None, *crops) == count("folder", None, *crops) == 2
    assert (
        count("mvtec", None, "test/good/x_q0.png", "test/hole/x_q1.png", "train/good/y_q1.png", "train/good/7.png") == 3
    )
    assert count("piped", "PA_new", "NoDefects/P_ND_03_1.bmp", "NoDefects/P_ND_03_2.bmp", "Defects/P_D_03_1.bmp") == 2
    assert (
        count("magnetic_tile", None, *(f"MT_New/exp{exposure}_num_{9 * exposure}.jpg" for exposure in range(1, 6))) == 1
    )
    assert count("not_installed", None, *crops) == count("", None, *crops) == 10


def test_what_no_manifest_holds_joins_those_of_its_name_that_one_holds() -> None:
    crop = "Defect_images/0001_002_00.png#xywh={},0,256,256"
    rows = [
        row for row in read_manifest(MANIFESTS / "aitex_00.csv") if row.path.startswith("Defect_images/0001_002_00")
    ]
    paths = [*(row.path for row in rows), crop.format(13), crop.format(17)]
    hashes = [*(row.content_hash for row in rows), "0" * 64, "1" * 64]
    assert len(rows) > 1 and set(known_groups("aitex", None, hashes, paths)) == {rows[0].group}
    moved = [f"elsewhere/exp1_num_{number}.jpg" for number in (90001, 90002)]
    told = known_groups("magnetic_tile", None, [STARTS[0], "f" * HASH_DIGITS], [moved[0], moved[0][:-4] + ".bmp"])
    assert told == [TILES[0].group] * 2


def test_of_other_images_nothing_is_known() -> None:
    paths = [tile.path for tile in TILES]
    assert known_groups("folder", None, STARTS, paths) == paths
    assert known_groups("magnetic_tile", None, [], []) == []


def test_a_manifest_of_ones_own_that_tells_groups_is_believed_whatever_the_split_is_called() -> None:
    halves = [f"half {index % 2}" for index in range(len(TILES))]
    assert known_groups("magnetic_tile", None, STARTS, halves) == halves


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
