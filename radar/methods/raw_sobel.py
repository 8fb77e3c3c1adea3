"""Control: blur and Sobel on the image itself."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from radar.config.schema import Config
from radar.files import Plain
from radar.methods.method import FittedMethod, Method, Networks, Normals, Structure, channels_of
from radar.methods.parts.regions import parted, with_region
from radar.progress import Report
from radar.scoring.reading import NormReading


@dataclass
class RawSobelSettings:
    """It has no keys of its own."""


class FittedRawSobel(FittedMethod):
    """Nothing is learnt."""

    def __init__(self, config: Config, channels: int) -> None:
        has_region = config.dataset.image.region_of_interest is not None
        super().__init__(NormReading.of(config.scoring, edge="sobel", has_region=has_region))
        self.channels = channels

    def structure(self) -> dict[str, Plain]:
        return {"channels": self.channels}

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        planes, region = parted(images, self.reading.has_region)
        return with_region(planes[:, : self.channels], region)


class RawSobelMethod(Method[RawSobelSettings]):
    """What edges alone tell."""

    name = "raw_sobel"
    Settings = RawSobelSettings
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
        return FittedRawSobel(self.config, normals.train.network_planes.channels)

    def empty(self, structure: Structure) -> FittedMethod:
        return FittedRawSobel(self.config, channels_of(structure, self.config))
