"""Images that tests are written with: planes of independent Gaussian pixels, and names for them."""

from __future__ import annotations

import torch

from radar.data.images import Images
from radar.data.preprocessing import Frame
from radar.data.sample import Sample
from radar.methods.method import Normals
from radar.rasters import Rasters

_NAMES = {1: ("grey",), 3: ("red", "green", "blue")}


def images_of(
    planes: torch.Tensor, name: str, *, plane_names: tuple[str, ...] = (), groups: tuple[str, ...] = ()
) -> Images:
    """Planes `(N, P, H, W)` as images whose content hashes are `name/0`, `name/1`, …"""
    names = [f"{name}/{index}" for index in range(len(planes))]
    samples = [
        Sample(each, each, "train", 0, "good", None, group) for each, group in zip(names, groups or names, strict=True)
    ]
    height, width = planes.shape[-2:]
    frame = Frame(height, width, 0, 0, height, width)
    return Images(Rasters.of(planes), plane_names or _NAMES[planes.shape[1]], tuple(samples), (frame,) * len(planes))


def image_set(count: int, seed: int, *, channels: int = 1, side: int = 24, scale: float = 0.2) -> Images:
    planes = torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed)) * scale
    return images_of(planes.clamp(-1, 1), str(seed))


def normals(*, channels: int = 1) -> Normals:
    return Normals(image_set(40, 0, channels=channels), image_set(9, 1, channels=channels))
