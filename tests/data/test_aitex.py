"""Strips become crops: on drawn ones what was planted is known; on fabric 00 all is counted again from the files."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
from data_builders import NO_REAL, REAL, dataset_config, save
from PIL import Image
from scipy.ndimage import convolve1d

from radar.cli.main import main
from radar.data.dataset import open_dataset
from radar.data.images import read_images
from radar.data.layouts.aitex import AitexSettings
from radar.data.manifest import write_manifest
from radar.data.split_manifests import known_groups
from radar.errors import DataError
from radar.runtime.crops import file_and_crop

SIDE, CROPS = 32, 8
SETTINGS = AitexSettings(fabric="00", crop_size=SIDE, table_level=1.3, table_share=0.1, defect_pixels=20)


def cloth(seed: int, grey: int = 80, *, table: int = 0) -> np.ndarray:
    """A strip of eight crops: a weave with bright points, and `table` px of white table at its left."""
    strip = np.random.default_rng(seed).integers(grey - 15, grey + 10, (SIDE, SIDE * CROPS), dtype=np.uint8)
    strip[::6, ::7] = 2 * grey  # a pixel alone is no table
    strip[:, :table] = 255
    return strip


def mark(crop: int, pixels: int, *, rim: int = 30) -> np.ndarray:
    """A mask with `pixels` above half of the range in one crop, and a rim of `rim` grey ones below it."""
    mask = np.zeros((SIDE, SIDE * CROPS), np.uint8)
    rows, columns = np.divmod(np.arange(pixels + rim), 20)
    values = np.where(np.arange(pixels + rim) < pixels, [255, 128] * ((pixels + rim) // 2) + [255] * (pixels % 2), 127)
    mask[4 + rows, SIDE * crop + 5 + columns] = values
    return mask


@pytest.fixture
def root(tmp_path):
    """Six strips without a defect and two with; what becomes of their crops stands beside each."""
    for index in range(4):  # the table covers two crops and 6 of 32 px of the third
        save(tmp_path / f"NODefect_images/lot/{index:04d}_000_00.png", cloth(index, table=70))
    save(tmp_path / "NODefect_images/lot/0004_000_00.png", cloth(4, grey=110, table=67))  # 3 of 32 px are below a tenth
    streaks = cloth(5, grey=100)
    streaks[:, :96] = np.tile(
        np.array([185, 130], np.uint8), (SIDE, 48)
    )  # a grey table, whose mean is 1.6 of the cloth's
    save(tmp_path / "NODefect_images/other_lot/0005_000_00.png", streaks)
    save(tmp_path / "NODefect_images/other_lot/0006_000_01.png", cloth(6))  # another fabric
    save(tmp_path / "NODefect_images/other_lot/0007-000-00.png", cloth(7))  # breaks the naming rule
    first = cloth(10, table=64)
    first[4:24, SIDE * 7 + 5 : SIDE * 7 + 25] = 255  # as bright as the table, and marked as a defect
    bright = np.zeros_like(first)
    bright[4:24, SIDE * 7 + 5 : SIDE * 7 + 25] = 255
    save(tmp_path / "Defect_images/0001_002_00.png", first)
    save(tmp_path / "Mask_images/0001_002_00_mask.png", mark(3, 20) | mark(4, 19) | mark(5, 0) | mark(1, 40) | bright)
    save(tmp_path / "Defect_images/0002_099_00.png", cloth(11, table=32))
    save(tmp_path / "Mask_images/0002_099_00_mask.png", mark(6, 21, rim=0))
    return tmp_path


def config(root, **changes):
    return dataset_config("aitex", root, split="official", settings=SETTINGS, near_duplicates="ignore", **changes)


def places(samples) -> set[tuple[str, int, str, str]]:
    """Strip, which crop, defect and split."""
    found = [(file_and_crop(path_of(sample)), sample) for sample in samples]
    assert all(crop.top == 0 and (crop.width, crop.height) == (SIDE, SIDE) for (_, crop), _ in found)
    return {(file.stem, crop.left // SIDE, sample.defect, sample.split) for (file, crop), sample in found}


def path_of(sample):
    return PurePosixPath(sample.path)


def test_crops_of_drawn_strips_are_what_was_planted(root):
    samples = open_dataset(config(root)).samples
    expected = {(f"{index:04d}_000_00", crop) for index in range(4) for crop in range(3, 8)}
    expected |= {("0004_000_00", crop) for crop in range(2, 8)} | {("0005_000_00", crop) for crop in range(3, 8)}
    assert {(strip, crop) for strip, crop, _, split in places(samples) if split != "test"} == expected
    assert {place for place in places(samples) if place[3] == "test"} == {
        ("0001_002_00", 2, "good", "test"),
        ("0001_002_00", 3, "broken_end", "test"),
        ("0001_002_00", 5, "good", "test"),  # a rim below half of the range marks nothing
        ("0001_002_00", 6, "good", "test"),
        ("0001_002_00", 7, "broken_end", "test"),
        *(("0002_099_00", crop, "good", "test") for crop in (1, 2, 3, 4, 5, 7)),
        ("0002_099_00", 6, "099", "test"),
    }


def test_a_strip_is_a_group_and_validation_is_whole_strips(root):
    samples = open_dataset(config(root)).samples
    splits = {
        group: {sample.split for sample in samples if sample.group == group} for group in {s.group for s in samples}
    }
    assert all(len(found) == 1 for found in splits.values())
    assert Counter(next(iter(found)) for found in splits.values()) == {"train": 4, "validation": 2, "test": 2}
    assert all(sample.path.startswith(f"{sample.group}#xywh=") for sample in samples)


@pytest.mark.parametrize("split", ["random", "literature"])
@pytest.mark.parametrize("side", [SIDE, SIDE // 2])
def test_crops_of_a_strip_count_as_one_where_the_split_does_not_keep_them_together(root, split, side):
    settings = replace(SETTINGS, crop_size=side)
    dataset = open_dataset(replace(config(root), split=split, settings=settings))
    paths, hashes = [sample.path for sample in dataset.samples], [sample.content_hash for sample in dataset.samples]
    groups = [sample.group for sample in dataset.samples]
    assert set(groups) <= set(paths) and len(set(groups)) > 8, "the split keeps only identical crops together"
    counted = known_groups("aitex", None, hashes, groups)
    assert len(set(counted)) == 8
    (note,) = dataset.notes
    assert note.startswith("8 photo(s) lie in several splits in parts, first ") and "(train) and " in note
    assert all(
        path.startswith(f"{group}#") for path, own, group in zip(paths, groups, counted, strict=True) if path == own
    )


def test_pixels_and_masks_are_those_of_the_strip(root):
    dataset = open_dataset(config(root))
    for sample in dataset.samples:
        file, crop = file_and_crop(path_of(sample))
        columns = slice(crop.left, crop.left + SIDE)
        strip = np.asarray(Image.open(root / file))
        np.testing.assert_array_equal(dataset.layout.pixels(sample.path).values, strip[:, columns])
        if sample.label:
            mask = np.asarray(Image.open(root / f"Mask_images/{file.stem}_mask.png"))[:, columns]
            np.testing.assert_array_equal(dataset.mask(sample), mask >= 128)
            assert dataset.mask(sample).sum() >= SETTINGS.defect_pixels
        else:
            assert sample.mask is None and not dataset.mask(sample).any()


@pytest.mark.parametrize(
    ("changes", "strip", "crop", "there"),
    [
        pytest.param({"defect_pixels": 21}, "0001_002_00", 3, False, id="20_px_are_too_few"),
        pytest.param({"defect_pixels": 19}, "0001_002_00", 4, True, id="19_px_suffice"),
        pytest.param({"table_share": 0.09}, "0004_000_00", 2, False, id="3_of_32_columns_are_too_much"),
        pytest.param({"table_share": 0.2}, "0001_000_00", 2, True, id="6_of_32_columns_are_little_enough"),
        pytest.param({"table_level": 2.0}, "0005_000_00", 0, True, id="a_grey_table_is_below_the_level"),
    ],
)
def test_the_layouts_keys_say_which_crops_count(root, changes, strip, crop, there):
    found = places(open_dataset(replace(config(root), settings=replace(SETTINGS, **changes))).samples)
    assert ((strip, crop) in {place[:2] for place in found}) == there
    assert ((strip, crop) in {place[:2] for place in places(open_dataset(config(root)).samples)}) != there


def test_a_manifest_of_crops_is_read_back(root, tmp_path):
    dataset = open_dataset(config(root))
    write_manifest(dataset.samples, tmp_path / "split.csv")
    again = open_dataset(config(root, manifest=str(tmp_path / "split.csv")))
    assert again.samples == dataset.samples
    assert again.content_hash == dataset.content_hash


def test_a_whole_strip_is_no_image_of_the_set(root):
    dataset = open_dataset(config(root))
    strip = root / dataset.samples[0].group
    with pytest.raises(DataError, match=r"256 x 32 px, and images of 32 x 32 px are wanted; name a crop of it, as in"):
        read_images([strip], dataset.layout.files, dataset.image)
    named = read_images([root / dataset.samples[0].path], dataset.layout.files, dataset.image)
    assert named.identities == (dataset.samples[0].content_hash,)


def test_a_strip_without_its_mask_and_a_fabric_that_is_not_there_are_one_line(root):
    with pytest.raises(DataError, match=r"no strips of fabric 02; choose one that is there \(00, 01\)"):
        open_dataset(replace(config(root), settings=replace(SETTINGS, fabric="02")))
    (root / "Mask_images/0002_099_00_mask.png").unlink()
    with pytest.raises(DataError, match=r"0002_099_00\.png: no mask 0002_099_00_mask\.png"):
        open_dataset(config(root))


def test_a_preset_counts_and_decodes_them(root, capsys):
    keys = [f"dataset.root={root}", "dataset.aitex.crop_size=32", "dataset.aitex.table_share=0.1"]
    assert main(["data", "check", "dataset=aitex_00", *keys]) == 0
    said = capsys.readouterr().out
    assert "43 images decode; one size, 32 × 32 px" in said
    assert "broken_end" in said


def counted_again(root) -> Counter:
    """Crops of fabric 00, counted without the layout; a column is table where half of it is far brighter than the strip."""
    counts = Counter()
    for path in sorted([*root.glob("NODefect_images/*/*_00.png"), *root.glob("Defect_images/*_00.png")]):
        strip = np.asarray(Image.open(path)).astype(np.float64)
        mask_path = root / f"Mask_images/{path.stem}_mask.png"
        mask = np.asarray(Image.open(mask_path)) if mask_path.exists() else np.zeros(strip.shape)
        columns = convolve1d(strip.mean(axis=0), np.ones(9) / 9) > 1.2 * np.median(strip)
        for left in range(0, 4096, 256):
            marked = int((mask[:, left : left + 256] > 127).sum())
            if columns[left : left + 256].mean() > 0.02 or 0 < marked < 20:
                continue
            counts[path.parent.parent.name == "NODefect_images", marked >= 20, path.stem] += 1
    return counts


@pytest.mark.skipif(not (REAL / "aitex").is_dir(), reason=NO_REAL)
def test_the_crops_of_fabric_00_counted_again_from_the_files(composed):
    dataset = open_dataset(composed("dataset=aitex_00", f"data_root={REAL}").dataset)
    found = Counter(
        (sample.split != "test", bool(sample.label), file_and_crop(path_of(sample))[0].stem)
        for sample in dataset.samples
    )
    assert found == counted_again(REAL / "aitex")
    assert not any("not the very files" in note for note in dataset.notes)
    assert min(dataset.mask(sample).sum() for sample in dataset.samples if sample.label) >= 20
