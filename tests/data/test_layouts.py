from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from data_builders import dataset_config, folder_settings, mvtec_folder, noise, normal_and_anomalous, save

from radar.data.layouts import layout_of
from radar.data.layouts.magnetic_tile import exposure_series
from radar.errors import ConfigError, DataError, RadarError


def entries(config):
    return layout_of(config).entries()


def test_mvtec(tmp_path):
    mvtec_folder(tmp_path / "tile")
    save(tmp_path / "tile/test/dent/.hidden.png", noise(0))
    (tmp_path / "tile/test/dent/Thumbs.db").write_text("x")
    found = {entry.path: entry for entry in entries(dataset_config("mvtec", tmp_path, category="tile"))}
    assert len(found) == 12
    dent = found["test/dent/001.png"]
    assert (dent.label, dent.defect, dent.mask, dent.official) == (1, "dent", "ground_truth/dent/001_mask.png", "test")
    assert (found["train/good/000.png"].label, found["train/good/000.png"].official) == (0, "train")
    # Train and test number their files alike: same name, other image
    assert found["train/good/000.png"].group != found["test/good/000.png"].group


def test_mvtec_quadrants_of_one_photograph_are_a_group(tmp_path):
    for name in ("color_7_q2", "barrdistorted_1003_0.3_0.3_color_7_q1", "color_17_q2"):
        save(tmp_path / f"train/good/{name}.png", noise(0))
    groups = {entry.path.split("/")[-1]: entry.group for entry in entries(dataset_config("mvtec", tmp_path))}
    assert groups == {
        "color_7_q2.png": "color_7",
        "barrdistorted_1003_0.3_0.3_color_7_q1.png": "color_7",
        "color_17_q2.png": "color_17",
    }


def test_mvtec_where_every_mask_is_looked_for_in_vain_is_refused_and_without_a_folder_of_masks_is_read(tmp_path):
    root = mvtec_folder(tmp_path)
    (root / "ground_truth/dent/000_mask.png").unlink()
    (root / "ground_truth/dent/001_mask.png").unlink()
    with pytest.raises(DataError, match=r"test/dent/000\.png: no mask 000_mask\.png"):
        entries(dataset_config("mvtec", root))
    (root / "ground_truth/dent").rmdir()
    (root / "ground_truth").rmdir()
    assert all(entry.mask is None for entry in entries(dataset_config("mvtec", root)))


def test_magnetic_tile(tmp_path):
    for folder, stem in [("MT_Free", "exp1_num_10"), ("MT_Blowhole", "exp2_num_30")]:
        save(tmp_path / folder / f"Imgs/{stem}.jpg", noise(0))
        save(tmp_path / folder / f"Imgs/{stem}.png", np.zeros((32, 32), np.uint8))
    blowhole, free = entries(dataset_config("magnetic_tile", tmp_path))
    assert (blowhole.label, blowhole.defect, blowhole.mask) == (1, "blowhole", "MT_Blowhole/Imgs/exp2_num_30.png")
    assert (free.label, free.defect, free.mask) == (0, "good", None)
    assert blowhole.group == free.group == "exp1_num_10"


@pytest.mark.parametrize(
    ("stems", "expected"),
    [
        pytest.param([(1, 10), (2, 30), (6, 60)], [0, 0, 0], id="rising"),
        pytest.param([(1, 10), (2, 30), (1, 40), (2, 50)], [0, 0, 2, 2], id="a new tile begins at a low exposure"),
        pytest.param([(1, 10), (1, 12), (2, 30), (2, 31)], [0, 1, 1, 0], id="interleaved tiles"),
        pytest.param([(1, 10), (2, 161)], [0, 1], id="too long after"),
    ],
)
def test_exposure_series(stems, expected):
    names = [f"exp{exposure}_num_{number}" for exposure, number in stems]
    assert [exposure_series(names)[name] for name in names] == [names[first] for first in expected]


@pytest.mark.parametrize("spelling", ["GroundTruth", "GroundThruth"])
def test_piped(tmp_path, spelling):
    save(tmp_path / "P/NoDefects/P_S_ND_7_3.bmp", noise(0))
    save(tmp_path / "P/Defects/P_S_D_07_2.bmp", noise(1))
    save(tmp_path / f"P/Defects/{spelling}/P_S_GT_07_2.bmp", noise(1))
    defect, normal = entries(dataset_config("piped", tmp_path, category="P"))
    assert defect.mask == f"Defects/{spelling}/P_S_GT_07_2.bmp"
    assert (defect.group, normal.group) == ("D_07", "ND_07")


