"""A network that is the optimal denoiser of Gaussian pixels, and a config and normals that go with it."""

from __future__ import annotations

import torch
from method_builders import SMALL, image_set
from torch import nn

from radar.data.images import Images
from radar.diffusion.schedule import build_schedule
from radar.methods.method import Normals

SPREAD = 0.2  # of the pixels of `image_set`
ORACLE = (*SMALL, "scoring.field=whole", "unet=compact", "unet.channels=[8,8]", "patch.size=12")


class Oracle(nn.Module):
    """E[ε | x_t] of independent pixels N(0, spread²)."""

    def __init__(self, config, spread=SPREAD) -> None:
        super().__init__()
        self.schedule = build_schedule(config.diffusion)
        self.spread = spread
        self.placeholder = nn.Parameter(torch.zeros(()))  # its device is the network's

    def forward(self, noisy, timestep):
        signal, noise = (
            values[timestep - 1].view(-1, 1, 1, 1) for values in (self.schedule.signal, self.schedule.noise)
        )
        return noise * noisy / (signal**2 * self.spread**2 + noise**2)


def oracle_normals() -> Normals:
    return Normals(image_set(12, 0), image_set(9, 1))


def with_spots(count: int = 6, seed: int = 2) -> Images:
    """Images of which the first half have a bright square of 6 px."""
    images = image_set(count, seed)
    images.planes.stack(slice(count // 2))[:, :, 9:15, 9:15] = 0.95
    return images
