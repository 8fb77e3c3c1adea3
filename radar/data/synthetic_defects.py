"""Scenes before the camera and the defects planted in them, for the drawn data sets of `radar.data.synthetic`.

Lengths are fractions of a unit of one hundredth of the side (1 px in the 100 px images of the method), so that a scene
is alike at every side. A defect is an opacity and what lies under it; it never touches a pixel where the opacity is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.float64]

LENS = 0.55  # px, blur of the camera: a defect is as sharp as what it is planted on, no more
VISIBLE = 0.12  # opacity below which a defect is dropped: what is left of it would drown in the grain
LARGEST = 0.14  # share of the image that one defect may cover


@dataclass(frozen=True, eq=False)
class Scene:
    """A surface as it is, before light and camera."""

    reflectance: FloatArray  # (H, W), about .1 to .9
    unit: float  # px, a hundredth of the side
    layer: NDArray[np.intp] | None = None  # (H, W) index of the printed layer; None where there are no layers
    phase: FloatArray | None = None  # (H, W) place across the layer, 0 its upper and 1 its lower edge
    period: float = 0.0  # px, thickness of a layer


Planted = tuple[FloatArray, FloatArray]  # opacity in [0, 1] and the altered reflectance, both (H, W)
DefectDrawer = Callable[[Scene, np.random.Generator], Planted]


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


def plant(
    scene: Scene, drawer: DefectDrawer, rng: np.random.Generator, contrast: float
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The reflectance (H, W) with one defect in it, `contrast` times as strong as designed, and its mask (H, W)."""
    opacity, altered = drawer(scene, rng)
    # The outline alone: what shows the surface itself (oil, a shift) has been through the lens already.
    opacity = np.asarray(ndimage.gaussian_filter(opacity, LENS, mode="nearest"), dtype=np.float64)
    level = max(VISIBLE, float(np.quantile(opacity, 1.0 - LARGEST)))
    mask = opacity > min(level, 0.5 * float(opacity.max()))
    change = contrast * np.where(mask, opacity, 0.0) * (altered - scene.reflectance)
    return np.clip(scene.reflectance + change, 0.02, 1.1), mask


# --- shapes -----------------------------------------------------------------------------------------------------------


def _ramp(value: FloatArray) -> FloatArray:
    """Smooth step: 0 below 0, 1 above 1."""
    clipped = np.clip(value, 0.0, 1.0)
    return np.asarray(clipped * clipped * (3.0 - 2.0 * clipped), dtype=np.float64)


