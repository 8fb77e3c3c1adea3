"""Where a map rises above what normal images' maps do: connected pixels, and the boxes around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .map_levels import MapLevels
from .prediction import Region

_Places = NDArray[np.intp]


def regions(
    anomaly_map: NDArray[np.float32], levels: MapLevels, least_area: int
) -> tuple[NDArray[np.bool_], list[Region]]:
    """Pixels of a map `(H, W)` that are flagged, and the regions that they form (8 neighbours), the highest peaks first.

    A region is connected pixels above the faint level: at least `least_area` of them, or fewer of which one is above the strong one.
    """
    above = anomaly_map > levels.faint
    rows, starts, stops = _runs(above)
    flagged = np.zeros_like(above)
    if not len(rows):
        return flagged, []
    labels, count = _connected(rows, starts, stops)
    pixels = anomaly_map[above]  # run by run
    lengths = stops - starts
    run_peaks = np.maximum.reduceat(pixels, np.cumsum(lengths) - lengths)
    areas, peaks = np.zeros(count, dtype=np.intp), np.full(count, -np.inf)
    np.add.at(areas, labels, lengths)
    np.maximum.at(peaks, labels, run_peaks)
    is_region = (areas >= least_area) | (peaks > levels.strong)
    flagged[above] = np.repeat(is_region[labels], lengths)
    top, left, bottom, right = _boxes(labels, count, rows, starts, stops)
    found = [
        Region(
            int(left[each]), int(top[each]), int(right[each] - left[each]), int(bottom[each] - top[each]),
            area=int(areas[each]), peak=float(peaks[each]),
        )
        for each in np.flatnonzero(is_region)
    ]  # fmt: skip
    return flagged, sorted(found, key=lambda region: (-region.peak, region.y, region.x))


def _runs(above: NDArray[np.bool_]) -> tuple[_Places, _Places, _Places]:
    """Row, first column and column after the last of each run of True in a row `(H, W)`, row by row."""
    edges = np.diff(np.pad(above, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]


def _connected(rows: _Places, starts: _Places, stops: _Places) -> tuple[_Places, int]:
    """The number of each run's component, from 0, and how many there are; runs that touch, at corners too, share one."""
    upper, lower = _touching(rows, starts, stops)
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


def _touching(rows: _Places, starts: _Places, stops: _Places) -> tuple[_Places, _Places]:
    """Pairs of runs in neighbouring rows that touch: of each run, the stretch of those in the row above that do."""
    width = int(stops.max()) + 2  # runs of all rows along one line, on which rows do not touch
    line_starts, line_stops = rows * width + starts, rows * width + stops
    first = np.searchsorted(line_stops, line_starts - width, side="left")
    after = np.searchsorted(line_starts, line_stops - width, side="right")
    counts = np.maximum(after - first, 0)
    lower = np.repeat(np.arange(len(rows)), counts)
    upper = np.arange(len(lower)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    return upper, lower


def _boxes(labels: _Places, count: int, rows: _Places, starts: _Places, stops: _Places) -> tuple[_Places, ...]:
    """Top, left, bottom and right of each component; the last two are the first outside."""
    top, left, bottom, right = (np.full(count, bound) for bound in (np.iinfo(np.intp).max,) * 2 + (0,) * 2)
    np.minimum.at(top, labels, rows)
    np.minimum.at(left, labels, starts)
    np.maximum.at(bottom, labels, rows + 1)
    np.maximum.at(right, labels, stops)
    return top, left, bottom, right
