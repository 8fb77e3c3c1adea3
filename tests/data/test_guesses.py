"""What a folder leaves open is said, or refused, and never guessed without a word."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from data_builders import dataset_config, folder_settings, mvtec_folder, noise, save
from PIL import Image

from radar.data.dataset import open_dataset
from radar.errors import DataError


@pytest.fixture
def parts(tmp_path):
    for index in range(12):
        save(tmp_path / f"good/{index:02d}.png", noise(index))
    for index in range(4):
        save(tmp_path / f"bad/{index:02d}.png", noise(100 + index))
    return tmp_path


def opened(root, *, normal="good", anomalous="bad", masks=None, near_duplicates="warn"):
    settings = folder_settings(normal=normal, anomalous=anomalous, masks=masks)
    return open_dataset(dataset_config("folder", root, settings=settings, near_duplicates=near_duplicates))


def mask(path, marked: bool = True):
    values = np.zeros((32, 32), np.uint8)
    values[4:9, 4:9] = 255 if marked else 0
    return save(path, values)


PASSED_OVER = {  # what is planted, and what is said
    "a file of another kind": (
        lambda root: Image.fromarray(noise(60)).save(root / "good/new.webp"),
        "1 passed over: .webp is not read (.png, .jpg, .jpeg, .bmp, .tif, .tiff are): good/new.webp",
    ),
    "a phone's files": (
        lambda root: [(root / f"bad/{index}.HEIC").write_bytes(b"x") for index in range(5)],
        "5 passed over: .heic is not read (.png, .jpg, .jpeg, .bmp, .tif, .tiff are): bad/0.HEIC, bad/1.HEIC, bad/2.HEIC, …",
    ),
    "an archive beside the folders": (
        lambda root: (root / "more.zip").write_bytes(b"x"),
        "1 passed over: .zip is not read (.png, .jpg, .jpeg, .bmp, .tif, .tiff are): more.zip",
    ),
    "a folder in the good ones": (
        lambda root: save(root / "good/shift2/late.png", noise(60)),
        "1 passed over: in a folder that is not looked into: good/shift2/late.png",
    ),
    "a folder in a class": (
        lambda root: (save(root / "bad/dent/a.png", noise(61)), save(root / "bad/dent/deep/b.png", noise(62))),
        "1 passed over: in a folder that is not looked into: bad/dent/deep/b.png",
    ),
    "a folder beside": (
        lambda root: save(root / "unsorted/a.png", noise(61)),
        "1 passed over: in a folder that is not looked into: unsorted/a.png",
    ),
    "a link to a folder": (
        lambda root: (save(root.parent / "elsewhere/a.png", noise(61)), (root / "good/more").symlink_to("../../elsewhere")),
        "1 passed over: a link to a folder, which is not looked into: good/more",
    ),
    "a link to nothing": (
        lambda root: (root / "good/shift3").symlink_to("/nowhere/shift3"),
        "1 passed over: a link to nothing: good/shift3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", PASSED_OVER)
def test_what_is_passed_over_is_said_with_its_number_and_reason(tmp_path, kind):
    root = tmp_path / "set"
    for index in range(12):
        save(root / f"good/{index:02d}.png", noise(index))
    save(root / "bad/00.png", noise(100))
    plant, said = PASSED_OVER[kind]
    plant(root)
    assert opened(root).notes == (said,)


def test_litter_is_of_no_account(parts):
    for folder in ("good", "bad"):
        for name in (".DS_Store", "Thumbs.db", "._00.png", "desktop.ini"):
            (parts / folder / name).write_bytes(b"junk")
        save(parts / folder / "@eaDir/00.png", noise(1))
        save(parts / folder / ".ipynb_checkpoints/00.png", noise(2))
    (parts / "readme.txt").write_text("about")
    assert opened(parts).notes == ()


def test_a_link_that_is_called_an_image_and_leads_nowhere_is_an_error(parts):
    (parts / "good/gone.png").symlink_to("/nowhere/gone.png")
    with pytest.raises(DataError, match=r"good/gone\.png: is a link to nothing; restore what it leads to"):
        opened(parts)


def test_a_link_to_an_image_is_read(parts):
    save(parts.parent / "elsewhere.png", noise(77))
    (parts / "good/linked.png").symlink_to(parts.parent / "elsewhere.png")
    assert "good/linked.png" in {sample.path for sample in opened(parts).samples}


@pytest.mark.parametrize("policy", ["error", "warn", "ignore"])
@pytest.mark.parametrize("link", [False, True])
def test_one_image_under_both_labels(parts, policy, link):
    copy = parts / "bad/copy.png"
    if link:
        copy.symlink_to(parts / "good/03.png")
    else:
        shutil.copy(parts / "good/03.png", copy)
    said = r"2 files are the same image as normal and as anomalous, first bad/copy\.png"
    if policy != "ignore":
        with pytest.raises(DataError, match=rf"{said}; remove one of each"):
            opened(parts, near_duplicates=policy)
    else:
        (note,) = opened(parts, near_duplicates=policy).notes
        assert note == "2 files are the same image as normal and as anomalous, first bad/copy.png: one of each is wrong"


def test_a_class_folder_that_is_the_normal_one_is_no_class(tmp_path):
    for seed, (name, count) in enumerate({"good": 12, "dent": 2, "scratch": 2}.items()):
        for index in range(count):
            save(tmp_path / name / f"{index:02d}.png", noise(100 * seed + index))
    (tmp_path / "again").symlink_to("good")
    dataset = opened(tmp_path, anomalous=".")
    assert {sample.defect for sample in dataset.samples} == {"good", "dent", "scratch"}
    assert sum(sample.label == 0 for sample in dataset.samples) == 12


@pytest.mark.parametrize("alias", ["good", "good/.", "link"])
def test_one_folder_cannot_be_two_things(parts, alias):
    (parts / "link").symlink_to("good")
    with pytest.raises(DataError, match="are one folder; name two"):
        opened(parts, anomalous=alias)
    with pytest.raises(DataError, match="are one folder; name two"):
        opened(parts, masks=alias)


def test_masks_that_lie_beside_their_images_are_no_images(parts):
    for index in range(3):
        mask(parts / f"bad/{index:02d}_mask.png")
    dataset = opened(parts, masks="bad")
    assert {sample.path: sample.mask for sample in dataset.samples if sample.label} == {
        **{f"bad/{index:02d}.png": f"bad/{index:02d}_mask.png" for index in range(3)},
        "bad/03.png": None,
    }


@pytest.mark.parametrize("name", ["{}.png", "{}.PNG", "{}.Png", "{}_mask.Tif", "{}_mask.BMP"])
def test_a_mask_is_found_whatever_the_case_of_its_extension(parts, name):
    for index in range(4):
        mask(parts / "masks" / name.format(f"{index:02d}"))
    dataset = opened(parts, masks="masks")
    assert all(sample.masked for sample in dataset.samples if sample.label)
    assert dataset.notes == ()


def without_a_mask(root, layout):
    """A data set of two defective images, the second of which has no mask."""
    if layout == "mvtec":
        mvtec_folder(root)
        (root / "ground_truth/dent/001_mask.png").unlink()
        return dataset_config("mvtec", root, split="official")
    for index in range(12):
        if layout == "folder":
            save(root / f"normal/{index:02d}.png", noise(index))
        elif layout == "piped":
            save(root / f"NoDefects/P_S_ND_{index:02d}_1.bmp", noise(index))
        else:
            save(root / f"MT_Free/Imgs/exp1_num_{1000 * index}.jpg", noise(index))
    for index in range(2):
        if layout == "folder":
            save(root / f"anomalous/{index:02d}.png", noise(100 + index))
        elif layout == "piped":
            save(root / f"Defects/P_S_D_{index:02d}_1.bmp", noise(100 + index))
        else:
            save(root / f"MT_Crack/Imgs/exp1_num_{7 + 1000 * index}.jpg", noise(100 + index))
    mask({
        "folder": root / "masks/00.png",
        "piped": root / "Defects/GroundTruth/P_S_GT_00_1.bmp",
        "magnetic_tile": root / "MT_Crack/Imgs/exp1_num_7.png",
    }[layout])  # fmt: skip
    settings = folder_settings(masks="masks") if layout == "folder" else None
    return dataset_config(layout, root, settings=settings)


@pytest.mark.parametrize("layout", ["folder", "mvtec", "piped", "magnetic_tile"])
def test_defective_images_without_a_mask_count_beside_those_with_one(tmp_path, layout):
    dataset = open_dataset(without_a_mask(tmp_path, layout))
    anomalous = [sample for sample in dataset.samples if sample.label]
    (missing,) = [sample.path for sample in anomalous if not sample.masked]
    said = f"1 of 2 anomalous images have no mask and count in no pixel metric, first {missing}"
    assert len(anomalous) == 2
    assert said in dataset.notes
