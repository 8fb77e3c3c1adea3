"""Methods and answers that the tests of the methods room are written with."""

from __future__ import annotations

import torch
from image_builders import image_set, images_of, normals

from radar.data.images import Images
from radar.methods.method import FittedMethod, Normals
from radar.methods.registry import method_of
from radar.methods.responses import responses
from radar.progress import silent

__all__ = ["SMALL", "answers", "fitted", "image_set", "images_of", "normals"]

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


def fitted(config, normal: Normals | None = None) -> FittedMethod:
    """The method of a config that trains no network, fitted."""
    method = method_of(config)
    networks = {name: read() for name, read in method.pretrained.items()}
    return method.fit(normals() if normal is None else normal, networks, silent)


def answers(method: FittedMethod, images: Images, *, images_per_pass: int = 1, seed: int = 0) -> torch.Tensor:
    """Responses `(N, R, H, W)`."""
    found = responses(
        method, images.planes, images.identities, seed=seed, images_per_pass=images_per_pass, report=silent
    )
    return found.whole
