"""Crops of files by name, and what a layout of files reads by a `decode` of its own."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from data_builders import dataset_config, folder_settings, image_config, noise, normal_and_anomalous, save

from radar.data.dataset import open_dataset
from radar.data.decoding import Pixels, read_pixels
from radar.data.file_reader import FileReader
from radar.data.images import read_images
from radar.data.layouts.folder import FolderLayout
from radar.data.manifest import write_manifest
from radar.data.mvtec_export import write_mvtec
from radar.errors import DataError
from radar.runtime.crops import Crop, file_and_crop, stem

STRIP = noise(3, 32, 128)


@pytest.fixture
def strip(tmp_path):
    return save(tmp_path / "strip.png", STRIP)


def crop_of(file, left=40, top=4, width=20, height=24) -> Path:
    return file.with_name(Crop(left, top, width, height).named(file.name))


@pytest.mark.parametrize(
    ("text", "file", "crop"),
    [
        pytest.param("a/b.png#xywh=40,0,20,24", "a/b.png", (40, 0, 20, 24), id="crop"),
        pytest.param("a/b.png", "a/b.png", None, id="file"),
        pytest.param("a/b#xywh=1,2,3,4.png", "a/b#xywh=1,2,3,4.png", None, id="the_file_bears_such_a_name"),
        pytest.param("a/b.png#xywh=40,0,0,24", "a/b.png#xywh=40,0,0,24", None, id="empty_crop"),
        pytest.param("a/b.png#xywh=-1,0,2,2", "a/b.png#xywh=-1,0,2,2", None, id="negative"),
        pytest.param(f"b#xywh={'1' * 5000},0,2,2", f"b#xywh={'1' * 5000},0,2,2", None, id="endless_left"),
        pytest.param(f"b#xywh=0,{'0' * 5000},2,2", f"b#xywh=0,{'0' * 5000},2,2", None, id="endless_zeros"),
        pytest.param(f"b#xywh=0,0,2,{'9' * 10}", f"b#xywh=0,0,2,{'9' * 10}", None, id="ten_digits"),
        pytest.param("b#xywh=\u0664,0,2,2", "b#xywh=\u0664,0,2,2", None, id="arabic_digits"),
        pytest.param("b#xywh=0,0,2,2\uff10", "b#xywh=0,0,2,2\uff10", None, id="wide_digits"),
        pytest.param("a/b.png#xywh=40,0,999999999,24", "a/b.png", (40, 0, 999999999, 24), id="nine_digits"),
    ],
)
def test_a_name_says_which_crop_of_which_file(text, file, crop):
    assert file_and_crop(PurePosixPath(text)) == (PurePosixPath(file), crop)
    if crop is not None:
        assert Crop(*crop).named(file) == text
        assert stem(PurePosixPath(text)) == "b_x40_y0"


def test_a_crop_is_its_part_of_the_file(strip):
    reader, crop = FileReader(), crop_of(strip)
    part = STRIP[4:28, 40:60]
    np.testing.assert_array_equal(reader.pixels(crop).values, part)
    assert reader.shape(crop) == (24, 20)
    assert reader.content_hash(crop) == hashlib.sha256(b"(24, 20) |u1 " + part.tobytes()).hexdigest()
    assert reader.content_hash(strip) == hashlib.sha256(strip.read_bytes()).hexdigest()
    np.testing.assert_array_equal(reader.pixels(strip).values, STRIP)


def test_the_identity_of_a_crop_is_what_it_shows(strip, tmp_path):
    changed = STRIP.copy()
    changed[:, 60:] += 1
    other = save(tmp_path / "other.png", changed)
    reader = FileReader()
    assert reader.content_hash(crop_of(strip)) == reader.content_hash(crop_of(other))
    assert reader.content_hash(crop_of(strip, left=41)) != reader.content_hash(crop_of(other, left=41))


def test_a_crop_outside_its_file_is_one_line(strip):
    reader = FileReader()
    for read in (reader.pixels, reader.shape):
        with pytest.raises(DataError, match=r"strip\.png#xywh=120,4,20,24: the file is 128 x 32 px, and the crop ends"):
            read(crop_of(strip, left=120))


def test_where_a_side_is_wanted_other_images_are_refused_with_the_crop_to_name(strip):
    reader = FileReader(side=20)
    assert reader.pixels(crop_of(strip, height=20)).values.shape == (20, 20)
    for path, size in ((strip, "128 x 32"), (crop_of(strip), "20 x 24")):
        for read in (reader.pixels, reader.shape):
            with pytest.raises(DataError) as raised:
                read(path)
            said = f"is {size} px, and images of 20 x 20 px are wanted; name a crop of it, as in 'strip.png#xywh=0,0,20,20'"
            assert said in str(raised.value)


def test_the_mask_of_a_crop_is_that_part_of_the_files_mask_by_the_files_range(strip, tmp_path):
    marks = np.zeros((32, 128), np.uint8)
    marks[10, 45:50] = 60  # a faint rim: in this crop the largest value, in the file not
    marks[10, 100] = 255
    mask = save(tmp_path / "mask.png", marks)
    reader = FileReader()
    assert not reader.mask(crop_of(strip), mask, inverted=False).any()
    assert reader.mask(crop_of(strip), mask, inverted=True).all()
    assert np.argwhere(reader.mask(crop_of(strip, left=90), mask, inverted=False)).tolist() == [[6, 10]]
    small = save(tmp_path / "small.png", marks[:, :64])
    with pytest.raises(DataError, match=r"small\.png: the mask is 64 x 32 px and its image 128 x 32 px"):
        reader.mask(crop_of(strip), small, inverted=False)


def strips_of_a_folder(root):
    """Four normal strips and one anomalous one with its mask; of each, crops of 32 px are listed."""
    for index in range(5):
        save(root / ("anomalous" if index == 4 else "normal") / f"{index}.png", noise(index, 32, 96))
    mask = np.zeros((32, 96), np.uint8)
    mask[3:5, 70:75] = 255
    save(root / "masks/4.png", mask)
    return root


@pytest.fixture
def listed(tmp_path):
    """A manifest of the user's own that lists crops, and the config that names it."""
    root = strips_of_a_folder(tmp_path / "images")
    splits = ("train", "train", "validation", "test", "test")
    rows = ["path,content_hash,split,label,defect,mask,group"]
    for index, split in enumerate(splits):
        file = f"{'anomalous' if index == 4 else 'normal'}/{index}.png"
        for left in (0, 32, 64):
            marked = index == 4 and left == 64
            mask = "masks/4.png" if marked else ""
            rows.append(f'"{file}#xywh={left},0,32,32",,{split},{int(marked)},,{mask},{index}')
    manifest = tmp_path / "split.csv"
    manifest.write_text("\n".join(rows))
    return dataset_config("folder", root, settings=folder_settings(masks="masks"), manifest=str(manifest))


