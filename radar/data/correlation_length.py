"""How far a texture's brightness resembles itself, in px: the scale on which a recipe's blurs and neighbourhoods are to be read."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radar.data.decoding import FloatArray

_LEVEL = 0.5  # of the autocorrelation
_DIRECTIONS = 16  # of half a turn
_STEP = 0.125  # px between the distances at which it is looked up
_WINDOW = 256  # px a side, of the middle of a picture that is larger
_Number = TypeVar("_Number", bound=np.floating)


def correlation_length(picture: FloatArray, light: int) -> float:
    """The smallest distance in px, over directions, at which the autocorrelation of a luma `(H, W)` falls to ½; NaN of a plain one.

    It is that of the differences from the mean over `light` × `light` px around, as what varies more slowly is light or shape, no
    texture, and of the middle of a picture of more than 256 px a side. At most a quarter of `light` is looked at.
    """
    seen = _middle(picture, _WINDOW + 2 * light).astype(np.float64)
    texture = _middle(seen - ndimage.uniform_filter(seen, light), _WINDOW)
    similarity = _autocorrelation(texture)
    if similarity is None:
        return float("nan")
    furthest = min(light / 4, min(texture.shape) / 2)
    distances = np.arange(0.0, furthest, _STEP)
    angles = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    places = np.stack([np.outer(np.sin(angles), distances), np.outer(np.cos(angles), distances)])
    centre = np.array([side // 2 for side in similarity.shape]).reshape(2, 1, 1)
    smallest = ndimage.map_coordinates(similarity, places + centre, order=1, mode="nearest").min(axis=0)
    below = np.flatnonzero(smallest < _LEVEL)
    return float(distances[below[0]]) if below.size else float(furthest)


def _middle(picture: NDArray[_Number], most: int) -> NDArray[_Number]:
    """That of a picture `(H, W)` with a side of more px than that."""
    rows, columns = (slice(start, start + most) for start in (max(0, (side - most) // 2) for side in picture.shape))
    return picture[rows, columns]


def _autocorrelation(texture: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """That of `(H, W)` values, `(2H, 2W)` with no shift in the middle, each shift by its own overlap; None where nothing varies.

    By the Wiener-Khinchin theorem, padded with as many zeros, so that the texture does not meet itself beyond its border.
    """
    height, width = texture.shape
    shape = (2 * height, 2 * width)
    power = np.abs(np.fft.rfft2(texture - texture.mean(), s=shape)) ** 2
    overlaps = np.abs(np.fft.rfft2(np.ones_like(texture), s=shape)) ** 2
    products, counts = (np.fft.fftshift(np.fft.irfft2(each, s=shape)) for each in (power, overlaps))
    similarity = products / np.maximum(counts, 1)
    variance = similarity[height, width]
    return None if variance <= np.finfo(np.float32).eps ** 2 else np.asarray(similarity / variance)
