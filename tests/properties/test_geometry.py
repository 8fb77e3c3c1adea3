"""Geometry, tiling and names, for any size: pictures, frames, crops, windows and tiles fit what they are of."""

from __future__ import annotations

from fractions import Fraction
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radar.runtime.crops import Crop, file_and_crop, stem
from radar.runtime.decoding import Pixels
from radar.runtime.entries import ASPECTS
from radar.runtime.placement import place_map
from radar.runtime.preprocessing import PLANE_NAMES, Frame, Preprocessing, frame_of, preprocess
from radar.scoring.tiling import Tiling, tiles

SIDES = st.integers(1, 40)
WAYS = st.builds(
    Preprocessing,
    channels=st.sampled_from(sorted(PLANE_NAMES)),
    size=st.none() | st.integers(1, 24),
    width=st.none() | st.integers(1, 24),
    aspect=st.sampled_from(ASPECTS),
    resolution=st.none() | st.floats(0.5, 4),
    file_resolution=st.just(2.0),
    resize=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos", "box"]),
)


def wanted_size(frame: Frame, way: Preprocessing) -> tuple[int, int]:
    """Height and width of the picture, as the keys say."""
    if way.size is not None and way.aspect in ("stretch", "crop", "pad"):
        return way.size, way.size if way.width is None else way.width
    share = Fraction(1)
    if way.resolution is not None:
        share = Fraction(way.resolution / 2)
    elif way.size is not None:
        share = Fraction(
            way.size, min(frame.height, frame.width) if way.aspect == "short" else max(frame.height, frame.width)
        )
    return max(1, round(float(frame.height * share))), max(1, round(float(frame.width * share)))


@settings(max_examples=60, deadline=None)
@given(height=SIDES, width=SIDES, way=WAYS, colour=st.booleans(), seed=st.integers(0, 9))
def test_a_picture_fits_its_config_and_its_map_fits_the_image(
    height: int, width: int, way: Preprocessing, colour: bool, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3)[: 2 + colour], dtype=np.uint8)
    picture, frame = preprocess(Pixels(values, 255), way)
    assert picture.shape == (len(PLANE_NAMES[way.channels]), *wanted_size(frame, way)) and picture.dtype == np.float32
    assert np.abs(picture).max() <= 1
    assert frame == frame_of(height, width, way)
    assert 1 <= frame.shape[0] <= height and 1 <= frame.shape[1] <= width
    rows, columns = frame.visible
    assert 0 <= rows.start < rows.stop <= height and 0 <= columns.start < columns.stop <= width
    placed = place_map(picture[0], frame)
    assert placed.shape == frame.shape
    # bilinear weights are a mean: nothing beyond what the map holds
    assert picture[0].min() - 1e-5 <= placed.min() and placed.max() <= picture[0].max() + 1e-5


@settings(max_examples=60, deadline=None)
@given(height=SIDES, width=SIDES, level=st.integers(0, 255), way=WAYS)
def test_an_even_image_stays_even(height: int, width: int, level: int, way: Preprocessing) -> None:
    picture, frame = preprocess(Pixels(np.full((height, width), level, np.uint8), 255), way)
    grey = 0 if way.channels == "luma_chroma" else slice(None)
    np.testing.assert_allclose(picture[grey], 2 * level / 255 - 1, atol=1e-5)
    np.testing.assert_allclose(place_map(picture[0], frame), 2 * level / 255 - 1, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_windows_cover_a_map_and_blend_back_to_it(data: st.DataObject) -> None:
    height, width = data.draw(SIDES), data.draw(SIDES)
    window = data.draw(st.integers(1, min(height, width)))
    tiling = Tiling.overlapping(height, width, window=window, stride=data.draw(st.integers(1, window)))
    maps = torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(0))
    together, apart = torch.zeros_like(maps), torch.zeros_like(maps)
    tiling.add(tiling.cut(maps), together)
    for part in tiling.parts(data.draw(st.integers(1, 9))):
        part.add(part.cut(maps), apart)
    weights = tiling.weights(height, width)
    assert (weights > 0).all()
    torch.testing.assert_close(together / weights, maps, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(apart, together, rtol=1e-5, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(height=SIDES, width=SIDES, core=st.integers(1, 45), margin=st.integers(0, 45))
def test_tiles_keep_every_pixel_once_and_read_what_they_keep(height: int, width: int, core: int, margin: int) -> None:
    pixels, kept = torch.arange(height * width).reshape(height, width), torch.full((height, width), -1)
    for tile in tiles(height, width, core=core, margin=margin):
        assert (kept[tile.keep] == -1).all()
        kept[tile.keep] = pixels[tile.read][tile.inner]
        for read, keep, side in zip(tile.read, tile.keep, (height, width), strict=True):
            assert read.start == max(0, keep.start - margin) and read.stop == min(side, keep.stop + margin)
    assert torch.equal(kept, pixels)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and "#xywh=" not in name
)


@settings(max_examples=100, deadline=None)
@given(
    NAMES, st.builds(Crop, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**6), st.integers(1, 10**6))
)
def test_a_crop_is_read_back_from_its_name(name: str, crop: Crop) -> None:
    folder = PurePosixPath("parts")
    assert file_and_crop(folder / crop.named(name)) == (folder / name, crop)
    assert file_and_crop(folder / name) == (folder / name, None)
    assert stem(folder / crop.named(name)).startswith((folder / name).stem)


@pytest.mark.parametrize(
    "name", ["a#xywh=", "a#xywh=1,2,3", "a#xywh=1,2,0,4", "a#xywh=-1,2,3,4", "#xywh=1,2,3,4", "a#xywh=1,2,3,4x"]
)
def test_what_is_no_crop_is_a_file(name: str) -> None:
    assert file_and_crop(PurePosixPath(name)) == (PurePosixPath(name), None)
