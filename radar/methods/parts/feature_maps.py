"""Feature maps of images, those inside a noise predictor or pretrained ones, and how far two images are apart in them."""

from __future__ import annotations

from typing import Any, Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from radar.networks.compact_unet import CompactUNet
from radar.networks.efficientnet import EfficientNetFeatures

_LEAST_NOISY = 1  # timestep at which the network reads a clean image
_BLOCKS = (2, 4, 10)  # of EfficientNet-Lite0: strides 4, 8 and 16
_SIDE = 224  # px, as EfficientNet-Lite0 was trained


class FeatureMaps(Protocol):
    """Images `(B, C, H, W)` in [−1, 1] → feature maps `(B, F, h, w)`, one per level.

    The maps cover the image as it is continued, at the right and at the bottom, to a multiple of `stride` px.
    """

    stride: int

    def __call__(self, images: Tensor) -> list[Tensor]: ...


def feature_distance(features: FeatureMaps, first: Tensor, second: Tensor, *, skipped: int = 0) -> Tensor:
    """D_f `(B, 1, H, W)` ≥ 0 of images `(B, C, H, W)`: cosine distances of their feature maps, each averaged over 3 × 3 positions,
    summed over levels (DDAD, as its authors' code has it); the first `skipped` of them are left out.
    """
    height, width = first.shape[-2:]
    covered = (height + -height % features.stride, width + -width % features.stride)
    total = first.new_zeros(len(first), 1, height, width)
    for pair in list(zip(features(first), features(second), strict=True))[skipped:]:
        one, other = (F.avg_pool2d(each, 3, stride=1, padding=1) for each in pair)
        distance = 1 - F.cosine_similarity(one, other, dim=1)
        total += F.interpolate(distance[:, None], size=covered, mode="bilinear")[..., :height, :width]
    return total.clamp(min=0)


def pretrained_maps(*, empty: bool) -> EfficientNetFeatures:
    """Those of EfficientNet-Lite0; `empty`: without its weights, for stored ones to be loaded into."""
    return EfficientNetFeatures(blocks=_BLOCKS, side=_SIDE, pretrained=not empty)


class UNetFeatures(nn.Module):
    """The outputs of every level of a noise predictor on the way up, for the least noisy timestep: learnt without labels."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network
        self.stride = _stride(network)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        lasts = [blocks[-1] for blocks in self.network.up]
        hooks = [block.register_forward_hook(lambda _, __, output: maps.append(output)) for block in lasts]
        height, width = images.shape[-2:]
        clean = F.pad(images, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")
        try:
            self.network(clean, clean.new_full((len(clean),), _LEAST_NOISY).long())
        finally:
            for hook in hooks:
                hook.remove()
        return maps


def _stride(network: Any) -> int:
    """Pixels per position of the coarsest level."""
    return int(network.stride if isinstance(network, CompactUNet) else 2 ** (len(network.up) - 1))
