"""What a folder leaves open is said, or refused, and never guessed without a word."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket

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


def listening(path):
    """A socket, by a short name: their paths have at most some hundred characters."""
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(path.parent):
        server.bind(path.name)


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
    "a pipe among the good ones": (
        lambda root: os.mkfifo(root / "good/13.png"),
        "1 passed over: no regular file: good/13.png",
    ),
    "a pipe of another name": (
        lambda root: os.mkfifo(root / "bad/camera"),
        "1 passed over: no regular file: bad/camera",
    ),
    "a socket that is called an image": (
        lambda root: listening(root / "bad/camera.png"),
        "1 passed over: no regular file: bad/camera.png",
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


@pytest.mark.parametrize("name", ["bad/00_mask.png", "bad/02_MASK.png", "bad/01_Mask.bmp", "good/03_mask.png"])
@pytest.mark.parametrize("masks", [None, "masks"])
def test_a_mask_that_lies_beside_its_photo_is_never_a_photo(parts, name, masks):
    if masks is not None:
        mask(parts / "masks/01.png")
    mask(parts / name)
    with pytest.raises(
        DataError, match=r"is read as a photo, and called as the mask of 0\d\.png beside it; move "
    ) as caught:
        opened(parts, masks=masks)
    assert str(caught.value).startswith(f"{parts / name}: ")


def test_nor_is_it_one_in_a_test_folder_of_mvtecs_layout(tmp_path):
    mvtec_folder(tmp_path)
    mask(tmp_path / "test/dent/000_mask.png")
    shutil.rmtree(tmp_path / "ground_truth")
    with pytest.raises(DataError, match=r"000_mask\.png: is read as a photo, and called as the mask of 000\.png"):
        open_dataset(dataset_config("mvtec", tmp_path, split="official"))


@pytest.mark.parametrize(("photo", "its_mask"), [("Face_Mask", "Face_Mask"), ("FACE_MASK", "FACE_MASK_Mask")])
def test_a_photo_that_is_called_mask_has_one(parts, photo, its_mask):
    save(parts / f"bad/{photo}.png", noise(300))
    mask(parts / f"masks/{its_mask}.png")
    found = {sample.path: sample.mask for sample in opened(parts, masks="masks").samples if sample.label}
    assert found[f"bad/{photo}.png"] == f"masks/{its_mask}.png"


def test_a_photo_may_be_called_mask(parts):
    for name in ("bad/_mask.png", "bad/gas_mask.png"):
        save(parts / name, noise(300 + len(name)))
    assert sum(sample.label for sample in opened(parts).samples) == 6


def test_a_folder_of_ones_own_in_mvtecs_layout_tells_what_it_passes_over(tmp_path):
    mvtec_folder(tmp_path)
    mask(tmp_path / "ground_truth/dent/000_mask_2.png")
    config = dataset_config("mvtec", tmp_path, split="official")
    said = [note for note in open_dataset(config).notes if "passed over" in note]
    assert len(said) == 1 and "ground_truth/dent/000_mask_2.png" in said[0]
    (tmp_path / "of_a_set").mkdir()
    for name in ("train", "test", "ground_truth"):
        shutil.move(tmp_path / name, tmp_path / "of_a_set" / name)
    published = open_dataset(dataset_config("mvtec", tmp_path, split="official", category="of_a_set"))
    assert not any("passed over" in note for note in published.notes)


@pytest.mark.parametrize(
    "name", ["{}.png", "{}.PNG", "{}.Png", "{}_mask.Tif", "{}_mask.BMP", "{}_MASK.png", "{}_Mask.PNG"]
)
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


TWO_MASKS = {  # files that are both called as the mask of bad/00.png
    "with an ending and bare": ("00_mask.png", "00.png"),
    "of two kinds of file": ("00.bmp", "00.tif"),
    "of two kinds of file, with an ending": ("00_mask.png", "00_mask.tif"),
    "in large and small letters": ("00.PNG", "00.png"),
}


@pytest.mark.parametrize("kind", TWO_MASKS)
def test_two_masks_of_one_photo_are_an_error_that_names_both(parts, kind):
    for name in ("01.png", *TWO_MASKS[kind]):
        mask(parts / "masks" / name)
    both = {str(parts / "masks" / name) for name in TWO_MASKS[kind]}
    with pytest.raises(
        DataError, match=r"bad/00\.png: .* are both called as its mask; keep the one that is$"
    ) as caught:
        opened(parts, masks="masks")
    assert both <= set(str(caught.value).split())


@pytest.mark.parametrize("folder", ["bad", "bad/dent"])
@pytest.mark.parametrize("other", ["00.jpg", "00.PNG", "00.bmp"])
def test_one_mask_of_two_photos_is_an_error_that_names_them(parts, folder, other):
    for name in ("00.png", other):
        save(parts / folder / name, noise(300 + len(name)))
    mask(parts / folder.replace("bad", "masks") / "00_mask.png")
    with pytest.raises(DataError, match=r"00_mask\.png: is called as the mask of two photos") as caught:
        opened(parts, masks="masks")
    assert {f"{parts / folder / '00.png'}", f"{parts / folder / other}"} <= set(re.split(r"[ ;]", str(caught.value)))


def test_two_photos_of_one_name_without_a_mask_are_two_photos(parts):
    save(parts / "bad/00.jpg", noise(300))
    assert sum(sample.label for sample in opened(parts).samples) == 5


def test_a_photo_is_no_mask_of_another(parts):
    mask(parts / "bad/01_mask.png")
    save(parts / "bad/00.jpg", noise(300))
    with pytest.raises(
        DataError, match=r"bad/00\.\w+: is read as a photo, and as the mask of .*bad/00\.\w+; put masks"
    ):
        opened(parts, masks="bad")


MASKS_OF_NONE = {  # what lies in masks beside those of bad, and what is said
    "of a good photo": ("masks/11.png", "a good photo has a mask"),
    "of a good photo, with an ending": ("masks/11_mask.bmp", "a good photo has a mask"),
    "of no photo": ("masks/77.png", "a mask of no defective photo"),
}


@pytest.mark.parametrize("kind", MASKS_OF_NONE)
def test_a_mask_of_no_defective_photo_is_told_as_one(parts, kind):
    name, told = MASKS_OF_NONE[kind]
    for each in (*(f"masks/{index:02d}.png" for index in range(4)), name):
        mask(parts / each)
    assert opened(parts, masks="masks").notes == (f"1 passed over: {told}: {name}",)


def test_masks_of_one_class_say_nothing_of_good_photos_of_the_same_number(parts):
    save(parts / "bad/dent/00.png", noise(300))
    for name in ("dent/00.png", "dent/11.png", *(f"{index:02d}.png" for index in range(4))):
        mask(parts / "masks" / name)
    assert opened(parts, masks="masks").notes == ("1 passed over: a mask of no defective photo: masks/dent/11.png",)


@pytest.mark.parametrize("place", ["good/shift1", "good/week 3/monday"])
def test_good_photos_in_sub_folders_are_told_with_the_way_to_name_them(tmp_path, place):
    for index in range(8):
        save(tmp_path / place / f"{index}.png", noise(index))
    save(tmp_path / "bad/0.png", noise(100))
    with pytest.raises(DataError, match=rf"images lie in {place}, and sub-folders .* dataset\.folder\.normal=,"):
        opened(tmp_path)
    for folder in ("test/good", "test/dent"):
        save(tmp_path / "as_mvtec" / folder / "0.png", noise(5))
    save(tmp_path / f"as_mvtec/train/{place}/0.png", noise(6))
    with pytest.raises(DataError, match=rf"images lie in train/{place}, and"):
        shutil.rmtree(tmp_path / "as_mvtec/test/good")
        open_dataset(dataset_config("mvtec", tmp_path / "as_mvtec"))
