"""Sets of pixels `(H, W)`: made wider and narrower, cleared of what is thin, and parted into what is connected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
_Places = NDArray[np.intp]


def widened(pixels: BoolArray, width: int) -> BoolArray:
    """Pixels `(H, W)` of which one of the set lies at most `width` rows and columns away."""
    for _ in range(2):  # columns, then rows
        wider = pixels.copy()
        for step in range(1, min(width, pixels.shape[1] - 1) + 1):
            wider[:, step:] |= pixels[:, :-step]
            wider[:, :-step] |= pixels[:, step:]
        pixels = wider.T
    return pixels


def narrowed(pixels: BoolArray, width: int) -> BoolArray:
    """Without what lies at most `width` rows and columns from a pixel that is none of the set; beyond the picture all are."""
    return ~widened(~pixels, width)


def opened(pixels: BoolArray, width: int) -> BoolArray:
    """Without what is thinner than 2 · `width` + 1 px; beyond the picture all pixels are of the set."""
    return widened(narrowed(pixels, width), width) & pixels


def touching(pixels: BoolArray, seeds: BoolArray) -> BoolArray:
    """Those of the connected parts (8 neighbours) that hold a pixel of `seeds`."""
    numbers, count = components(pixels)
    reached = np.zeros(count + 1, dtype=np.bool_)
    reached[numbers[seeds]] = True
    reached[0] = False
    return reached[numbers]


def components(pixels: BoolArray) -> tuple[_Places, int]:
    """The number `(H, W)` of each pixel's connected part (8 neighbours), from 1, 0 where it is none of the set; how many there are."""
    rows, starts, stops = row_runs(pixels)
    numbers = np.zeros(pixels.shape, dtype=np.intp)
    if not len(rows):
        return numbers, 0
    labels, count = connected_runs(rows, starts, stops)
    numbers[pixels] = np.repeat(labels + 1, stops - starts)
    return numbers, count


def row_runs(pixels: BoolArray) -> tuple[_Places, _Places, _Places]:
    """Row, first column and column after the last of each run of True in a row `(H, W)`, row by row."""
    edges = np.diff(np.pad(pixels, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]


def connected_runs(rows: _Places, starts: _Places, stops: _Places) -> tuple[_Places, int]:
    """The number of each run's component, from 0, and how many there are; runs that touch, at corners too, share one."""
    upper, lower = _touching_runs(rows, starts, stops)
    parent = np.arange(len(rows))
    while True:  # every pass joins trees of neighbours, then lets each run point at its root
        first, second = parent[upper], parent[lower]
        if (first == second).all():
            break
        np.minimum.at(parent, np.maximum(first, second), np.minimum(first, second))
        while (parent[parent] != parent).any():
            parent = parent[parent]
    roots, labels = np.unique(parent, return_inverse=True)
    return labels, len(roots)


def _touching_runs(rows: _Places, starts: _Places, stops: _Places) -> tuple[_Places, _Places]:
    """Pairs of runs in neighbouring rows that touch: of each run, the stretch of those in the row above that do."""
    width = int(stops.max()) + 2  # runs of all rows along one line, on which rows do not touch
    line_starts, line_stops = rows * width + starts, rows * width + stops
    first = np.searchsorted(line_stops, line_starts - width, side="left")
    after = np.searchsorted(line_starts, line_stops - width, side="right")
    counts = np.maximum(after - first, 0)
    lower = np.repeat(np.arange(len(rows)), counts)
    upper = np.arange(len(lower)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    return upper, lower