def test_a_manifest_lists_crops_of_any_files(listed, tmp_path):
    dataset = open_dataset(listed)
    assert Counter((each.split, each.label) for each in dataset.samples) == {
        ("train", 0): 6,
        ("validation", 0): 3,
        ("test", 0): 5,
        ("test", 1): 1,
    }
    marked = next(each for each in dataset.samples if each.label)
    assert np.argwhere(dataset.mask(marked))[:, 1].min() == 70 - 64
    assert dataset.mask(marked).shape == (32, 32)
    write_manifest(dataset.samples, tmp_path / "again.csv")
    again = open_dataset(replace(listed, manifest=str(tmp_path / "again.csv")))
    assert again.content_hash == dataset.content_hash
    mask = tmp_path / "images/masks/4.png"
    values = np.array(read_pixels(mask).values)
    values[20, 10] = 255  # in another crop
    save(mask, values)
    assert open_dataset(listed).content_hash == dataset.content_hash
    values[20, 90] = 255
    save(mask, values)
    assert open_dataset(listed).content_hash != dataset.content_hash


def test_a_crop_of_a_file_that_is_not_there_is_named(listed, tmp_path):
    (tmp_path / "images/normal/1.png").unlink()
    with pytest.raises(DataError, match=r"normal/1\.png#xywh=0,0,32,32 is not in"):
        open_dataset(listed)


def test_exported_crops_are_images_of_their_own(listed, tmp_path):
    dataset = open_dataset(listed)
    assert write_mvtec(dataset, tmp_path / "out") == 15
    assert (tmp_path / "out/test/anomalous/4_x64_y0.png").is_file()
    exported = open_dataset(dataset_config("mvtec", tmp_path / "out", manifest=str(tmp_path / "out/split.csv")))
    by_stem = {stem(PurePosixPath(sample.path)): sample for sample in exported.samples}
    assert len(by_stem) == 15
    for one in dataset.samples:
        other = by_stem[stem(PurePosixPath(one.path))]
        assert (one.split, one.label, one.group) == (other.split, other.label, other.group)
        np.testing.assert_array_equal(dataset.layout.pixels(one.path).values, exported.layout.pixels(other.path).values)
        np.testing.assert_array_equal(dataset.mask(one), exported.mask(other))


class Shifted(FolderLayout):
    """Reads every file darker by `shift`."""

    name = "shifted"
    shift = 1

    def decode(self, file: Path) -> Pixels:
        """A whole file."""
        values, full = read_pixels(file)
        return Pixels(values - np.minimum(values, self.shift).astype(values.dtype), full)