def _axes(scene: Scene, rng: np.random.Generator, angle: float, margin: float = 0.2) -> tuple[FloatArray, FloatArray]:
    """Coordinates (H, W), in units, along and across a line at `angle` (rad) through a random place of the image."""
    height, width = scene.reflectance.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    y -= rng.uniform(margin, 1.0 - margin) * (height - 1)
    x -= rng.uniform(margin, 1.0 - margin) * (width - 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    return (cosine * x + sine * y) / scene.unit, (cosine * y - sine * x) / scene.unit


def _meander(
    rng: np.random.Generator, along: FloatArray, scales: list[tuple[float, float]]
) -> tuple[FloatArray, FloatArray]:
    """A random curve over `along` (H, W): its offset and its slope; `scales` are (correlation, amplitude) in units."""
    grid = np.arange(-160.0, 161.0)
    curve = np.zeros(grid.size)
    for length, amplitude in scales:
        curve += amplitude * smooth_noise(rng, (1, grid.size), 0.0, length)[0]
    curve -= curve[160]
    return np.interp(along, grid, curve), np.interp(along, grid, np.gradient(curve))


def _line(scene: Scene, across: FloatArray, slope: FloatArray, width: FloatArray | float) -> FloatArray:
    """Anti-aliased opacity (H, W) of a curve `width` units thick, never thinner than a pixel."""
    distance = np.abs(across) * scene.unit / np.sqrt(1.0 + slope**2)
    half = np.maximum(0.5 * np.asarray(width) * scene.unit, 0.5)
    return np.asarray(np.clip(half + 0.5 - distance, 0.0, 1.0), dtype=np.float64)


def _patch(scene: Scene, rng: np.random.Generator, axes: tuple[float, float], soft: float, ragged: float) -> FloatArray:
    """Opacity (H, W) of an irregular ellipse: half-axes in units, the longer first; `soft` is its border's width."""
    length, width = axes
    along, across = _axes(scene, rng, rng.uniform(0.0, np.pi))
    grain = width * 0.5 * scene.unit
    edge = ragged * smooth_noise(rng, scene.reflectance.shape, grain, grain)
    return _ramp((1.0 - np.hypot(along / length, across / width) + edge) / soft)


def _ends(along: FloatArray, length: float, taper: float) -> FloatArray:
    """1 along a stroke of `length` units, falling to 0 over `taper` units at both ends."""
    return _ramp((0.5 * length - np.abs(along)) / taper)


# --- printed layers ---------------------------------------------------------------------------------------------------


def under_extrusion(scene: Scene, rng: np.random.Generator) -> Planted:
    """A stretch of a layer or two that is starved of material: the bead thins to a thread beside a dark gap."""
    assert scene.layer is not None and scene.phase is not None
    along, _ = _axes(scene, rng, 0.0)
    height = scene.reflectance.shape[0]
    row = int(rng.uniform(0.2, 0.8) * height)
    column = int(np.argmin(np.abs(along[0])))
    first = scene.layer[row, column]
    count = int(rng.integers(1, 3))
    chosen = (scene.layer >= first) & (scene.layer < first + count)
    length = rng.uniform(26.0, 44.0) / np.sqrt(count)
    # Each layer starves and recovers at its own place.
    late = rng.normal(0.0, 3.0, int(scene.layer.max()) + 1)[scene.layer]
    wander = 1.2 * smooth_noise(rng, scene.reflectance.shape, 2.0 * scene.period, 2.5 * scene.unit)
    starved = _ramp((0.5 * length - np.abs(along - late) + wander) / 9.0)
    thread = 1.0 - starved * (0.66 + 0.10 * smooth_noise(rng, scene.reflectance.shape, scene.period, 3.0 * scene.unit))
    gap = _ramp((np.abs(scene.phase - rng.uniform(0.3, 0.7)) - 0.5 * thread) / 0.2 + 0.5)
    dark = 0.19 + 0.03 * smooth_noise(rng, scene.reflectance.shape, scene.unit, 2.0 * scene.unit)
    return chosen * starved * (0.3 + 0.7 * gap), dark


def blob(scene: Scene, rng: np.random.Generator) -> Planted:
    """A drop of surplus material: lit from above, in its own shadow below."""
    length, width = rng.uniform(3.6, 8.0), rng.uniform(3.0, 4.8)
    along, across = _axes(scene, rng, rng.uniform(-0.3, 0.3))
    uneven = 0.10 * smooth_noise(rng, scene.reflectance.shape, 2.5 * scene.unit, 2.5 * scene.unit)
    radius = np.hypot(along / length, across / width) + uneven
    tilt = across / width
    light = 0.50 - 0.17 * tilt - 0.20 * np.clip(radius, 0.0, 1.2) ** 4
    light += 0.34 * np.exp(-(((along / length + 0.15) / 0.40) ** 2) - ((tilt + 0.40) / 0.22) ** 2)
    body = _ramp((1.0 - radius) / 0.22 + 0.5)
    shadow = 0.6 * _ramp((1.25 - np.hypot(along / length, (across / width - 0.35))) / 0.5)
    return np.maximum(body, shadow), body * light + (1.0 - body) * 0.18


def stringing(scene: Scene, rng: np.random.Generator) -> Planted:
    """A thin, half-transparent hair of plastic that hangs across the layers."""
    along, across = _axes(scene, rng, rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 1.5), margin=0.3)
    offset, slope = _meander(rng, along, [(25.0, 5.0), (8.0, 0.8)])
    length = rng.uniform(45.0, 80.0)
    thickness = 1.1 + 0.3 * _meander(rng, along, [(6.0, 1.0)])[0]
    opacity = _line(scene, across - offset, slope, thickness) * _ends(along, length, 6.0)
    light = rng.uniform(0.66, 0.76) + 0.06 * _meander(rng, along, [(5.0, 1.0)])[0]
    return 0.75 * opacity, light


def layer_shift(scene: Scene, rng: np.random.Generator) -> Planted:
    """A few layers displaced by about half a layer over a short stretch."""
    along, across = _axes(scene, rng, 0.0, margin=0.28)
    width, height = rng.uniform(11.0, 19.0), rng.uniform(12.0, 16.0)
    # Steps at the sides, where the head stalled; above and below, the layers close the gap by and by.
    steps = _ramp((width - along) / rng.uniform(2.0, 9.0)) * _ramp((width + along) / rng.uniform(2.0, 9.0))
    field = steps * _ramp((height - np.abs(across)) / (0.85 * height))
    drop = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 0.6) * scene.period
    y, x = np.mgrid[: field.shape[0], : field.shape[1]].astype(np.float64)
    moved = ndimage.map_coordinates(scene.reflectance, [y - drop * field, x], order=1, mode="nearest")
    # The displacement fades out by itself: opacity only says where it is worth a mask.
    return np.minimum(1.0, field / 0.4), np.asarray(moved, dtype=np.float64)


