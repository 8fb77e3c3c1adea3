from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from data_builders import dataset_config, folder_settings, noise, save

from radar.data.dataset import open_dataset
from radar.data.grouping import photo_groups, safer_grouping
from radar.data.layouts import layout_of
from radar.errors import ConfigError, DataError


def config_of(root, anomalous=None):
    return dataset_config("folder", root, settings=folder_settings(normal="good", anomalous=anomalous))


def grouped(config):
    """The split that the values of the grouping make."""
    values = dict(safer_grouping(config, None).values)
    settings = replace(config.settings, group=values.pop("folder.group", None))
    return open_dataset(replace(config, settings=settings, near_duplicates="warn", **values)).samples


@pytest.mark.parametrize(
    "names",
    [
        [f"sheet{sheet}_{index:02d}" for sheet in range(6) for index in range(4)],
        [f"2026-03-{day:02d}-{index}" for day in range(1, 7) for index in range(4)],
        [f"IMG_202603{day:02d}_{index:06d}" for day in range(1, 7) for index in range(4)],
    ],
    ids=["sheets", "days", "times"],
)
def test_names_that_share_all_but_a_number_stay_together(tmp_path, names):
    for seed, name in enumerate(names):
        save(tmp_path / f"good/{name}.png", noise(seed))
    assert safer_grouping(config_of(tmp_path), None).told.startswith("names suggest 6 sheets or batches (")
    samples = grouped(config_of(tmp_path))
    sheets = {sample.path[:-4].rstrip("0123456789") for sample in samples}
    assert len(sheets) == 6 == len({(sample.path[:-4].rstrip("0123456789"), sample.split) for sample in samples})


def sheets_with_defects(root, defective):
    """Twelve sheets of three good photos; of the first ones two defective photos each, in a folder per defect."""
    for sheet in range(12):
        for number in range(3):
            save(root / f"good/sheet{sheet:02d}_{number}.png", noise(10 * sheet + number))
        for number, defect in enumerate(("dent", "scratch") if sheet < defective else (), start=3):
            save(root / f"bad/{defect}/sheet{sheet:02d}_{number}.png", noise(10 * sheet + number))


def test_a_sheet_is_one_in_whatever_folder_its_photos_lie(tmp_path):
    sheets_with_defects(tmp_path, 5)
    config = config_of(tmp_path, "bad")
    assert "each stays on one side of the split" in safer_grouping(config, None).told
    typed = replace(config, split="grouped", settings=replace(config.settings, group=r"sheet\d+"))
    for samples in (grouped(config), open_dataset(replace(typed, near_duplicates="warn")).samples):
        splits = {}
        for sample in samples:
            splits.setdefault(sample.path.rpartition("/")[2][:7], set()).add((sample.split, sample.group))
        assert len(splits) == 12 and all(len(found) == 1 for found in splits.values())
        assert len({sample.group for sample in samples if sample.label}) == 5
        assert {split for sheet in list(splits.items())[:5] for split, _ in sheet[1]} == {"test"}


def test_where_most_sheets_have_defects_their_good_photos_are_learnt_from_and_that_is_said(tmp_path):
    sheets_with_defects(tmp_path, 10)
    config = config_of(tmp_path, "bad")
    told = safer_grouping(config, None).told
    assert (
        "each stay on one side of the split; defective ones are tested where good ones of theirs were learnt from"
        in told
    )
    samples = grouped(config)
    good = {(sample.group, sample.split) for sample in samples if not sample.label}
    assert len(good) == len({group for group, _ in good}) == 12
    bad = [sample for sample in samples if sample.label]
    assert {sample.split for sample in bad} == {"test"} and len({sample.group for sample in bad}) == 10


