"""Regions, outlines and placed maps in NumPy alone, beside SciPy's and torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from radar.runtime.map_levels import MapLevels
from radar.runtime.pixel_sets import widened
from radar.runtime.placement import place_map
from radar.runtime.preprocessing import Frame, Preprocessing, frame_of
from radar.runtime.regions import regions

CORNERS = np.ones((3, 3))


def by_scipy(values, levels, least_area):
    labels, _ = ndimage.label(values > levels.faint, structure=CORNERS)
    flagged, found = np.zeros(values.shape, dtype=bool), []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        own = labels == number
        area, peak = int(own.sum()), float(values[own].max())
        if area >= least_area or peak > levels.strong:
            flagged |= own
            box = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
            found.append((*box, area, peak))
    return flagged, sorted(found, key=lambda each: (-each[-1], each[1], each[0]))


@pytest.mark.parametrize("smooth", [0.0, 1.0, 3.0])
def test_regions_are_those_of_scipy(smooth):
    stream = np.random.default_rng(int(smooth))
    for _ in range(40):
        values = ndimage.gaussian_filter(stream.random(stream.integers(1, 40, 2)), smooth).astype(np.float32)
        share = stream.random()
        levels = MapLevels(*(float(np.quantile(values, each)) for each in (share, share + 0.9 * (1 - share))))
        flagged, found = regions(values, levels, 4)
        wanted_flagged, wanted = by_scipy(values, levels, 4)
        np.testing.assert_array_equal(flagged, wanted_flagged)
        assert [tuple(vars(each).values()) for each in found] == wanted


def test_a_spiral_is_one_region():
    values = np.zeros((41, 41), dtype=np.float32)
    low, high = 0, 41
    while high - low > 3:  # arms two pixels apart, each joined to the next one
        values[low, low:high] = values[low:high, high - 1] = values[high - 1, low:high] = 1
        values[low + 2 : high, low] = 1
        values[low + 2, low : low + 3] = 1
        low, high = low + 2, high - 2
    (region,) = regions(values, MapLevels(0.5, 2.0), 1)[1]
    assert region.area == values.sum() and (region.width, region.height) == (41, 41)


@pytest.mark.parametrize("width", [1, 3, 60])
def test_outlines_are_dilations(width):
    flagged = np.random.default_rng(width).random((30, 50)) > 0.99
    np.testing.assert_array_equal(widened(flagged, width), ndimage.binary_dilation(flagged, CORNERS, iterations=width))


@pytest.mark.parametrize("aspect", ["stretch", "crop", "pad"])
@pytest.mark.parametrize(("height", "width"), [(24, 24), (7, 90), (300, 201)])
def test_a_placed_map_is_torchs(aspect, height, width):
    way = Preprocessing("grey", 24, None, aspect, None, None, "box")
    values, frame = np.random.default_rng(0).random((24, 24), dtype=np.float32), frame_of(height, width, way)
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], (frame.height, frame.width), mode="bilinear"
    )[0, 0]
    rows, columns = frame.visible
    wanted = whole[rows.start - frame.top :, columns.start - frame.left :][: frame.shape[0], : frame.shape[1]]
    np.testing.assert_allclose(place_map(values, frame), wanted, atol=1e-5)


def test_a_map_of_the_originals_size_stays_as_it_is():
    values = np.random.default_rng(0).random((30, 20), dtype=np.float32)
    np.testing.assert_array_equal(place_map(values, Frame(30, 20, 0, 0, 30, 20)), values)
