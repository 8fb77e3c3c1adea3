"""Odd photos are planted among plain ones."""

from __future__ import annotations

import numpy as np
import pytest
from data_builders import dataset_config, folder_settings, noise, save
from PIL import Image, ImageFilter

from radar.data.dataset import open_dataset
from radar.data.inspection import inspect
from radar.errors import DataError


def photo(seed: int) -> np.ndarray:
    return (noise(seed) // 2 + 60).astype(np.uint8)


@pytest.fixture
def parts(tmp_path):
    for index in range(12):
        save(tmp_path / f"good/{index:02d}.png", photo(index))
    for index in range(4):
        save(tmp_path / f"bad/{index:02d}.png", photo(100 + index))
    return tmp_path


def found(root, masks=None, near_duplicates="warn"):
    settings = folder_settings(normal="good", anomalous="bad", masks=masks)
    config = dataset_config("folder", root, settings=settings, near_duplicates=near_duplicates)
    return {finding.what: finding.paths for finding in inspect(open_dataset(config))}


def one(findings, start):
    (what,) = [what for what in findings if what.startswith(start)]
    return findings[what]


def masked(root, values):
    for index, value in enumerate(values):
        mask = np.zeros((32, 32), np.uint8)
        mask[: int(32 * value)] = 255
        save(root / f"masks/{index:02d}.png", mask)
    return root


def test_nothing_is_odd_about_plain_photos(parts):
    assert found(masked(parts, [0.1, 0.2, 0.1, 0.3]), "masks") == {}


@pytest.mark.parametrize("folder", ["good", "bad"])
@pytest.mark.parametrize(
    ("planted", "what"),
    [
        (np.full((32, 32), 120, np.uint8), "blank"),
        (np.asarray(Image.fromarray(photo(50)).filter(ImageFilter.GaussianBlur(2))), "blurred"),
        (np.where(np.arange(32)[:, None] < 16, 255, photo(50)).astype(np.uint8), "over-exposed"),
        (np.where(np.arange(32)[:, None] < 16, 0, photo(50)).astype(np.uint8), "under-exposed"),
        (photo(50) + 60, "much brighter or darker"),
        (photo(50) - 60, "much brighter or darker"),
    ],
    ids=["blank", "blurred", "over-exposed", "under-exposed", "brighter", "darker"],
)
def test_an_odd_photo_is_named(parts, folder, planted, what):
    save(parts / folder / "odd.png", planted)
    findings = found(parts)
    assert one(findings, what) == (f"{folder}/odd.png",)
    assert len(findings) == 1


def test_a_photo_under_both_labels_is_told_once(parts):
    save(parts / "bad/copy.png", photo(3))
    assert found(parts, near_duplicates="ignore") == {}, "a note of the data set tells it"
    save(parts / "good/again.png", photo(3) + 2)
    alike = found(parts, near_duplicates="ignore")
    assert one(alike, "are nearly the same") == ("bad/copy.png", "good/03.png", "good/again.png")


def test_near_duplicates(parts):
    save(parts / "good/again.png", photo(3) + 2)
    assert one(found(parts), "are nearly the same") == ("good/03.png", "good/again.png")


@pytest.mark.parametrize(
    ("shares", "what", "paths"),
    [
        ([0.1, 0.0, 0.1, 0.1], "masks mark nothing", ("bad/01.png",)),
        ([0.1, 0.1, 0.9, 0.1], "masks mark more than half of their photo", ("bad/02.png",)),
        ([0.9, 0.8, 0.9, 0.1], "masks mark more than half of their photo, most of all: they look inverted",
         ("bad/00.png", "bad/01.png", "bad/02.png")),
    ],
)  # fmt: skip
def test_implausible_masks(parts, shares, what, paths):
    assert one(found(masked(parts, shares), "masks"), what) == paths


def test_a_broken_mask_is_an_error(parts):
    masked(parts, [0.1, 0.1, 0.1, 0.1])
    (parts / "masks/01.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"01\.png: (not a readable image|cannot be read)"):
        found(parts, "masks")
