"""Drawn inspection images with planted, masked defects: printed layers and a stochastic tile.

Every image is a function of (seed, texture, part, index) alone, so a larger set holds the smaller one unchanged.
Exposure, light and texture contrast vary from image to image by more than a defect changes them: brightness does not
give a defect away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radar.config.fields import choice, number
from radar.data.synthetic_defects import DEFECTS, LENS, FloatArray, Scene, plant, smooth_noise

Part = Literal["train", "normal", "defective"]  # a set of images with its own numbering

# Numbers in the seed, not names: renaming must not redraw. Never reuse one.
_TEXTURE_KEYS = {"printed_layers": 0, "stochastic_tile": 1}
_PART_KEYS: dict[Part, int] = {"train": 0, "normal": 1, "defective": 2}
_SCENE, _DEFECT, _CAMERA = 0, 1, 2


@dataclass
class SyntheticSettings:
    """A drawn data set."""

    texture: str = choice("printed_layers", "stochastic_tile")
    seed: int = number(minimum=0)  # draws the whole set; independent of the experiment's seed
    side: int = number(minimum=32)  # px
    train: int = number(minimum=2)  # normal images, validation included
    test_normal: int = number(minimum=1)
    test_defective: int = number(minimum=1)
    contrast: float = number(above=0.0)  # strength of the planted defects, 1 = as designed


@dataclass(frozen=True, eq=False)
class DrawnImage:
    """One drawn image with its truth; `path` is what an MVTec folder would call it."""

    path: str
    image: NDArray[np.uint8]  # (H, W)
    mask: NDArray[np.bool_] | None  # (H, W), True on the defect; None for a normal image
    label: int  # 0 normal, 1 defective
    defect: str  # "good" for a normal image
    split: Literal["train", "test"]


def draw_synthetic(settings: SyntheticSettings) -> list[DrawnImage]:
    """The whole set: training normals, test normals, then test defectives with their kinds in turn."""
    sizes: dict[Part, int] = {
        "train": settings.train,
        "normal": settings.test_normal,
        "defective": settings.test_defective,
    }
    return [draw_image(settings, part, index) for part, size in sizes.items() for index in range(size)]


def draw_image(settings: SyntheticSettings, part: Part, index: int) -> DrawnImage:
    """Image number `index` of one part of the set."""
    scene = _draw_scene(settings, part, index)
    if part != "defective":
        split: Literal["train", "test"] = "train" if part == "train" else "test"
        picture = _photograph(scene, scene.reflectance, _stream(settings, part, index, _CAMERA))
        return DrawnImage(f"{split}/good/{index:03d}.png", picture, None, 0, "good", split)
    kinds = list(DEFECTS[settings.texture])
    kind = kinds[index % len(kinds)]
    drawer = DEFECTS[settings.texture][kind]
    reflectance, mask = plant(scene, drawer, _stream(settings, part, index, _DEFECT), settings.contrast)
    picture = _photograph(scene, reflectance, _stream(settings, part, index, _CAMERA))
    return DrawnImage(f"test/{kind}/{index // len(kinds):03d}.png", picture, mask, 1, kind, "test")


def draw_flawless(settings: SyntheticSettings, part: Part, index: int) -> NDArray[np.uint8]:
    """The same surface in the same light without its defect, (H, W): equal to the image wherever its mask is False."""
    scene = _draw_scene(settings, part, index)
    return _photograph(scene, scene.reflectance, _stream(settings, part, index, _CAMERA))


def _stream(settings: SyntheticSettings, part: Part, index: int, purpose: int) -> np.random.Generator:
    """The random numbers of one image for one purpose; purposes are apart so that a defect leaves its surface alone."""
    key = (_TEXTURE_KEYS[settings.texture], _PART_KEYS[part], index, purpose)
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=key))


def _draw_scene(settings: SyntheticSettings, part: Part, index: int) -> Scene:
    """The flawless surface of one image."""
    return _TEXTURES[settings.texture](_stream(settings, part, index, _SCENE), settings.side)


def _photograph(scene: Scene, reflectance: FloatArray, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A grey photograph (H, W) of a surface; pixel by pixel, so that a change of one leaves its neighbours alone."""
    side = reflectance.shape[0]
    place = np.linspace(-0.5, 0.5, side)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    slope = rng.uniform(0.0, 0.16)
    light = 1.0 + slope * (np.cos(angle) * place[None, :] + np.sin(angle) * place[:, None])
    light += 0.025 * smooth_noise(rng, (side, side), 25.0 * scene.unit, 25.0 * scene.unit)
    exposure = np.exp(rng.uniform(-0.17, 0.17))
    contrast = rng.uniform(0.82, 1.15)  # lenses flare, surfaces differ in gloss
    grain = rng.uniform(0.010, 0.013) * rng.standard_normal((side, side))
    grey = exposure * light * (0.5 + contrast * (reflectance - 0.5)) + grain
    return np.asarray(np.clip(np.rint(255.0 * grey), 0, 255), dtype=np.uint8)


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


_TEXTURES: dict[str, Callable[[np.random.Generator, int], Scene]] = {
    "printed_layers": _printed_layers,
    "stochastic_tile": _stochastic_tile,
}