@pytest.mark.parametrize(
    ("good", "bad"), [("data/good", "data/bad"), ("good", "good/bad"), (".", "bad"), ("good", ".")]
)
def test_good_and_bad_photos_of_a_sheet_are_told_apart_wherever_they_lie(tmp_path, good, bad):
    for sheet in range(8):
        for number in range(3):
            save(tmp_path / good / f"sheet{sheet}_{number}.png", noise(10 * sheet + number))
        save(tmp_path / bad / "dent" / f"sheet{sheet}_3.png", noise(10 * sheet + 3))
    settings = folder_settings(normal=good, anomalous=bad)
    config = dataset_config("folder", tmp_path, settings=settings)
    assert "defective ones are tested where good ones of theirs were learnt from" in safer_grouping(config, None).told
    samples = grouped(config)
    for label in (0, 1):
        assert len({sample.group for sample in samples if sample.label == label}) == 8
    assert len({sample.group for sample in samples}) == 16


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (r"lot\d+", 4),
        (r"^lot\d+", 4),
        (r"(lot|sheet)\d+", 4),
        (r"[^_]+", 4),
        (r"lot(?P<lot>\d+)_sheet(?P<sheet>\d+)", 8),
        (r"lot\d+_sheet\d+", 8),
        (r"bad/lot7/lot\d+|lot\d+", 7),
    ],
)
def test_an_expression_looks_at_names_and_at_paths_where_it_has_a_slash(tmp_path, pattern, groups):
    """Neither at folders, nor at parts in brackets that have no names; those with names are kept apart: 1, 12 and 11, 2."""
    for number, lot in enumerate((1, 11, 2, 22)):
        for sheet in (12, 2):
            save(tmp_path / f"good/lot{lot}_sheet{sheet}_1.png", noise(10 * number + sheet))
            if lot != 1:
                save(tmp_path / f"bad/lot7/lot{lot}_sheet{sheet}_2.png", noise(100 + 10 * number + sheet))
    config = config_of(tmp_path, "bad")
    entries = layout_of(replace(config, split="grouped", settings=replace(config.settings, group=pattern))).entries()
    assert len({entry.group for entry in entries}) == groups


@pytest.mark.parametrize("sheets", [2, 3])
def test_few_sheets_that_names_tell_of_are_told(tmp_path, sheets):
    for seed in range(4 * sheets):
        save(tmp_path / "good" / f"sheet{'abc'[seed % sheets]}_{seed:03d}.png", noise(seed))
    found = safer_grouping(config_of(tmp_path), None)
    few = f"names suggest {sheets} sheets or batches (sheeta, sheetb, …), too few"
    assert found.told.startswith(few) == (found.values == {"split": "random"})
    assert found.told.startswith(f"names suggest {sheets} sheets")


@pytest.mark.parametrize("name", ["{:03d}", "photo_{:03d}", "part{}"])
def test_numbers_alone_suggest_nothing(tmp_path, name):
    for seed in range(16):
        save(tmp_path / "good" / f"{name.format(seed)}.png", noise(seed))
    found = safer_grouping(config_of(tmp_path), None)
    assert found.values == {"split": "random"} and found.told.startswith("neither names nor likeness")


