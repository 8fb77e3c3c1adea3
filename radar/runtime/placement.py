"""Maps and regions of a model's picture, back at the original's pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pixel_sets import BoolArray
from .preprocessing import FloatArray, Frame

_INSIDE = np.float32(0.5)  # share of a pixel above which it counts


def placed(anomaly_map: FloatArray, inside: BoolArray | None, frame: Frame) -> tuple[FloatArray, BoolArray | None]:
    """A map of the model's picture as `place_map` places it, and its region there, `(H, W)` = `frame.shape`; outside it the map is 0,
    and no pixel near its border is lowered by that.
    """
    whole = place_map(anomaly_map, frame)
    if inside is None:
        return whole, None
    share = place_map(inside.astype(np.float32), frame)
    within = np.asarray(share > _INSIDE)
    return np.where(within, whole / np.maximum(share, _INSIDE), np.float32(0)), within


def placed_region(inside: BoolArray, frame: Frame) -> BoolArray:
    """The region `(h, w)` of a picture at the mask's own pixels, `(H, W)` = `frame.shape`."""
    return np.asarray(place_map(inside.astype(np.float32), frame) > _INSIDE)


def place_map(anomaly_map: FloatArray, frame: Frame) -> FloatArray:
    """An anomaly map (h, w) of the model's picture at the mask's own pixels: (H, W) = `frame.shape`, bilinear between centres."""
    rows, columns = frame.visible
    shown = np.arange(rows.start - frame.top, rows.stop - frame.top)
    tall = _interpolated(np.asarray(anomaly_map, dtype=np.float32), frame.height, shown)
    shown = np.arange(columns.start - frame.left, columns.stop - frame.left)
    return np.ascontiguousarray(_interpolated(tall.T, frame.width, shown).T)


def _interpolated(values: FloatArray, length: int, wanted: NDArray[np.integer]) -> FloatArray:
    """Rows `(n, m)` stretched to `length` rows, those of `wanted`; beyond the outermost centres they are repeated."""
    places = np.maximum((wanted + 0.5) * (len(values) / length) - 0.5, 0)
    before = places.astype(np.intp)
    after = np.minimum(before + 1, len(values) - 1)
    share = (places - before).astype(np.float32)[:, None]
    return np.asarray(values[before] * (1 - share) + values[after] * share)
