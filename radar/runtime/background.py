"""The background of one picture, a table or a border, found without anything learnt: what is plain and reaches a side.

Each of the four sides is asked by itself, so that a table beside the part is found as one around it is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .pixel_sets import BoolArray, components, narrowed, opened, touching, widened

_LEAST_DEVIATION = 4 / 255  # in planes of [−1, 1]: two grey levels of 8 bits, as a table may have no noise at all
_ROBUST = 1.4826  # times the median deviation is, of a Gaussian, the standard deviation
_LEAST_SHARE = 0.05  # of the picture, that the region has; and of its largest part, that another has
_MOST_ALIKE = 0.5  # share of what is left that may look like the background
_RIM = 3  # px from the background, where the part is clearly of another colour: light that falls off is no edge
_CLEARLY = 1.5  # times the tolerance
_PLAINER = (
    1.1  # times the rest's roughness, that of a background may be: a plain part on a plain table is as plain as it
)
_SIDES = (np.s_[:1, :], np.s_[-1:, :], np.s_[:, :1], np.s_[:, -1:])

Planes = NDArray[np.float32]


def region_found(planes: Planes, *, tolerance: float, thinnest: int, inset: int) -> BoolArray:
    """What of planes `(P, H, W)` in [−1, 1] is no background, `(H, W)`: all where none is found, or almost nothing would be left."""
    background = np.zeros(planes.shape[1:], dtype=np.bool_)
    for part in _backgrounds(planes, tolerance, thinnest // 2):
        background |= part
    region = narrowed(_without_specks(~background), inset)
    return region if background.any() and region.mean() >= _LEAST_SHARE else np.ones_like(region)


def _backgrounds(planes: Planes, tolerance: float, width: int) -> Iterator[BoolArray]:
    """The background of each side that has one."""
    for side in _SIDES:
        seeds = np.zeros(planes.shape[1:], dtype=np.bool_)
        seeds[side] = True
        alike = _alike(planes, side, tolerance)
        # what hangs on it by a thread is texture of its colour
        part = touching(opened(touching(alike, seeds), width), seeds)
        rim = widened(part, _RIM) & ~widened(part, 1)
        if (
            _is_background(planes[0], part, alike)
            and not _alike(planes, side, _CLEARLY * tolerance)[rim].mean() > _MOST_ALIKE
        ):
            yield part


def _alike(planes: Planes, side: tuple[slice, slice], tolerance: float) -> BoolArray:
    """Pixels `(H, W)` that have, in every plane, the colour of a side within its own spread."""
    alike = np.ones(planes.shape[1:], dtype=np.bool_)
    for plane in planes:
        values = plane[side]
        middle = np.median(values)
        deviation = max(_ROBUST * float(np.median(np.abs(values - middle))), _LEAST_DEVIATION)
        alike &= np.abs(plane - middle) <= tolerance * deviation
    return alike


def _is_background(brightness: Planes, part: BoolArray, alike: BoolArray) -> bool:
    """Whether a part is no rougher than the rest and of another colour: else it is texture, whose outliers are the rest."""
    rest = ~part
    if not part.any() or rest.mean() < _LEAST_SHARE or alike[rest].mean() > _MOST_ALIKE:
        return False
    return _roughness(brightness, part) <= _PLAINER * _roughness(brightness, rest)


def _roughness(brightness: Planes, pixels: BoolArray) -> float:
    """Mean difference of neighbours that are both of the set."""
    total, count = 0.0, 0
    for axis in (0, 1):
        first, second = (np.take(pixels, np.arange(pixels.shape[axis])[part], axis) for part in (np.s_[1:], np.s_[:-1]))
        pairs = first & second
        total += float(np.abs(np.diff(brightness, axis=axis))[pairs].sum(dtype=np.float64))
        count += int(pairs.sum())
    return total / max(count, 1)


def _without_specks(pixels: BoolArray) -> BoolArray:
    """Without parts that are small beside the largest: dust on a table."""
    numbers, count = components(pixels)
    if not count:
        return pixels
    areas = np.bincount(numbers.ravel(), minlength=count + 1)
    areas[0] = 0
    return np.asarray((areas >= _LEAST_SHARE * areas.max())[numbers] & pixels)
