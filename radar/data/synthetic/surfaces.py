"""Flawless surfaces before the camera: printed layers and a stochastic tile.

Lengths are fractions of a unit of one hundredth of the side (1 px in the 100 px images of the method), so that a scene
is alike at every side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.float64]

LENS = 0.55  # px, blur of the camera: a defect is as sharp as what it is planted on, no more


@dataclass(frozen=True, eq=False)
class Scene:
    """A surface as it is, before light and camera."""

    reflectance: FloatArray  # (H, W), about .1 to .9
    unit: float  # px, a hundredth of the side
    layer: NDArray[np.intp] | None = None  # (H, W) index of the printed layer; None where there are no layers
    phase: FloatArray | None = None  # (H, W) place across the layer, 0 its upper and 1 its lower edge
    period: float = 0.0  # px, thickness of a layer


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma_y: float, sigma_x: float) -> FloatArray:
    """Gaussian noise (H, W) of mean 0 and variance 1 with a Gaussian correlation of `sigma_y`, `sigma_x` px."""
    # The filter is periodic, so the field is drawn larger and cropped: opposite borders must not match.
    height, width = (_roomy(n, s) for n, s in zip(shape, (sigma_y, sigma_x), strict=True))
    decay_y = np.exp(-2.0 * (np.pi * sigma_y * np.fft.fftfreq(height)) ** 2)
    decay_x = np.exp(-2.0 * (np.pi * sigma_x * np.fft.fftfreq(width)) ** 2)
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    spectrum *= decay_y[:, None] * decay_x[None, : width // 2 + 1]
    variance = float(np.mean(decay_y**2) * np.mean(decay_x**2))
    field = np.fft.irfft2(spectrum, s=(height, width))[: shape[0], : shape[1]]
    return np.asarray(field / np.sqrt(variance), dtype=np.float64)


def _roomy(length: int, sigma: float) -> int:
    """A size (px) that holds `length` and four `sigma` of margin, rounded up to a multiple of 16 for a fast FFT."""
    return 16 * int(np.ceil((length + 4.0 * sigma) / 16.0))


def _printed_layers(rng: np.random.Generator, side: int) -> Scene:
    """The side of an extruded print: rounded beads in rows, each with its own thickness, waviness, tint and gloss."""
    unit = side / 100.0
    period = rng.uniform(6.7, 7.3) * unit
    count = int(np.ceil(side / period)) + 8
    x = np.arange(side, dtype=np.float64)
    # Edges of the layers (count, W), from above the image to below it.
    thickness = period * (1.0 + 0.055 * np.clip(rng.standard_normal(count), -2.0, 2.0))
    edges = np.cumsum(thickness)[:, None] - (3.0 + rng.random()) * period
    edges = edges + 0.10 * period * smooth_noise(rng, (1, side), 0.0, 18.0 * unit)
    edges = edges + 0.04 * period * smooth_noise(rng, (count, side), 0.0, 7.0 * unit)
    edges = edges + rng.uniform(-0.02, 0.02) * (x - side / 2.0)
    y = np.arange(side, dtype=np.float64)
    layer = np.clip((edges[:, None, :] <= y[None, :, None]).sum(axis=0) - 1, 0, count - 2)
    upper = np.take_along_axis(edges, layer, axis=0)
    lower = np.take_along_axis(edges, layer + 1, axis=0)
    phase = np.clip((y[:, None] - upper) / (lower - upper), 0.0, 1.0)

    height = 2.0 * phase - 1.0  # -1 at the upper edge of the bead, 1 at the lower
    front = np.sqrt(np.clip(1.0 - 0.96 * height**2, 0.0, 1.0))
    column = np.arange(side)[None, :]
    gloss = 0.17 * (
        1.0 + 0.25 * rng.standard_normal((count, 1)) + 0.30 * smooth_noise(rng, (count, side), 0.0, 5.0 * unit)
    )
    tint = 0.015 * rng.standard_normal((count, 1)) + 0.012 * smooth_noise(rng, (count, side), 0.0, 10.0 * unit)
    specular = np.exp(-(((height + 0.42) / 0.24) ** 2))
    reflectance = 0.12 + 0.36 * front - 0.07 * height * front + tint[layer, column]
    reflectance += np.clip(gloss, 0.02, 0.4)[layer, column] * specular
    reflectance += 0.012 * smooth_noise(rng, (side, side), 0.5 * unit, 1.6 * unit)  # drag marks of the nozzle
    return Scene(_focus(reflectance), unit, layer, phase, period)


def _stochastic_tile(rng: np.random.Generator, side: int) -> Scene:
    """A polished granite: crystals of three greys, dark mica, bright flecks; nothing is aligned."""
    unit = side / 100.0
    y, x = np.mgrid[:side, :side].astype(np.float64)
    y += 1.1 * unit * smooth_noise(rng, (side, side), 2.0 * unit, 2.0 * unit)
    x += 1.1 * unit * smooth_noise(rng, (side, side), 2.0 * unit, 2.0 * unit)
    coarse = _crystals(rng, y, x, 5.2 * unit)
    small = _crystals(rng, y, x, 2.6 * unit)
    chosen = smooth_noise(rng, (side, side), 3.0 * unit, 3.0 * unit) > 0.2
    reflectance = np.where(chosen, small, coarse)
    mica = _fleck(smooth_noise(rng, (side, side), 1.1 * unit, 1.1 * unit), 1.55)
    quartz = _fleck(smooth_noise(rng, (side, side), 1.0 * unit, 1.0 * unit), 1.8)
    reflectance += 0.7 * mica * (0.20 - reflectance)
    reflectance += 0.6 * quartz * (0.78 - reflectance)
    return Scene(_focus(reflectance, 0.7), unit)


def _crystals(rng: np.random.Generator, y: FloatArray, x: FloatArray, size: float) -> FloatArray:
    """Grey (H, W) of the nearest of scattered seeds, one seed in each square of `size` px."""
    row, column = np.floor(y / size).astype(np.intp), np.floor(x / size).astype(np.intp)
    row_0, column_0 = int(row.min()) - 1, int(column.min()) - 1
    grid = (int(row.max()) - row_0 + 2, int(column.max()) - column_0 + 2)
    seed_y = (np.arange(grid[0])[:, None] + row_0 + rng.random(grid)) * size
    seed_x = (np.arange(grid[1])[None, :] + column_0 + rng.random(grid)) * size
    mineral = rng.choice([0.62, 0.51, 0.37], size=grid, p=[0.50, 0.32, 0.18])
    grey = mineral + 0.045 * rng.standard_normal(grid)
    nearest = np.full(y.shape, np.inf)
    result = np.zeros(y.shape)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            at = (row - row_0 + down, column - column_0 + right)
            distance = (y - seed_y[at]) ** 2 + (x - seed_x[at]) ** 2
            closer = distance < nearest
            nearest = np.where(closer, distance, nearest)
            result = np.where(closer, grey[at], result)
    return result


def _fleck(noise: FloatArray, level: float) -> FloatArray:
    """Opacity (H, W) of the peaks of a noise above `level`."""
    return np.asarray(np.clip((noise - level) / 0.35 + 0.5, 0.0, 1.0), dtype=np.float64)


def _focus(reflectance: FloatArray, blur: float = LENS) -> FloatArray:
    """The surface through a lens of ordinary sharpness: without it, edges would be jagged."""
    return np.asarray(ndimage.gaussian_filter(reflectance, blur, mode="nearest"), dtype=np.float64)


SURFACES: dict[str, Callable[[np.random.Generator, int], Scene]] = {
    "printed_layers": _printed_layers,
    "stochastic_tile": _stochastic_tile,
}
