"""Where a map rises above what normal images' maps do: connected pixels, and the boxes around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .map_levels import MapLevels
from .pixel_sets import connected_runs, row_runs
from .prediction import Region

_Places = NDArray[np.intp]


def regions(
    anomaly_map: NDArray[np.float32], levels: MapLevels, least_area: int
) -> tuple[NDArray[np.bool_], list[Region]]:
    """Pixels of a map `(H, W)` that are flagged, and the regions that they form (8 neighbours), the highest peaks first.

    A region is connected pixels above the faint level: at least `least_area` of them, or fewer of which one is above the strong one.
    """
    above = anomaly_map > levels.faint
    rows, starts, stops = row_runs(above)
    flagged = np.zeros_like(above)
    if not len(rows):
        return flagged, []
    labels, count = connected_runs(rows, starts, stops)
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


def _boxes(labels: _Places, count: int, rows: _Places, starts: _Places, stops: _Places) -> tuple[_Places, ...]:
    """Top, left, bottom and right of each component; the last two are the first outside."""
    top, left, bottom, right = (np.full(count, bound) for bound in (np.iinfo(np.intp).max,) * 2 + (0,) * 2)
    np.minimum.at(top, labels, rows)
    np.minimum.at(left, labels, starts)
    np.maximum.at(bottom, labels, rows + 1)
    np.maximum.at(right, labels, stops)
    return top, left, bottom, right