def scratch(scene: Scene, rng: np.random.Generator) -> Planted:
    """A straight score across the surface: a dark furrow with a bright burr on one side."""
    along, across = _axes(scene, rng, rng.choice([-1.0, 1.0]) * rng.uniform(0.25, 1.3))
    offset, slope = _meander(rng, along, [(40.0, 2.0), (3.0, 0.15)])
    ends = _ends(along, rng.uniform(22.0, 50.0), 8.0)
    pressure = ends * np.clip(0.85 + 0.2 * _meander(rng, along, [(4.0, 1.0)])[0], 0.3, 1.0)
    furrow = _line(scene, across - offset, slope, 1.3)
    burr = _line(scene, across - offset - 1.3, slope, 0.9)
    return np.maximum(furrow, 0.7 * burr) * pressure, np.where(furrow >= burr, 0.24, 0.74)


# --- stochastic tile --------------------------------------------------------------------------------------------------


def crack(scene: Scene, rng: np.random.Generator) -> Planted:
    """A thin, dark, jagged line, often with a branch."""
    angle = rng.uniform(0.0, np.pi)
    along, across = _axes(scene, rng, angle, margin=0.3)
    offset, slope = _meander(rng, along, [(12.0, 3.0), (3.0, 0.9), (1.0, 0.3)])
    length = rng.uniform(40.0, 75.0)
    thickness = 1.3 + 0.4 * _meander(rng, along, [(4.0, 1.0)])[0]
    opacity = _line(scene, across - offset, slope, thickness) * _ends(along, length, 10.0)
    if rng.random() < 0.6:
        lean = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 0.9)
        start = rng.uniform(-0.3, 0.1) * length
        wiggle, branch_slope = _meander(rng, along - start, [(4.0, 0.9)])
        line = _line(scene, across - offset - lean * (along - start) - wiggle, slope + lean + branch_slope, 1.0)
        reach = _ramp((0.3 * length - (along - start)) / 8.0) * (along >= start)
        opacity = np.maximum(opacity, 0.85 * line * reach)
    return 0.9 * opacity, np.full_like(opacity, 0.05)


def glue_strip(scene: Scene, rng: np.random.Generator) -> Planted:
    """A smear of milky glue: the speckle fades under it, its wrinkles catch the light."""
    shape = _patch(scene, rng, (rng.uniform(18.0, 27.0), rng.uniform(5.5, 8.0)), 0.28, 0.12)
    skin = smooth_noise(rng, shape.shape, 2.2 * scene.unit, 2.2 * scene.unit)
    wrinkle = np.exp(-((skin / 0.12) ** 2))  # the zero crossings of a noise are thin, closed curves
    rim = _ramp(4.0 * shape * (1.0 - shape))
    milk = rng.uniform(0.62, 0.70) - 0.03 * skin
    return 0.85 * shape, milk + 0.16 * rim + 0.16 * wrinkle


def oil(scene: Scene, rng: np.random.Generator) -> Planted:
    """A soft stain: the stone drinks the oil and darkens, its darkest ring at the border."""
    shape = _patch(scene, rng, (rng.uniform(12.0, 19.0), rng.uniform(8.0, 13.0)), 0.40, 0.14)
    strength = rng.uniform(0.30, 0.42) * (1.0 + 0.35 * 4.0 * shape * (1.0 - shape))
    return shape, scene.reflectance * (1.0 - strength)


def rough(scene: Scene, rng: np.random.Generator) -> Planted:
    """A place where the polish is gone: the crystals vanish in a matt grain, finer than they are."""
    shape = _patch(scene, rng, (rng.uniform(13.0, 19.0), rng.uniform(9.0, 13.0)), 0.22, 0.2)
    mean = float(scene.reflectance.mean())
    fine = smooth_noise(rng, shape.shape, 0.62 * scene.unit, 0.62 * scene.unit)
    pits = _ramp((smooth_noise(rng, shape.shape, 0.9 * scene.unit, 0.9 * scene.unit) - 1.2) / 0.3)
    return 0.95 * shape, mean - 0.02 + 0.075 * fine - 0.17 * pits


def gray_stroke(scene: Scene, rng: np.random.Generator) -> Planted:
    """A brush stroke of flat grey paint with the streaks of the bristles."""
    angle = rng.uniform(0.0, np.pi)
    along, across = _axes(scene, rng, angle, margin=0.28)
    offset, _ = _meander(rng, along, [(30.0, 4.0)])
    width, length = rng.uniform(7.0, 10.0), rng.uniform(34.0, 54.0)
    lane = across - offset
    streak, _ = _meander(rng, 4.0 * lane, [(2.2, 1.0)])  # the curve is drawn at whole steps, a bristle is finer
    ends = _ramp((0.5 * length - np.abs(along) + 2.5 * streak) / 5.0)
    body = _ramp((0.5 * width - np.abs(lane)) / 1.2) * ends
    return body * np.clip(0.92 + 0.08 * streak, 0.4, 1.0), rng.uniform(0.36, 0.46) + 0.08 * streak


DEFECTS: dict[str, dict[str, DefectDrawer]] = {
    "printed_layers": {f.__name__: f for f in (under_extrusion, blob, stringing, layer_shift, scratch)},
    "stochastic_tile": {f.__name__: f for f in (crack, glue_strip, oil, rough, gray_stroke)},
}