def test_what_a_layout_reads_its_own_way_has_the_identity_of_what_it_reads(tmp_path, monkeypatch):
    config = dataset_config("folder", normal_and_anomalous(tmp_path), settings=folder_settings(), image=image_config())
    path = "normal/00.png"
    hashes = {FolderLayout(config).content_hash(path)}
    for shift in (1, 2):
        monkeypatch.setattr(Shifted, "shift", shift)
        layout = Shifted(config)
        hashes.add(layout.content_hash(path))
        asked = read_images([tmp_path / path], layout.files, config.image)
        expected = np.maximum(noise(0).astype(int) - shift, 0)
        np.testing.assert_allclose((asked.planes.whole[0, 0].numpy() + 1) / 2 * 255, expected, atol=1e-3)
        assert asked.identities == (layout.content_hash(path),)
        assert layout.shape(path) == (32, 32)
    assert len(hashes) == 3


@pytest.mark.parametrize("name", ["pixels", "shape", "content_hash"])
def test_a_layout_of_files_overrides_decode_alone(name):
    with pytest.raises(TypeError, match=rf"Own\.{name}: override decode"):
        type("Own", (FolderLayout,), {name: lambda self, path: None})


class Marked(FolderLayout):
    """Masks by a rule of its own."""

    name = "marked"
    row = 0

    def mask(self, path, mask):
        """One row."""
        values = np.zeros((32, 32), dtype=np.bool_)
        values[self.row] = True
        return values


def test_the_identity_of_a_mask_follows_a_rule_of_its_own(tmp_path, monkeypatch):
    save(tmp_path / "mask.png", noise(0))
    layout = Marked(dataset_config("folder", normal_and_anomalous(tmp_path), settings=folder_settings()))
    first = layout.mask_hash("anomalous/00.png", "mask.png")
    monkeypatch.setattr(Marked, "row", 1)
    assert layout.mask_hash("anomalous/00.png", "mask.png") != first


def test_a_file_that_changes_between_the_hashes_of_two_crops_is_refused(tmp_path):
    files = FileReader()
    save(tmp_path / "a.png", noise(0))
    save(tmp_path / "mask.png", noise(1))
    crops = [tmp_path / f"a.png#xywh={left},2,8,8" for left in (2, 12)]
    files.content_hash(crops[0])
    files.mask_hash(crops[0], tmp_path / "mask.png", inverted=False)
    for name in ("a.png", "mask.png"):
        save(tmp_path / "other" / name, noise(2)).replace(tmp_path / name)
    files.content_hash(crops[1])
    files.mask_hash(crops[1], tmp_path / "mask.png", inverted=False)
    with pytest.raises(DataError, match="has changed since it was first read"):
        files.pixels(crops[0])
    with pytest.raises(DataError, match="has changed since it was first read"):
        files.mask(crops[0], tmp_path / "mask.png", inverted=False)
    np.testing.assert_array_equal(files.pixels(crops[1]).values, noise(2)[2:10, 12:20])


@pytest.mark.parametrize("way", ["replaced", "written", "taken away"])
@pytest.mark.parametrize("what", ["photo", "mask", "dark mask", "crop"])
def test_a_file_that_changes_between_its_hash_and_its_pixels_is_refused(tmp_path, what, way):
    """Else the scores of one picture would be stored as those of another."""
    files, dark = FileReader(), what == "dark mask"
    photo, mask = save(tmp_path / "a.png", noise(0)), save(tmp_path / "mask.png", noise(1))
    asked = tmp_path / "a.png#xywh=2,2,8,8" if what == "crop" else photo
    before = files.content_hash(asked)
    mask_before = files.mask_hash(photo, mask, inverted=dark)
    np.testing.assert_array_equal(files.pixels(photo).values, noise(0))  # as often as one likes
    files.mask(photo, mask, inverted=dark)
    changed = mask if "mask" in what else photo
    other = save(tmp_path / "other" / "b.png", noise(2))
    if way == "replaced":
        other.replace(changed)
    elif way == "written":
        changed.write_bytes(other.read_bytes())
        os.utime(changed, ns=(1, 1))  # on file systems whose clock is slow, too
    else:
        changed.unlink()
    with pytest.raises(DataError, match=str(changed)):
        files.mask(photo, mask, inverted=dark) if "mask" in what else files.pixels(asked)
    if way != "taken away":
        after = files.mask_hash(photo, mask, inverted=dark) if "mask" in what else files.content_hash(asked)
        assert after != (mask_before if "mask" in what else before)  # and is read as it is now
        files.mask(photo, mask, inverted=dark) if "mask" in what else files.pixels(asked)