def test_folder_with_defects_and_masks(tmp_path):
    save(tmp_path / "ok/a.PNG", noise(0))
    save(tmp_path / "bad/b.jpg", noise(1))
    save(tmp_path / "bad/crack/c.tif", noise(2))
    save(tmp_path / "masks/b.png", noise(1))
    save(tmp_path / "masks/crack/c_mask.bmp", noise(2))
    config = dataset_config("folder", tmp_path, settings=folder_settings(normal="ok", anomalous="bad", masks="masks"))
    assert [(entry.path, entry.defect, entry.mask) for entry in entries(config)] == [
        ("bad/b.jpg", "anomalous", "masks/b.png"),
        ("bad/crack/c.tif", "crack", "masks/crack/c_mask.bmp"),
        ("ok/a.PNG", "good", None),
    ]


def test_folder_of_normals_alone(tmp_path):
    normal_and_anomalous(tmp_path)
    config = dataset_config("folder", tmp_path, settings=folder_settings(anomalous=None))
    assert {entry.label for entry in entries(config)} == {0}


def test_one_folder_per_class_beside_the_good_ones(tmp_path):
    for name in ("good", "dent", "scratch", "masks/dent", "masks/scratch"):
        save(tmp_path / name / "a.png", noise(len(name)))
    config = dataset_config("folder", tmp_path, settings=folder_settings(normal="good", anomalous=".", masks="masks"))
    assert [(entry.path, entry.defect, entry.mask) for entry in entries(config)] == [
        ("dent/a.png", "dent", "masks/dent/a.png"),
        ("good/a.png", "good", None),
        ("scratch/a.png", "scratch", "masks/scratch/a.png"),
    ]


@pytest.mark.parametrize("name", ["masks", "Ground Truth", "GroundThruth"])
@pytest.mark.parametrize("anomalous", ["bad", "."])
def test_masks_that_are_not_read_are_no_class_of_defects(tmp_path, name, anomalous):
    for each in ("good", "bad/dent", f"bad/{name}", name):
        save(tmp_path / each / "a.png", noise(len(each)))
    config = dataset_config("folder", tmp_path, settings=folder_settings(normal="good", anomalous=anomalous))
    assert {entry.path for entry in entries(config)} <= {"good/a.png", "bad/dent/a.png"}


@pytest.mark.parametrize("name", ["Good", "OK", "defect_free", "Normals"])
@pytest.mark.parametrize("layout", ["mvtec", "folder", "folder beside"])
def test_a_folder_that_is_called_as_good_parts_are_is_no_class_of_defects(tmp_path, layout, name):
    for each in ("train/good", "test/dent", f"test/{name}"):
        save(tmp_path / each / "a.png", noise(len(each)))
    normal, anomalous = ("train/good", "test") if layout == "folder" else ("dent", ".")
    settings = folder_settings(normal=normal, anomalous=anomalous)
    root = tmp_path / "test" if layout == "folder beside" else tmp_path
    config = dataset_config(layout.split()[0], root, **({"settings": settings} if layout != "mvtec" else {}))
    with pytest.raises(DataError, match=f"{name}: would be the class of defects '{name}'"):
        entries(config)


def test_a_missing_mask_says_how_to_do_without(tmp_path):
    normal_and_anomalous(tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match=r"no mask .* or read no masks with dataset\.folder\.masks=null$"):
        entries(dataset_config("folder", tmp_path, settings=folder_settings(masks="masks")))


def test_names_tell_groups(tmp_path):
    for name in ("sheet1_01", "sheet1_02", "sheet2_01", "loose"):
        save(tmp_path / f"good/{name}.png", noise(0))
    config = dataset_config(
        "folder",
        tmp_path,
        settings=folder_settings(normal="good", anomalous=None, group=r"^sheet\d+"),
        split="grouped",
    )
    groups = {entry.path.rpartition("/")[2]: entry.group for entry in entries(config)}
    assert groups == {
        "sheet1_01.png": "sheet1",
        "sheet1_02.png": "sheet1",
        "sheet2_01.png": "sheet2",
        "loose.png": "good/loose.png",
    }


