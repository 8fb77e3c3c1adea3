"""Feature maps of images: those inside RADAR's own network, or pretrained ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from radar.methods.denoiser import Denoiser
from radar.methods.efficientnet import EfficientNetFeatures

FeatureMaps = Callable[[Tensor], list[Tensor]]
"""Images `(B, C, H, W)` in [−1, 1] → feature maps `(B, F, h, w)`, one per level."""
_LEAST_NOISY = 1  # timestep at which the network reads a clean image
_BLOCKS = (2, 4, 10)  # of EfficientNet-Lite0: strides 4, 8 and 16
_SIDE = 224  # px, as EfficientNet-Lite0 was trained


def feature_maps(name: str, denoiser: Denoiser) -> FeatureMaps:
    """The feature maps that `method.reconstruction.features` names."""
    if name == "unet":
        return UNetFeatures(denoiser)
    return EfficientNetFeatures(blocks=_BLOCKS, side=_SIDE).to(denoiser.device)


class UNetFeatures:
    """The outputs of every level of the network on the way up, for the least noisy timestep: learnt without labels."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser
        levels: Any = denoiser.network.up
        self.lasts: list[nn.Module] = [blocks[-1] for blocks in levels]

    def __call__(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        hooks = [block.register_forward_hook(lambda _, __, output: maps.append(output)) for block in self.lasts]
        clean = images.to(self.denoiser.device)
        try:
            self.denoiser.network(clean, clean.new_full((len(clean),), _LEAST_NOISY).long())
        finally:
            for hook in hooks:
                hook.remove()
        return maps
