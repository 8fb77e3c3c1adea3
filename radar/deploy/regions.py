"""Where a map rises above what normal images' maps do: connected pixels, and the boxes around them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from radar.data.decoding import BoolArray, FloatArray
from radar.deploy.prediction import Region
from radar.scoring.map_levels import MapLevels


def regions(anomaly_map: FloatArray, levels: MapLevels, least_area: int) -> tuple[BoolArray, list[Region]]:
    """Pixels of a map `(H, W)` that are flagged, and the regions that they form (8 neighbours), the highest peaks first.

    A region is connected pixels above the faint level: at least `least_area` of them, or fewer of which one is above the strong one.
    """
    labels, count = ndimage.label(anomaly_map > levels.faint, structure=np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    peaks = np.zeros(count + 1)
    if count:
        peaks[1:] = ndimage.maximum(anomaly_map, labels, np.arange(1, count + 1))
    is_region = (areas >= least_area) | (peaks > levels.strong)
    is_region[0] = False  # all that is not above the faint level
    boxes, found = ndimage.find_objects(labels), []
    for number in np.flatnonzero(is_region):
        rows, columns = boxes[number - 1]
        box = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        found.append(Region(*box, area=int(areas[number]), peak=float(peaks[number])))
    return is_region[labels], sorted(found, key=lambda region: (-region.peak, region.y, region.x))
