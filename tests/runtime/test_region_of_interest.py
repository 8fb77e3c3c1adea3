"""Regions of pictures: polygons and masks beside independent ones, backgrounds that are found, and nothing of what lies outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from scipy import ndimage

from radar.runtime.background import region_found
from radar.runtime.continuation import continue_outside, nearest
from radar.runtime.decoding import Pixels
from radar.runtime.entries import typed
from radar.runtime.errors import ImageError
from radar.runtime.picture import as_seen
from radar.runtime.placement import placed
from radar.runtime.preprocessing import Frame, Preprocessing, preprocess
from radar.runtime.region_of_interest import (
    RegionOfInterest,
    inside_image,
    inside_polygons,
    mask_of,
    mask_text,
    region_problem,
)

TRIANGLE = ((0.1, 0.15), (0.93, 0.4), (0.35, 0.9))
FOUND = RegionOfInterest("found", None, None, 6.0, 5, 0)
WAY = Preprocessing("grey", 64, None, "stretch", None, None, "lanczos")


def polygons(*corners) -> RegionOfInterest:
    return RegionOfInterest("polygons", corners, None, None, None, None)


def of_mask(inside: np.ndarray) -> RegionOfInterest:
    return RegionOfInterest("mask", None, mask_text(inside), None, None, None)


def noise(seed: int, height: int = 90, width: int = 120) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)


def texture(seed: int, height: int, width: int) -> np.ndarray:
    return ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((height, width)), 1)


@pytest.mark.parametrize("seed", range(8))
def test_pixels_of_polygons_are_those_whose_centre_lies_in_them(seed):
    stream = np.random.default_rng(seed)
    height, width = stream.integers(5, 60, 2)
    angles = np.sort(stream.random(7)) * 2 * np.pi  # around a point, so that no two sides cross
    away = stream.uniform(0.1, 0.45, 7)
    star = tuple((0.5 + r * np.cos(a), 0.5 + r * np.sin(a)) for r, a in zip(away, angles, strict=True))
    rows, columns = np.mgrid[:height, :width] + 0.5
    centres = np.stack([columns.ravel() / width, rows.ravel() / height], axis=1)
    wanted = np.zeros(height * width, dtype=bool)
    for corners in (star, TRIANGLE):
        wanted |= Outline(corners).contains_points(centres)
    np.testing.assert_array_equal(inside_polygons((star, TRIANGLE), height, width), wanted.reshape(height, width))


def test_the_whole_image_is_a_polygon():
    assert inside_polygons((((0, 0), (1, 0), (1, 1), (0, 1)),), 31, 17).all()


def test_thousands_of_polygons_are_their_union():
    stream = np.random.default_rng(0)
    tiles = np.flatnonzero(stream.random(50 * 50) > 0.2)
    rows, columns = tiles // 50 / 50, tiles % 50 / 50
    wanted = np.zeros((50, 50), dtype=bool)
    wanted.ravel()[tiles] = True
    corners = [((x, y), (x + 0.02, y), (x + 0.02, y + 0.02), (x, y + 0.02)) for x, y in zip(columns, rows, strict=True)]
    found = inside_polygons(tuple(corners), 300, 200)
    np.testing.assert_array_equal(found, wanted.repeat(6, axis=0).repeat(4, axis=1))
    assert region_problem(polygons(*corners)) == ""


def test_where_polygons_overlap_is_inside_and_where_one_overlaps_itself_is_not():
    square = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))
    assert inside_polygons((square, square), 8, 8)[:4, :4].all()
    assert not inside_polygons(((*square, *square),), 8, 8).any()
    hourglass = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
    found = inside_polygons((hourglass, hourglass), 3, 6)
    np.testing.assert_array_equal(found, np.array([[0, 1, 1, 1, 1, 0], [0] * 6, [0, 1, 1, 1, 1, 0]], dtype=bool))


def test_more_corners_than_are_filled_in_seconds_are_refused():
    many = tuple(tuple(each) for each in np.random.default_rng(0).random((2500, 4, 2)).tolist())
    assert region_problem(polygons(*many)) == ""
    assert region_problem(polygons(*many, TRIANGLE)) == (
        ".polygons: have 10003 corners, and at most 10000 are taken; leave some out, or use a mask"
    )


def test_a_mask_comes_back_from_its_text():
    for inside in (noise(0) > 100, np.zeros((3, 4), dtype=bool), np.ones((1, 7), dtype=bool)):
        np.testing.assert_array_equal(mask_of(mask_text(inside)), inside)


@pytest.mark.parametrize("text", ["", "region.png", "3x4:11", "3x4:5,8", "0x4:0", "3x4:6,-1,7", "2x2:4 ", "2x2:1,3\n"])
def test_another_text_is_no_mask(text):
    with pytest.raises(ValueError, match="is no mask"):
        mask_of(text)
    assert region_problem(RegionOfInterest("mask", None, text, None, None, None)).startswith(".mask: is no mask")


def test_too_large_a_mask_is_refused_before_memory_is_taken():
    for text in ("99999x1:99999", "16384x16384:268435456"):
        with pytest.raises(ValueError, match="a smaller one of the same aspect ratio will do"):
            mask_of(text)


def test_what_does_not_belong_to_a_kind_is_told():
    assert region_problem(polygons(TRIANGLE)) == "" == region_problem(FOUND)
    assert "needs one" in region_problem(replace(FOUND, inset=None))
    assert "read by name=mask alone" in region_problem(replace(FOUND, mask="1x1:0,1"))
    assert "has 2 points" in region_problem(polygons(TRIANGLE, TRIANGLE[:2]))
    assert "next to no area" in region_problem(polygons(((0.1, 0.1), (0.5, 0.5), (0.9, 0.9))))
    assert region_problem(replace(FOUND, thinnest=4)) == ".thinnest=4: must be odd; 3 and 5 are"
    assert [region_problem(replace(FOUND, thinnest=odd)) for odd in (1, 3, 1023)] == [""] * 3
    assert "marks nothing" in region_problem(of_mask(np.zeros((9, 9), dtype=bool)))


def test_entries_of_a_file_are_read_and_bounded():
    given = {"name": "polygons", "polygons": [[[0, 0.5], [1, 0], [1, 1]]], "mask": None, "tolerance": None}
    given |= {"thinnest": None, "inset": None}
    assert typed(RegionOfInterest, given).polygons == (((0.0, 0.5), (1.0, 0.0), (1.0, 1.0)),)
    for wrong in ([[[0, 0.5], [1, 0], [1, 1.1]]], [[[0, 0.5, 1]]], [[0.5, 0.5]], [[["0", 0.5]]], []):
        with pytest.raises(ValueError, match="polygons"):
            typed(RegionOfInterest, {**given, "polygons": wrong})


def test_a_manifest_that_is_older_than_regions_has_none():
    entries = {"channels": "grey", "size": 64, "width": None, "aspect": "stretch", "resolution": None}
    entries |= {"file_resolution": None, "resize": "lanczos"}
    assert typed(Preprocessing, entries) == WAY
    with pytest.raises(ValueError, match="resize: is missing"):
        typed(Preprocessing, {name: value for name, value in entries.items() if name != "resize"})


def test_a_mask_is_brought_to_the_photo_and_another_aspect_is_refused():
    half = np.arange(40)[None].repeat(30, axis=0) >= 20
    np.testing.assert_array_equal(inside_image(of_mask(half), 60, 80), np.arange(80)[None].repeat(60, axis=0) >= 40)
    assert inside_image(of_mask(half), 61, 80).shape == (61, 80)  # a pixel more or less is rounding
    with pytest.raises(ImageError, match="is 80 x 64 px, and the mask of the region of interest is 40 x 30 px") as told:
        inside_image(of_mask(half), 64, 80)
    assert "\n" not in str(told.value)


def test_the_nearest_pixel_inside_is_that_of_scipy():
    for seed in range(20):
        inside = ndimage.binary_dilation(noise(seed, 40, 61) > 252, iterations=2)
        rows, columns = nearest(inside)
        assert inside[rows, columns].all()
        found = np.hypot(rows - np.arange(40)[:, None], columns - np.arange(61))
        assert np.abs(found - ndimage.distance_transform_edt(~inside)).max() < 0.5


@pytest.mark.parametrize("shape", [(30_000, 3), (3, 50_000)])
def test_in_a_long_picture_the_nearest_pixel_is_the_nearest(shape):
    """Its square distances have more than 32 bits."""
    inside = np.zeros(shape, dtype=bool)
    inside[0, 0] = True
    rows, columns = nearest(inside)
    assert not rows.any() and not columns.any()


def test_outside_the_inside_is_mirrored():
    plane = np.arange(20, dtype=np.float32)[None].repeat(3, axis=0)[None]
    inside = np.zeros((3, 20), dtype=bool)
    inside[:, 8:13] = True
    continue_outside(plane, inside)
    wanted = [8, 8, 8, 8, 12, 11, 10, 9, 8, 9, 10, 11, 12, 11, 10, 9, 8, 12, 12, 12]
    np.testing.assert_array_equal(plane[0], np.array([wanted] * 3))


def on_a_table(part: np.ndarray, seed: int) -> np.ndarray:
    """Planes of a part with dark texture on a bright table with a little noise."""
    table = 0.7 + 0.01 * np.random.default_rng(seed).standard_normal(part.shape)
    return np.where(part, 0.5 * texture(seed, *part.shape) - 0.2, table).astype(np.float32)[None]


@pytest.mark.parametrize("seed", range(4))
def test_a_part_on_a_table_is_found_and_what_is_on_the_table_is_not(seed):
    rows, columns = np.mgrid[:150, :190]
    disc = (rows - 70) ** 2 + (columns - 100) ** 2 < 55**2
    tile = (abs(rows - 80) < 40) & (abs(columns - 90) < 60)
    for part in (disc, tile):
        planes = on_a_table(part, seed)
        planes[0, 4:9, 3:8] = 0.0  # dust
        found = region_found(planes, tolerance=6.0, thinnest=5, inset=0)
        near = ndimage.binary_dilation(part, iterations=2) & ~ndimage.binary_erosion(part, iterations=2)
        np.testing.assert_array_equal(found[~near], part[~near])
        assert (found != part).sum() < 0.02 * part.sum()
        inset = region_found(planes, tolerance=6.0, thinnest=5, inset=3)
        np.testing.assert_array_equal(inset, ndimage.binary_erosion(found, np.ones((7, 7)), border_value=1))


def test_a_table_beside_the_part_is_found_and_the_part_is_no_background():
    part = np.arange(200)[None].repeat(60, axis=0) >= 50
    np.testing.assert_array_equal(region_found(on_a_table(part, 0), tolerance=6.0, thinnest=5, inset=0), part)


@pytest.mark.parametrize("seed", range(4))
def test_without_a_table_the_whole_picture_counts(seed):
    rows, columns = np.mgrid[:100, :120]
    light = (np.hypot(rows - 90, columns - 60) / 150)[None]  # a lamp at one side
    pictures = (
        0.3 * texture(seed, 100, 120)[None],
        0.02 * texture(seed, 100, 120)[None] - light,
        np.zeros((1, 100, 120)),
    )
    for planes in pictures:
        assert region_found(planes.astype(np.float32), tolerance=6.0, thinnest=5, inset=2).all()


def test_where_almost_nothing_would_remain_the_whole_picture_counts():
    part = np.zeros((100, 100), dtype=bool)
    part[48:58, 48:58] = True
    assert region_found(on_a_table(part, 0), tolerance=6.0, thinnest=5, inset=0).all()


@pytest.mark.parametrize("resize", ["nearest", "bilinear", "bicubic", "lanczos", "box"])
@pytest.mark.parametrize("aspect", ["stretch", "crop", "pad", "short", "long"])
def test_no_pixel_depends_on_what_lies_outside(aspect, resize):
    inside = inside_polygons((TRIANGLE,), 90, 120)
    first, other = noise(0), noise(1)
    other[inside] = first[inside]
    for region in (polygons(TRIANGLE), of_mask(inside)):
        way = replace(WAY, aspect=aspect, resize=resize, region_of_interest=region)
        seen, frame = preprocess(Pixels(first, 255), way)
        assert seen.shape[0] == 2 and set(np.unique(seen[1])) == {-1, 1}
        np.testing.assert_array_equal(preprocess(Pixels(other, 255), way)[0], seen)
        assert (
            as_seen(None, Pixels(first, 255), "", way).sharpness == as_seen(None, Pixels(other, 255), "", way).sharpness
        )
        share = seen[1][seen[1] > 0].size / seen[1].size * frame.height * frame.width
        assert aspect == "crop" or share == pytest.approx(inside.sum(), rel=0.05)


def test_a_mask_is_the_polygon_that_was_drawn_into_it():
    square = ((0.25, 0.2), (0.75, 0.2), (0.75, 0.8), (0.25, 0.8))
    drawn = np.zeros((90, 120), dtype=bool)
    drawn[18:72, 30:90] = True
    by_polygon, by_mask = (
        preprocess(Pixels(noise(0), 255), replace(WAY, region_of_interest=region))[0]
        for region in (polygons(square), of_mask(drawn))
    )
    np.testing.assert_array_equal(by_polygon, by_mask)


def test_inside_and_at_its_own_size_pixels_are_as_they_are_without_a_region():
    plain, way = replace(WAY, size=None), replace(WAY, size=None, region_of_interest=polygons(TRIANGLE))
    (whole, _), (seen, _) = (preprocess(Pixels(noise(0), 255), each) for each in (plain, way))
    inside = seen[1] > 0
    np.testing.assert_array_equal(seen[0][inside], whole[0][inside])
    picture = as_seen(None, Pixels(noise(0), 255), "", way)
    assert picture.brightness == pytest.approx((noise(0)[inside] / 255).mean(), rel=1e-5)
    laplacian = ndimage.laplace(((seen[0] + 1) / 2).astype(np.float64))[1:-1, 1:-1]
    assert picture.sharpness == pytest.approx(laplacian[inside[1:-1, 1:-1]].var(), rel=1e-4)


def test_padding_lies_outside_what_is_found():
    way = replace(WAY, aspect="pad", region_of_interest=FOUND)
    planes, _ = preprocess(Pixels(noise(0), 255), way)
    outside = planes[1] < 0
    np.testing.assert_array_equal(outside.all(axis=1), [row < 8 or row >= 56 for row in range(64)])
    assert not outside[8:56].any()


def test_a_thread_of_a_photo_that_is_padded_away_is_refused():
    with pytest.raises(ImageError, match="has 0 of the 4096 px"):
        preprocess(Pixels(noise(0, 1, 900), 255), replace(WAY, aspect="pad", resize="box", region_of_interest=FOUND))


def test_too_small_a_region_is_refused():
    with pytest.raises(ImageError, match=r"has \d+ of the 4096 px that are looked at, and 64 are needed") as told:
        small = polygons(((0.5, 0.5), (0.58, 0.5), (0.5, 0.58)))
        preprocess(Pixels(noise(0), 255), replace(WAY, region_of_interest=small))
    assert "\n" not in str(told.value)


def test_a_map_is_placed_with_its_region():
    inside = np.zeros((20, 30), dtype=bool)
    inside[5:15, 10:20] = True
    whole, within = placed(np.where(inside, np.float32(3), np.float32(0)), inside, Frame(40, 60, 0, 0, 40, 60))
    np.testing.assert_array_equal(within, inside.repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_allclose(whole[within], 3.0, rtol=1e-6)  # the border is not lowered by the zeros beside it
    assert (whole[~within] == 0).all()
    assert placed(np.ones((4, 4), dtype=np.float32), None, Frame(4, 4, 0, 0, 4, 4))[1] is None
