"""What a method with a diffusion network sees of images: their pixels, or a grid of pretrained features in their place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.config.fields import number, numbers
from radar.data.preprocessing import rgb
from radar.networks.efficientnet import EfficientNetFeatures
from radar.rasters import Rasters
from radar.seeds import generator


@dataclass
class FeatureSpaceConfig:
    """Pretrained features as the images of a method with a diffusion network (OSD-IRF, InvAD); needs the extra `pretrained`."""

    side: int = number(minimum=32, maximum=16_384)  # px that images are resized to
    blocks: list[int] = numbers(
        minimum=0, maximum=63
    )  # EfficientNet-Lite0 blocks, concatenated at the first one's positions
    dimensions: int = number(minimum=1, maximum=65_536)  # channels kept, drawn by seed
    crop: int = number(minimum=2, maximum=16_384)  # side in positions of what the network learns
    channels: list[int] = numbers(minimum=1, maximum=16_384)  # width of each level of the network
    max_steps: int = number(minimum=1, maximum=1_000_000_000)  # of its training, at most


class PixelSpace(nn.Module):
    """Images `(N, P, H, W)` → their first `channels` planes, which networks see; the field of a method that takes them so."""

    network_passes = 0

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, images: Tensor) -> Tensor:
        return images[:, : self.channels]

    @property
    def dimensions(self) -> int:
        """F, channels of the field."""
        return self.channels

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """`(F, h, w)` of the field of an image of `height` × `width` px."""
        return self.dimensions, height, width

    def inside(self, maps: Tensor) -> Tensor:
        """Maps `(…, h, w)` of a field, without what lies beyond the image."""
        return maps

    def onto(self, maps: Tensor, height: int, width: int) -> Tensor:
        """Maps `(N, R, h, w)` of fields → `(N, R, height, width)` of their images."""
        return maps


def grid_network(settings: FeatureSpaceConfig, *, pretrained: bool) -> EfficientNetFeatures:
    """The network whose features a grid is of, with or without its weights."""
    return EfficientNetFeatures(blocks=settings.blocks, side=settings.side, pretrained=pretrained)


class FeatureGrid(PixelSpace):
    """Images → some of the channels of their features `(N, F, h, w)`, of mean 0 and variance 1 on normal images.

    At every position, since those at the border see less of an image and have other features for it. Grids are mirrored beyond
    their border by half a crop: there, too, a denoiser then has neighbours to tell noise by.
    """

    network_passes = 1
    kept: Tensor  # (F,) channels of the network
    mean: Tensor  # (1, F, h, w), of normal images
    spread: Tensor

    def __init__(
        self, settings: FeatureSpaceConfig, channels: int, read_as: str, network: EfficientNetFeatures
    ) -> None:
        """`network` is that of the settings; `read_as` is `dataset.image.channels`, by which all planes of an image become colours."""
        super().__init__(channels)
        self.read_as = read_as
        self.network = network
        self.margin = settings.crop // 2
        self.register_buffer("kept", torch.arange(min(settings.dimensions, self.network.channels)))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def fit(self, images: Rasters, seed: int) -> Rasters:
        """Draw the channels, and take mean and variance from images `(P, H, W)`; returns their grids on the host."""
        stream = generator("cpu", seed, "method", "channels")
        self.kept = torch.randperm(self.network.channels, generator=stream)[: len(self.kept)].to(self.kept.device)
        self.mean, self.spread = torch.zeros_like(self.mean), torch.ones_like(self.spread)
        raw = self.grids(images).whole
        mean = raw.mean(dim=0, keepdim=True)
        spread = raw.std(dim=0, keepdim=True).clamp(min=torch.finfo(raw.dtype).tiny)
        self.mean, self.spread = mean.to(self.kept.device), spread.to(self.kept.device)
        return Rasters.of((raw - mean) / spread)

    def grids(self, images: Rasters) -> Rasters:
        """The grids of images `(P, H, W)`, seen one by one, on the host."""
        return Rasters.joined(self(image[None])[0].cpu() for image in images)

    def forward(self, images: Tensor) -> Tensor:
        found = self.network.joined(rgb(images, self.read_as))[:, self.kept]
        return (F.pad(found, [self.margin] * 4, mode="reflect") - self.mean) / self.spread

    @property
    def dimensions(self) -> int:
        return len(self.kept)

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        side = self.network.positions + 2 * self.margin
        return self.dimensions, side, side

    def inside(self, maps: Tensor) -> Tensor:
        return maps[..., self.margin : maps.shape[-2] - self.margin, self.margin : maps.shape[-1] - self.margin]

    def onto(self, maps: Tensor, height: int, width: int) -> Tensor:
        return F.interpolate(self.inside(maps), size=(height, width), mode="bilinear")
