"""Drawn inspection images with planted, masked defects: printed layers and a stochastic tile.

Every image is a function of (seed, texture, part, index) alone, so a larger set holds the smaller one unchanged.
Exposure, light and texture contrast vary from image to image by more than a defect changes them: brightness does not
give a defect away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radar.config.fields import choice, number, seed
from radar.data.synthetic.defects import DEFECTS, plant
from radar.data.synthetic.surfaces import SURFACES, FloatArray, Scene, smooth_noise

Part = Literal["train", "normal", "defective"]  # a set of images with its own numbering

# Numbers in the seed, not names: renaming must not redraw. Never reuse one.
_TEXTURE_KEYS = {"printed_layers": 0, "stochastic_tile": 1}
_PART_KEYS: dict[Part, int] = {"train": 0, "normal": 1, "defective": 2}
_SCENE, _DEFECT, _CAMERA = 0, 1, 2


@dataclass
class SyntheticSettings:
    """A drawn data set."""

    texture: str = choice("printed_layers", "stochastic_tile")
    seed: int = seed()  # draws the whole set; independent of the experiment's seed
    side: int = number(minimum=32, maximum=16_384)  # px
    train: int = number(minimum=2, maximum=1_000_000)  # normal images, validation included
    test_normal: int = number(minimum=1, maximum=1_000_000)
    test_defective: int = number(minimum=1, maximum=1_000_000)
    contrast: float = number(above=0.0, maximum=1000.0)  # strength of the planted defects, 1 = as designed


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


def _stream(settings: SyntheticSettings, part: Part, index: int, purpose: int) -> np.random.Generator:
    """The random numbers of one image for one purpose; purposes are apart so that a defect leaves its surface alone."""
    key = (_TEXTURE_KEYS[settings.texture], _PART_KEYS[part], index, purpose)
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=key))


def _draw_scene(settings: SyntheticSettings, part: Part, index: int) -> Scene:
    """The flawless surface of one image."""
    return SURFACES[settings.texture](_stream(settings, part, index, _SCENE), settings.side)


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
