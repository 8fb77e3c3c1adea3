"""Shapes that defects are made of, as opacities `(H, W)` in [0, 1], and coordinates to draw them in."""

from __future__ import annotations

import numpy as np

from radar.data.synthetic.surfaces import FloatArray, Scene, smooth_noise


def smooth_step(value: FloatArray) -> FloatArray:
    """Smooth step: 0 below 0, 1 above 1."""
    clipped = np.clip(value, 0.0, 1.0)
    return np.asarray(clipped * clipped * (3.0 - 2.0 * clipped), dtype=np.float64)


def random_axes(
    scene: Scene, rng: np.random.Generator, angle: float, margin: float = 0.2
) -> tuple[FloatArray, FloatArray]:
    """Coordinates (H, W), in units, along and across a line at `angle` (rad) through a random place of the image."""
    height, width = scene.reflectance.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    y -= rng.uniform(margin, 1.0 - margin) * (height - 1)
    x -= rng.uniform(margin, 1.0 - margin) * (width - 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    return (cosine * x + sine * y) / scene.unit, (cosine * y - sine * x) / scene.unit


def random_curve(
    rng: np.random.Generator, along: FloatArray, scales: list[tuple[float, float]]
) -> tuple[FloatArray, FloatArray]:
    """A random curve over `along` (H, W): its offset and its slope; `scales` are (correlation, amplitude) in units."""
    grid = np.arange(-160.0, 161.0)
    curve = np.zeros(grid.size)
    for length, amplitude in scales:
        curve += amplitude * smooth_noise(rng, (1, grid.size), 0.0, length)[0]
    curve -= curve[160]
    return np.interp(along, grid, curve), np.interp(along, grid, np.gradient(curve))


def stroke(scene: Scene, across: FloatArray, slope: FloatArray, width: FloatArray | float) -> FloatArray:
    """Anti-aliased opacity (H, W) of a curve `width` units thick, never thinner than a pixel."""
    distance = np.abs(across) * scene.unit / np.sqrt(1.0 + slope**2)
    half = np.maximum(0.5 * np.asarray(width) * scene.unit, 0.5)
    return np.asarray(np.clip(half + 0.5 - distance, 0.0, 1.0), dtype=np.float64)


def ragged_ellipse(
    scene: Scene, rng: np.random.Generator, axes: tuple[float, float], soft: float, ragged: float
) -> FloatArray:
    """Opacity (H, W) of an irregular ellipse: half-axes in units, the longer first; `soft` is its border's width."""
    length, width = axes
    along, across = random_axes(scene, rng, rng.uniform(0.0, np.pi))
    grain = width * 0.5 * scene.unit
    edge = ragged * smooth_noise(rng, scene.reflectance.shape, grain, grain)
    return smooth_step((1.0 - np.hypot(along / length, across / width) + edge) / soft)


def tapered_ends(along: FloatArray, length: float, taper: float) -> FloatArray:
    """1 along a stroke of `length` units, falling to 0 over `taper` units at both ends."""
    return smooth_step((0.5 * length - np.abs(along)) / taper)
