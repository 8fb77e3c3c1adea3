"""Images, methods and answers that the tests of the methods room are written with."""

from __future__ import annotations

import torch

from radar.data.images import Images
from radar.data.preprocessing import Frame
from radar.data.sample import Sample
from radar.methods.method import FittedMethod, Normals
from radar.methods.registry import method_of
from radar.methods.responses import responses
from radar.progress import silent

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
    return Images(planes, plane_names or _NAMES[planes.shape[1]], tuple(samples), (frame,) * len(planes))


def image_set(count: int, seed: int, *, channels: int = 1, side: int = 24, scale: float = 0.2) -> Images:
    planes = torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed)) * scale
    return images_of(planes.clamp(-1, 1), str(seed))


def normals(*, channels: int = 1) -> Normals:
    return Normals(image_set(40, 0, channels=channels), image_set(9, 1, channels=channels))


def fitted(config, normal: Normals | None = None) -> FittedMethod:
    """The method of a config without a network, fitted."""
    return method_of(config).fit(normals() if normal is None else normal, {}, silent)


def answers(method: FittedMethod, images: Images, *, images_per_pass: int = 1, seed: int = 0) -> torch.Tensor:
    """Responses `(N, R, H, W)`."""
    return responses(
        method, images.planes, images.identities, seed=seed, images_per_pass=images_per_pass, report=silent
    )
