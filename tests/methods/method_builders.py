"""Image sets and overrides that the tests of the methods room are written with."""

from __future__ import annotations

import torch

from radar.methods.interface import ImageSet, Normals

SMALL = (
    "unet=small",
    "unet.channels=[8,8]",
    "unet.attention_levels=[1]",
    "patch.size=12",
    "dataset.image.size=24",
    "scoring.stride=6",
    "scoring.window=5",
    "scoring.blur.kernel=3",
    "detector.trees=10",
)


def image_set(count: int, seed: int, *, channels: int = 1, side: int = 24, scale: float = 0.2) -> ImageSet:
    images = torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed)) * scale
    return ImageSet(images.clamp(-1, 1), [f"{seed}/{index}" for index in range(count)])


def normals(*, channels: int = 1) -> Normals:
    return Normals(image_set(40, 0, channels=channels), image_set(9, 1, channels=channels))
