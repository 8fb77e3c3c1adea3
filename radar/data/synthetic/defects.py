"""Defects and how they are planted: each is an opacity and what lies under it.

No pixel is touched where the opacity is 0. Lengths are in units of the scene.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radar.data.synthetic.shapes import ragged_ellipse, random_axes, random_curve, smooth_step, stroke, tapered_ends
from radar.data.synthetic.surfaces import LENS, FloatArray, Scene, smooth_noise

VISIBLE = 0.12  # opacity below which a defect is dropped: what is left of it would drown in the grain
LARGEST = 0.14  # share of the image that one defect may cover

Planted = tuple[FloatArray, FloatArray]  # opacity in [0, 1] and the altered reflectance, both (H, W)
DefectDrawer = Callable[[Scene, np.random.Generator], Planted]


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


# --- printed layers ---------------------------------------------------------------------------------------------------


def under_extrusion(scene: Scene, rng: np.random.Generator) -> Planted:
    """A stretch of a layer or two that is starved of material: the bead thins to a thread beside a dark gap."""
    if scene.layer is None or scene.phase is None:
        raise ValueError("a surface without layers cannot be under-extruded")
    along, _ = random_axes(scene, rng, 0.0)
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
    starved = smooth_step((0.5 * length - np.abs(along - late) + wander) / 9.0)
    thread = 1.0 - starved * (0.66 + 0.10 * smooth_noise(rng, scene.reflectance.shape, scene.period, 3.0 * scene.unit))
    gap = smooth_step((np.abs(scene.phase - rng.uniform(0.3, 0.7)) - 0.5 * thread) / 0.2 + 0.5)
    dark = 0.19 + 0.03 * smooth_noise(rng, scene.reflectance.shape, scene.unit, 2.0 * scene.unit)
    return chosen * starved * (0.3 + 0.7 * gap), dark


def blob(scene: Scene, rng: np.random.Generator) -> Planted:
    """A drop of surplus material: lit from above, in its own shadow below."""
    length, width = rng.uniform(3.6, 8.0), rng.uniform(3.0, 4.8)
    along, across = random_axes(scene, rng, rng.uniform(-0.3, 0.3))
    uneven = 0.10 * smooth_noise(rng, scene.reflectance.shape, 2.5 * scene.unit, 2.5 * scene.unit)
    radius = np.hypot(along / length, across / width) + uneven
    tilt = across / width
    light = 0.50 - 0.17 * tilt - 0.20 * np.clip(radius, 0.0, 1.2) ** 4
    light += 0.34 * np.exp(-(((along / length + 0.15) / 0.40) ** 2) - ((tilt + 0.40) / 0.22) ** 2)
    body = smooth_step((1.0 - radius) / 0.22 + 0.5)
    shadow = 0.6 * smooth_step((1.25 - np.hypot(along / length, (across / width - 0.35))) / 0.5)
    return np.maximum(body, shadow), body * light + (1.0 - body) * 0.18


def stringing(scene: Scene, rng: np.random.Generator) -> Planted:
    """A thin, half-transparent hair of plastic that hangs across the layers."""
    along, across = random_axes(scene, rng, rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 1.5), margin=0.3)
    offset, slope = random_curve(rng, along, [(25.0, 5.0), (8.0, 0.8)])
    length = rng.uniform(45.0, 80.0)
    thickness = 1.1 + 0.3 * random_curve(rng, along, [(6.0, 1.0)])[0]
    opacity = stroke(scene, across - offset, slope, thickness) * tapered_ends(along, length, 6.0)
    light = rng.uniform(0.66, 0.76) + 0.06 * random_curve(rng, along, [(5.0, 1.0)])[0]
    return 0.75 * opacity, light


def layer_shift(scene: Scene, rng: np.random.Generator) -> Planted:
    """A few layers displaced by about half a layer over a short stretch."""
    along, across = random_axes(scene, rng, 0.0, margin=0.28)
    width, height = rng.uniform(11.0, 19.0), rng.uniform(12.0, 16.0)
    # Steps at the sides, where the head stalled; above and below, the layers close the gap by and by.
    steps = smooth_step((width - along) / rng.uniform(2.0, 9.0)) * smooth_step((width + along) / rng.uniform(2.0, 9.0))
    field = steps * smooth_step((height - np.abs(across)) / (0.85 * height))
    drop = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 0.6) * scene.period
    y, x = np.mgrid[: field.shape[0], : field.shape[1]].astype(np.float64)
    moved = ndimage.map_coordinates(scene.reflectance, [y - drop * field, x], order=1, mode="nearest")
    # The displacement fades out by itself: opacity only says where it is worth a mask.
    return np.minimum(1.0, field / 0.4), np.asarray(moved, dtype=np.float64)


def scratch(scene: Scene, rng: np.random.Generator) -> Planted:
    """A straight score across the surface: a dark furrow with a bright burr on one side."""
    along, across = random_axes(scene, rng, rng.choice([-1.0, 1.0]) * rng.uniform(0.25, 1.3))
    offset, slope = random_curve(rng, along, [(40.0, 2.0), (3.0, 0.15)])
    ends = tapered_ends(along, rng.uniform(22.0, 50.0), 8.0)
    pressure = ends * np.clip(0.85 + 0.2 * random_curve(rng, along, [(4.0, 1.0)])[0], 0.3, 1.0)
    furrow = stroke(scene, across - offset, slope, 1.3)
    burr = stroke(scene, across - offset - 1.3, slope, 0.9)
    return np.maximum(furrow, 0.7 * burr) * pressure, np.where(furrow >= burr, 0.24, 0.74)


# --- stochastic tile --------------------------------------------------------------------------------------------------


def crack(scene: Scene, rng: np.random.Generator) -> Planted:
    """A thin, dark, jagged line, often with a branch."""
    angle = rng.uniform(0.0, np.pi)
    along, across = random_axes(scene, rng, angle, margin=0.3)
    offset, slope = random_curve(rng, along, [(12.0, 3.0), (3.0, 0.9), (1.0, 0.3)])
    length = rng.uniform(40.0, 75.0)
    thickness = 1.3 + 0.4 * random_curve(rng, along, [(4.0, 1.0)])[0]
    opacity = stroke(scene, across - offset, slope, thickness) * tapered_ends(along, length, 10.0)
    if rng.random() < 0.6:
        lean = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 0.9)
        start = rng.uniform(-0.3, 0.1) * length
        wiggle, branch_slope = random_curve(rng, along - start, [(4.0, 0.9)])
        line = stroke(scene, across - offset - lean * (along - start) - wiggle, slope + lean + branch_slope, 1.0)
        reach = smooth_step((0.3 * length - (along - start)) / 8.0) * (along >= start)
        opacity = np.maximum(opacity, 0.85 * line * reach)
    return 0.9 * opacity, np.full_like(opacity, 0.05)


def glue_strip(scene: Scene, rng: np.random.Generator) -> Planted:
    """A smear of milky glue: the speckle fades under it, its wrinkles catch the light."""
    shape = ragged_ellipse(scene, rng, (rng.uniform(18.0, 27.0), rng.uniform(5.5, 8.0)), 0.28, 0.12)
    skin = smooth_noise(rng, shape.shape, 2.2 * scene.unit, 2.2 * scene.unit)
    wrinkle = np.exp(-((skin / 0.12) ** 2))  # the zero crossings of a noise are thin, closed curves
    rim = smooth_step(4.0 * shape * (1.0 - shape))
    milk = rng.uniform(0.62, 0.70) - 0.03 * skin
    return 0.85 * shape, milk + 0.16 * rim + 0.16 * wrinkle


def oil(scene: Scene, rng: np.random.Generator) -> Planted:
    """A soft stain: the stone drinks the oil and darkens, its darkest ring at the border."""
    shape = ragged_ellipse(scene, rng, (rng.uniform(12.0, 19.0), rng.uniform(8.0, 13.0)), 0.40, 0.14)
    strength = rng.uniform(0.30, 0.42) * (1.0 + 0.35 * 4.0 * shape * (1.0 - shape))
    return shape, scene.reflectance * (1.0 - strength)


def rough(scene: Scene, rng: np.random.Generator) -> Planted:
    """A place where the polish is gone: the crystals vanish in a matt grain, finer than they are."""
    shape = ragged_ellipse(scene, rng, (rng.uniform(13.0, 19.0), rng.uniform(9.0, 13.0)), 0.22, 0.2)
    mean = float(scene.reflectance.mean())
    fine = smooth_noise(rng, shape.shape, 0.62 * scene.unit, 0.62 * scene.unit)
    pits = smooth_step((smooth_noise(rng, shape.shape, 0.9 * scene.unit, 0.9 * scene.unit) - 1.2) / 0.3)
    return 0.95 * shape, mean - 0.02 + 0.075 * fine - 0.17 * pits


def gray_stroke(scene: Scene, rng: np.random.Generator) -> Planted:
    """A brush stroke of flat grey paint with the streaks of the bristles."""
    angle = rng.uniform(0.0, np.pi)
    along, across = random_axes(scene, rng, angle, margin=0.28)
    offset, _ = random_curve(rng, along, [(30.0, 4.0)])
    width, length = rng.uniform(7.0, 10.0), rng.uniform(34.0, 54.0)
    lane = across - offset
    streak, _ = random_curve(rng, 4.0 * lane, [(2.2, 1.0)])  # the curve is drawn at whole steps, a bristle is finer
    ends = smooth_step((0.5 * length - np.abs(along) + 2.5 * streak) / 5.0)
    body = smooth_step((0.5 * width - np.abs(lane)) / 1.2) * ends
    return body * np.clip(0.92 + 0.08 * streak, 0.4, 1.0), rng.uniform(0.36, 0.46) + 0.08 * streak


DEFECTS: dict[str, dict[str, DefectDrawer]] = {
    "printed_layers": {f.__name__: f for f in (under_extrusion, blob, stringing, layer_shift, scratch)},
    "stochastic_tile": {f.__name__: f for f in (crack, glue_strip, oil, rough, gray_stroke)},
}