def test_blanks_at_the_ends_of_what_tells_groups_are_no_part_of_it(tmp_path):
    for name in ("sheet 1 _0", "sheet 1 _1", "sheet 2_0", "sheet 2 _1"):
        save(tmp_path / f"good/{name}.png", noise(0))
    settings = folder_settings(normal="good", anomalous=None, group="^[^_]+")
    found = entries(dataset_config("folder", tmp_path, settings=settings, split="grouped"))
    assert Counter(entry.group for entry in found) == {"sheet 1": 2, "sheet 2": 2}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            folder_settings(normal="/elsewhere"),
            r"dataset\.folder\.normal=/elsewhere: does not lie in .*; name a folder",
        ),
        (folder_settings(anomalous="../bad"), r"dataset\.folder\.anomalous=\.\./bad: does not lie in"),
        (
            folder_settings(anomalous="normal"),
            r"normal: dataset\.folder\.normal and .*anomalous are one folder; name two",
        ),
        (
            folder_settings(masks="normal"),
            r"normal: dataset\.folder\.normal and .*masks are one folder; name two",
        ),
        (folder_settings(group="(["), r"dataset\.folder\.group=\(\[: is no regular expression"),
    ],
)
def test_folders_that_cannot_be_meant(tmp_path, settings, message):
    normal_and_anomalous(tmp_path)
    with pytest.raises(RadarError, match=message):
        entries(dataset_config("folder", tmp_path, settings=settings))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param(
            {"layout": "mvtec", "root": "gone"},
            r"gone: no such folder; set dataset\.root= or data_root=.*mvtec",
            id="missing root",
        ),
        pytest.param(
            {"layout": "mvtec", "category": "tail"},
            r"no category 'tail'.*one of: anomalous, normal",
            id="missing category",
        ),
        pytest.param({"layout": "mvtec"}, "no normal images in the mvtec layout", id="another layout"),
        pytest.param(
            {"layout": "folder", "settings": folder_settings(normal="fine")},
            r"no sub-folder 'fine'; set dataset\.folder\.normal= to what is there \(anomalous, normal\)",
            id="missing normal",
        ),
        pytest.param(
            {"layout": "folder", "settings": folder_settings(masks="anomalous")},
            r"anomalous/00\.png: no mask",
            id="missing masks",
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path, config, message):
    normal_and_anomalous(tmp_path / "set", normals=2)
    root = tmp_path / config.pop("root", "set")
    with pytest.raises(DataError, match=message):
        entries(dataset_config(config.pop("layout"), root, **config))


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "train/good").mkdir(parents=True)
    with pytest.raises(DataError, match="no normal images"):
        entries(dataset_config("mvtec", tmp_path))


@pytest.mark.parametrize(
    ("layout", "changes", "message"),
    [
        (
            "mvtec",
            {"root": None},
            r"^dataset\.root=null: layout mvtec reads a folder; give it with dataset\.root=FOLDER$",
        ),
        (
            "magnetic_tile",
            {"split": "official"},
            r"^dataset\.split=official: layout magnetic_tile has no split of its own",
        ),
        ("folder", {}, r"^dataset\.folder: layout folder needs this section; choose a preset that has it$"),
        (
            "cubes",
            {},
            r"^dataset\.layout cubes: there is none; use one of aitex, folder, magnetic_tile, mvtec, piped, synthetic",
        ),
    ],
)
def test_what_a_layout_misses_in_its_config_is_named(tmp_path, layout, changes, message):
    config = dataset_config(layout, changes.pop("root", tmp_path), **changes)
    with pytest.raises(ConfigError, match=message):
        layout_of(config)


def test_a_folder_of_good_ones_among_defective_ones_is_refused(tmp_path):
    for seed, name in enumerate(("train/good/0", "test/hole/1", "test/good/2")):
        save(tmp_path / f"{name}.png", noise(seed))
    settings = folder_settings(normal="train/good", anomalous="test", masks=None)
    with pytest.raises(DataError, match=r"test/good/2\.png: is anomalous, and its defect is 'good'"):
        entries(dataset_config("folder", tmp_path, settings=settings))
