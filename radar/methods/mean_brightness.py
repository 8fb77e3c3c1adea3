"""Control: deviation of every pixel from the mean brightness of the training normals, blurred, without edges."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from radar.config.schema import Config
from radar.methods.method import FittedMethod, Method, Networks, Normals, Structure
from radar.methods.parts.regions import parted, with_region
from radar.progress import Report
from radar.rasters import Rasters
from radar.scoring.reading import NormReading


@dataclass
class MeanBrightnessSettings:
    """It has no keys of its own."""


class FittedMeanBrightness(FittedMethod):
    """The mean brightness of every plane that networks see."""

    mean: Tensor

    def __init__(self, config: Config, mean: Tensor) -> None:
        has_region = config.dataset.image.region_of_interest is not None
        super().__init__(NormReading.of(config.scoring, edge="none", has_region=has_region))
        self.register_buffer("mean", mean)  # (1, C, 1, 1)

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        planes, region = parted(images, self.reading.has_region)
        return with_region(planes[:, : self.mean.shape[1]] - self.mean, region)


class MeanBrightnessMethod(Method[MeanBrightnessSettings]):
    """What brightness alone tells."""

    name = "mean_brightness"
    Settings = MeanBrightnessSettings
    version = 2
    one_score = False
    draws_numbers = False
    honours_region = True

    @property
    def map_keys(self) -> tuple[str, ...]:
        return ("scoring.blur", "scoring.smoothing")

    @property
    def point_keys(self) -> tuple[str, ...]:
        return ("scoring.blur", "scoring.window")

    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        planes = normals.train.network_planes
        if self.has_region:
            planes = Rasters.joined(image[:-1, image[-1] > 0][:, None] for image in normals.train.learnt_planes)
        total = torch.stack([image.double().sum(dim=(1, 2)) for image in planes]).sum(dim=0)
        mean = total / sum(height * width for height, width in planes.sizes)
        return FittedMeanBrightness(self.config, mean.float()[None, :, None, None])

    def empty(self, structure: Structure) -> FittedMethod:
        return FittedMeanBrightness(self.config, torch.zeros(1))
