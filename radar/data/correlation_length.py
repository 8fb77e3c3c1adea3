"""How far a texture's brightness resembles itself, in px: the scale on which a recipe's blurs and neighbourhoods are to be read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radar.data.decoding import BoolArray, FloatArray

_LEVEL = 0.5  # of the autocorrelation
_DIRECTIONS = 16  # of half a turn
_STEP = 0.125  # px between the distances at which it is looked up
_WINDOW = 256  # px a side, of what is looked at of a picture that is larger
_LEAST_PAIRS = 0.25  # of a region's pixels: a distance at which fewer meet others tells nothing
_TINY = 1e-9  # of a window's pixels: less than any that lies inside
_GRID = 8  # px a side, of the blocks by whose pixels the place of that window is found


def correlation_length(picture: FloatArray, light: int, inside: BoolArray | None = None) -> float:
    """The smallest distance in px, over directions, at which the autocorrelation of a luma `(H, W)` falls to ½; NaN of a plain one.

    It is that of the differences from the mean over `light` × `light` px around, as what varies more slowly is light or shape, no
    texture, and of the middle of a picture of more than 256 px a side. Of a region, `inside` `(H, W)`, its own pixels alone take
    part, those of the window that holds most of them; NaN, too, of one that is too thin. At most a quarter of `light` is looked at.
    """
    wide = _window(picture.shape, inside, _WINDOW + 2 * light)
    seen = picture[wide]
    counted = np.ones(seen.shape, dtype=np.bool_) if inside is None else inside[wide]
    weights = counted.astype(np.float64)
    around = ndimage.uniform_filter(seen * weights, light) / np.maximum(ndimage.uniform_filter(weights, light), _TINY)
    window = _window(seen.shape, None if inside is None else counted, _WINDOW)
    texture = (seen - around)[window]
    similarity = _autocorrelation(texture, weights[window])
    if similarity is None:
        return float("nan")
    furthest = min(light / 4, min(texture.shape) / 2)
    distances = np.arange(0.0, furthest, _STEP)
    angles = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    places = np.stack([np.outer(np.sin(angles), distances), np.outer(np.cos(angles), distances)])
    centre = np.array([side // 2 for side in similarity.shape]).reshape(2, 1, 1)
    along = ndimage.map_coordinates(similarity, places + centre, order=1, mode="nearest")
    smallest = np.fmin.reduce(along, axis=0)  # of the directions in which there are pairs enough
    below = np.flatnonzero(smallest < _LEVEL)
    if below.size:
        return float(distances[below[0]])
    return float("nan") if np.isnan(smallest).any() else float(furthest)


def _window(shape: tuple[int, ...], inside: BoolArray | None, most: int) -> tuple[slice, slice]:
    """Rows and columns of a picture, at most so many, with about the most pixels of its region `(H, W)`; without one, the middle."""
    height, width = shape
    row, column = height // 2, width // 2
    if inside is not None and not inside.all() and max(height, width) > most:
        down, across = (np.arange(0, side, _GRID) for side in shape)
        blocks = np.add.reduceat(np.add.reduceat(inside, down, axis=0, dtype=np.int32), across, axis=1)
        held = ndimage.uniform_filter(blocks.astype(np.float64), most // _GRID, mode="constant")
        row, column = (_GRID * int(place) + _GRID // 2 for place in np.unravel_index(held.argmax(), held.shape))
    starts = (min(max(0, middle - most // 2), max(0, side - most)) for middle, side in ((row, height), (column, width)))
    rows, columns = (slice(start, start + most) for start in starts)
    return rows, columns


def _autocorrelation(texture: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """That of `(H, W)` values where `weights` are 1, not 0: `(2H, 2W)` with no shift in the middle, each shift by its own overlap, and
    NaN where too little overlaps; None where nothing varies.

    By the Wiener-Khinchin theorem, padded with as many zeros, so that the texture does not meet itself beyond its border.
    """
    height, width = texture.shape
    shape, inside = (2 * height, 2 * width), weights.sum()
    if not inside:
        return None
    centred = weights * (texture - (weights * texture).sum() / inside)
    power, overlaps = (np.abs(np.fft.rfft2(each, s=shape)) ** 2 for each in (centred, weights))
    products, counts = (np.fft.fftshift(np.fft.irfft2(each, s=shape)) for each in (power, overlaps))
    similarity = products / np.maximum(counts, 1)
    variance = similarity[height, width]
    if variance <= np.finfo(np.float32).eps ** 2:
        return None
    return np.where(counts < _LEAST_PAIRS * inside, np.nan, similarity / variance)