def test_photos_that_look_alike_stay_together(tmp_path):
    for seed in range(16):
        save(tmp_path / f"good/{seed:02d}.png", noise(seed // 2) // 2 + seed % 2)
    assert safer_grouping(config_of(tmp_path), None).values == {"split": "grouped"}
    samples = grouped(config_of(tmp_path))
    pairs = {(int(sample.path[5:7]) // 2, sample.split) for sample in samples}
    assert len(pairs) == 8


def test_where_all_look_alike_photos_are_split_one_by_one_and_that_is_said(tmp_path):
    scene = noise(0) // 2
    for seed in range(16):
        save(tmp_path / f"good/{seed:02d}.png", scene + np.uint8(seed))
    found = safer_grouping(config_of(tmp_path), None)
    assert found.values == {"split": "random"} and "too alike" in found.told
    assert {sample.split for sample in grouped(config_of(tmp_path))} == {"train", "validation", "test"}


def test_good_photos_like_defective_ones_must_not_all_be_lost_to_the_test(tmp_path):
    scene = noise(0) // 2
    for seed in range(16):
        save(tmp_path / f"good/{seed:02d}.png", scene + np.uint8(seed))
        save(tmp_path / f"bad/{seed:02d}.png", scene + np.uint8(seed + 20))
    assert safer_grouping(config_of(tmp_path, "bad"), None).values == {"split": "random"}


def test_photos_whose_names_tell_nothing_hide_no_sheets(tmp_path):
    for seed in range(40):
        name = f"sheet{seed // 4}_{seed:03d}" if seed < 16 else f"c{seed:03d}"
        save(tmp_path / "good" / f"{name}.png", noise(seed))
    told = safer_grouping(config_of(tmp_path), None).told
    assert told.startswith("names of 16 of 40 good photos suggest 4 sheets or batches (")
    by_group = {}
    for sample in grouped(config_of(tmp_path)):
        by_group.setdefault(sample.group, set()).add(sample.split)
    assert len(by_group) == 4 + 24 and all(len(splits) == 1 for splits in by_group.values())


def test_a_few_names_of_many_photos_suggest_nothing(tmp_path):
    for seed in range(40):
        name = f"{'abc'[seed % 3]}_{seed:03d}" if seed < 6 else f"c{seed:03d}"
        save(tmp_path / "good" / f"{name}.png", noise(seed))
    found = safer_grouping(config_of(tmp_path), None)
    assert found.values == {"split": "random"} and found.told.startswith("neither names nor likeness")
    assert len(set(groups_of(sorted((tmp_path / "good").iterdir())).names)) == 40


SHEETS = [Path(f"new/sheet{sheet}_{index}.png") for sheet in range(4) for index in range(3)]


def groups_of(paths, pattern="auto", *, thumbnails=(), recorded=(), split="grouped", group=None):
    config = dataset_config("folder", Path("none"), settings=folder_settings(normal="good", group=group), split=split)
    return photo_groups(layout_of(config), paths, thumbnails, recorded, pattern)


def test_photos_are_grouped_as_those_of_training_or_as_their_names_suggest_or_as_is_said():
    by_number = groups_of(SHEETS)
    assert len(set(by_number.names)) == 4 and "end with a number" in by_number.known_by
    assert len(set(groups_of(SHEETS, group="[0-3].png$").names)) == 3
    assert len(set(groups_of(SHEETS, group=r"(?:new|old)/(?P<sheet>sheet\d)").names)) == 4, (
        "of their path, as in training"
    )
    assert len(set(groups_of(SHEETS, r"new/sheet[01]").names)) == 8
    assert len(set(groups_of(SHEETS, "sheet[01]").names)) == 8
    assert len(set(groups_of(SHEETS, "none").names)) == 12
    assert len(set(groups_of([*SHEETS, *(Path(f"c{place}.png") for place in range(30))]).names)) == 4 + 30
    assert len(set(groups_of([Path("camera.png")] * 5).names)) == 5, "each overwrote the one before"
    with_crops = [Path(f"new/{name}.png{crop}") for name in "abc" for crop in ("", "#xywh=0,0,9,9", "#xywh=9,0,9,9")]
    for pattern in ("auto", "^[ac]"):  # a photo and its crops are one, whatever names say
        assert len(set(groups_of([*with_crops, Path("new/../new/a.png#xywh=1,1,9,9")], pattern).names)) == 3
    assert len(set(groups_of([Path(f"{number:03}.png") for number in range(12)]).names)) == 12
    assert len(set(groups_of([Path(f"a.png#xywh={x},0,8,8") for x in range(3)]).names)) == 1, "crops of one file"


@pytest.mark.parametrize("pattern", ["Z9", r"\d*$", "(x)?"])
def test_an_expression_that_finds_nothing_is_refused(tmp_path, pattern):
    for seed in range(8):
        save(tmp_path / "good" / f"sheet{seed // 2}_{seed:03d}.png", noise(seed))
    config = replace(config_of(tmp_path), split="grouped", near_duplicates="warn")
    with pytest.raises(DataError, match=r"finds nothing in the name of any photo, as good/sheet0_000\.png; mend"):
        open_dataset(replace(config, settings=replace(config.settings, group=pattern)))
    with pytest.raises(DataError, match=r"^group=.* finds nothing in the name of any photo"):
        groups_of(SHEETS, pattern)
    found = open_dataset(replace(config, settings=replace(config.settings, group="sheet3|sheet2"))).samples
    assert len({sample.group for sample in found}) == 6, "what it finds in some names is enough"


@pytest.mark.parametrize("split", ["random", "literature"])
def test_groups_that_a_split_would_not_keep_together_are_refused(tmp_path, split):
    config = replace(config_of(tmp_path), split=split)
    with pytest.raises(ConfigError, match=f"dataset.split={split} keeps no groups together; add dataset.split=grouped"):
        layout_of(replace(config, settings=replace(config.settings, group="sheet.")))


def test_likeness_joins_where_it_joined_the_images_that_were_learnt_from():
    stream = np.random.default_rng(0)
    scenes = stream.random((6, 32, 32))
    thumbnails = [scenes[number // 2] + 0.01 * stream.random((32, 32)) for number in range(12)]
    paths = [Path(f"{number:03}.png") for number in range(12)]
    alike = groups_of(paths, thumbnails=thumbnails)
    assert [alike.names[number] == alike.names[number + 1] for number in range(11)] == [True, False] * 5 + [True]
    assert alike.known_by.endswith("and likeness")
    assert len(set(groups_of(paths, thumbnails=thumbnails, split="random").names)) == 12


def test_photos_that_a_run_has_recorded_are_of_its_groups_and_of_those_of_names_and_likeness():
    paths = [Path(f"{number:03}.png") for number in range(12)]
    recorded = [{f"r{number // 4}"} if number < 8 else set() for number in range(12)]
    found = groups_of(paths, recorded=recorded)
    assert len(set(found.names)) == 2 + 4 and found.known_by.endswith("and the run's manifest")
    recorded[7] = {"r0", "r1"}  # a file that holds crops of two
    assert len(set(groups_of(paths, recorded=recorded).names)) == 1 + 4
    across = [{"r"} if path.name.endswith("_2.png") else set() for path in SHEETS]  # one of each sheet
    assert len(set(groups_of(SHEETS, recorded=across).names)) == 1
    assert len(set(groups_of(SHEETS, recorded=[set()] * len(SHEETS)).names)) == 4
    assert "manifest" not in groups_of(SHEETS, recorded=[set()] * len(SHEETS)).known_by
    stream = np.random.default_rng(0)
    thumbnails = list(stream.random((12, 32, 32)))
    thumbnails[11] = thumbnails[0] + 0.01 * stream.random((32, 32))
    alike = groups_of(paths, recorded=recorded, thumbnails=thumbnails)
    assert len(set(alike.names)) == 4 and alike.known_by.endswith("the run's manifest, and likeness")
    for asked, count in (("none", 12), (r"^00", 3)):
        assert len(set(groups_of(paths, asked, recorded=recorded).names)) == count, "what is said is believed"


def test_quadrants_of_one_photograph_belong_together_folder_by_folder():
    config = dataset_config("mvtec", Path("none"), split="official")
    names = ("hole_3_q0", "deformed_7_hole_3_q2", "hole_4_q1", "007", "008")
    paths = [Path(day) / f"{name}.png" for day in ("monday", "tuesday") for name in names]
    found = photo_groups(layout_of(config), paths, [None] * len(paths), [set()] * len(paths), "auto").names
    assert found[0] == found[1] and found[5] == found[6] and len(set(found)) == len(paths) - 2


def test_of_photos_that_were_not_read_likeness_tells_nothing():
    stream = np.random.default_rng(0)
    scenes = stream.random((6, 32, 32))
    thumbnails = [scenes[number // 2] + 0.01 * stream.random((32, 32)) for number in range(12)]
    unread = [None if number in (0, 5, 6, 7) else each for number, each in enumerate(thumbnails)]
    names = groups_of([Path(f"{number:03}.png") for number in range(12)], thumbnails=unread).names
    joined = [(i, j) for i in range(12) for j in range(i) if names[i] == names[j]]
    assert joined == [(3, 2), (9, 8), (11, 10)]


@pytest.mark.parametrize(("count", "expected"), [(1, "1 good photo is"), (2, "2 good photos are")])
def test_so_few_photos_are_not_called_alike(tmp_path, count, expected):
    for seed in range(count):
        save(tmp_path / f"good/{seed}.png", noise(seed))
    assert safer_grouping(config_of(tmp_path), None).told == f"{expected} too few to tell sheets or batches by"


def test_one_photo_that_stands_alone_hides_no_sheets(tmp_path):
    for seed in range(24):
        save(tmp_path / f"good/s{seed // 2:02}_{seed % 2}.png", noise(seed))
    save(tmp_path / "good/last_9.png", noise(99))
    assert safer_grouping(config_of(tmp_path), None).told.startswith("names suggest 13 sheets or batches (")
    assert len(set(groups_of(sorted((tmp_path / "good").iterdir())).names)) == 13
