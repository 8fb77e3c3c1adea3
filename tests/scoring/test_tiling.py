"""Windows over a map: they cover it, and blending them gives it back."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from radar.scoring.tiling import Tiling, taper, tiles

CASES = [  # height, width, window, stride
    (100, 100, 28, 14),
    (30, 23, 8, 5),
    (12, 20, 12, 3),
    (16, 16, 16, 4),
    (17, 9, 4, 4),
    (10, 10, 1, 1),
    (11, 10, 10, 10),
]


def blend(tiling: Tiling, windows: torch.Tensor, height: int, width: int, part: int = 1000) -> torch.Tensor:
    """The weighted mean of windows that are added a few at a time."""
    total = torch.zeros(windows.shape[0] // len(tiling.corners), windows.shape[1], height, width)
    by_image = windows.reshape(len(total), len(tiling.corners), *windows.shape[1:])
    for index, few in enumerate(tiling.parts(part)):
        few.add(by_image[:, index * part : (index + 1) * part].flatten(0, 1), total)
    return total / tiling.weights(height, width)


def named(case: tuple[int, int, int, int]) -> str:
    return "{}x{}-window{}-stride{}".format(*case)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_windows_cover_the_map_and_end_at_its_border(case):
    height, width, window, stride = case
    tiling = Tiling.overlapping(height, width, window=window, stride=stride)
    covered = np.zeros((height, width), int)
    for top, left in tiling.corners:
        assert 0 <= top <= height - window and 0 <= left <= width - window
        covered[top : top + window, left : left + window] += 1
    assert (covered > 0).all()
    assert (height - window, width - window) in tiling.corners
    assert len(set(tiling.corners)) == len(tiling.corners)
    for axis in range(2):
        starts = sorted({corner[axis] for corner in tiling.corners})
        assert all(later - earlier <= stride for earlier, later in pairwise(starts))


def test_the_papers_windows_by_hand():
    tiling = Tiling.overlapping(100, 100, window=28, stride=14)
    assert sorted({top for top, _ in tiling.corners}) == [0, 14, 28, 42, 56, 70, 72]
    assert len(tiling.corners) == 49


@pytest.mark.parametrize("case", CASES, ids=named)
def test_cut_then_blend_is_the_identity(case):
    height, width, window, stride = case
    tiling = Tiling.overlapping(height, width, window=window, stride=stride)
    maps = torch.randn(3, 2, height, width)
    windows = tiling.cut(maps)
    assert windows.shape == (3 * len(tiling.corners), 2, window, window)
    for part in (1, 3, 1000):
        torch.testing.assert_close(blend(tiling, windows, height, width, part), maps, atol=1e-5, rtol=1e-5)


def test_windows_of_one_map_lie_side_by_side():
    tiling = Tiling.overlapping(6, 5, window=4, stride=2)
    maps = torch.arange(2 * 6 * 5).view(2, 1, 6, 5).float()
    windows = iter(tiling.cut(maps))
    for image in maps:
        for top, left in tiling.corners:
            assert torch.equal(next(windows), image[:, top : top + 4, left : left + 4])


@pytest.mark.parametrize("case", [case for case in CASES if case[0] < 100], ids=named)
def test_blending_is_the_mean_weighted_by_squared_sines(case):
    height, width, window, stride = case
    tiling = Tiling.overlapping(height, width, window=window, stride=stride)
    windows = torch.randn(2 * len(tiling.corners), 1, window, window)
    expected = np.zeros((2, height, width))
    for image in range(2):
        parts = windows.numpy()[image * len(tiling.corners) : (image + 1) * len(tiling.corners), 0]
        for row in range(height):
            for column in range(width):
                total = norm = 0.0
                for (top, left), part in zip(tiling.corners, parts, strict=True):
                    y, x = row - top, column - left
                    if 0 <= y < window and 0 <= x < window:
                        taper = [math.sin(math.pi * (place + 0.5) / window) ** 2 for place in (y, x)]
                        total += taper[0] * taper[1] * part[y, x]
                        norm += taper[0] * taper[1]
                expected[image, row, column] = total / norm
    np.testing.assert_allclose(blend(tiling, windows, height, width)[:, 0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("side", [2, 7, 28, 64])
def test_tapers_at_half_overlap_sum_to_one_in_double_precision(side):
    weights = torch.cat([taper(2 * side), torch.zeros(side)]) + torch.cat([torch.zeros(side), taper(2 * side)])
    assert weights.dtype == torch.float64
    assert (taper(2 * side) > 0).all()
    torch.testing.assert_close(weights[side : 2 * side], torch.ones(side, dtype=torch.float64), atol=1e-15, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(100, 28), (28, 100)], ids=["many-rows", "many-columns"])
def test_the_sum_of_many_windows_is_rounded_once(height, width):
    tiling = Tiling.overlapping(height, width, window=28, stride=1)
    squares = np.sin(np.pi * (np.arange(28) + 0.5) / 28) ** 2
    expected = np.zeros((height, width))
    for top, left in tiling.corners:
        expected[top : top + 28, left : left + 28] += np.outer(squares, squares)
    half_a_step = 2.0**-24
    np.testing.assert_allclose(tiling.weights(height, width).double().numpy(), expected, rtol=1.001 * half_a_step)


def test_windows_are_weighted_where_they_lie():
    tiling = Tiling.overlapping(8, 6, window=4, stride=2)
    maps = torch.zeros(1, 1, 8, 6, device="meta")
    tiling.add(tiling.cut(maps), maps)
    assert maps.device.type == "meta"


@pytest.mark.parametrize(
    ("height", "width", "core", "margin"), [(100, 70, 28, 28), (20, 20, 64, 8), (57, 90, 28, 56), (28, 56, 28, 0)]
)
def test_tiles_share_a_map_out(height, width, core, margin):
    kept = np.zeros((height, width), int)
    for tile in tiles(height, width, core=core, margin=margin):
        kept[tile.keep] += 1
        read = np.arange(height * width).reshape(height, width)[tile.read]
        assert np.array_equal(read[tile.inner], np.arange(height * width).reshape(height, width)[tile.keep])
        for read_axis, keep_axis, side in zip(tile.read, tile.keep, (height, width), strict=True):
            assert read_axis.start == max(0, keep_axis.start - margin)
            assert read_axis.stop == min(side, keep_axis.stop + margin)
            assert keep_axis.stop - keep_axis.start <= core
    assert (kept == 1).all()
