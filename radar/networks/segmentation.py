"""A small U-Net that segments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.networks.layers import PositionNorm
from radar.seeds import stream_seed


class SegmentationNetwork(nn.Module):
    """Images `(B, C, H, W)` → logits `(B, 1, H, W)`. Norms are taken per position: any size will do."""

    def __init__(self, inputs: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(inputs, channels[0], 3, padding=1)
        self.down = nn.ModuleList(_block(width) for width in channels)
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(channels))
        self.grow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(channels))
        self.up = nn.ModuleList(_block(width) for width in channels[:-1])
        self.head = nn.Conv2d(channels[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down[0](self.stem(x))
        skips = []
        for shrink, block in zip(self.shrink, self.down[1:], strict=True):
            skips.append(x)
            x = block(shrink(x))
        for grow, block in zip(reversed(self.grow), reversed(self.up), strict=True):
            skip = skips.pop()
            x = block(F.interpolate(grow(x), size=skip.shape[-2:], mode="nearest") + skip)
        logits: Tensor = self.head(x)
        return logits


def build_segmentation(inputs: int, channels: Sequence[int], seed: int) -> SegmentationNetwork:
    """One whose initial weights depend on the seed alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "method", "segmentation"))
        return SegmentationNetwork(inputs, channels)


def _block(width: int) -> nn.Sequential:
    layers = (PositionNorm(), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
    return nn.Sequential(*layers, PositionNorm(), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
