"""InvAD: the likelihood of a DDIM-inverted image under the prior (after arXiv 2504.05662)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from omegaconf import MISSING
from torch import Tensor

from radar.config.fields import choice, extent, numbers, section
from radar.config.method_settings import ReductionConfig
from radar.diffusion.sampling import invert
from radar.methods.parts.feature_grid import FeatureSpaceConfig, PixelSpace
from radar.methods.parts.feature_space import FieldMethod, FittedOnField
from radar.scoring.denoiser import Denoiser
from radar.scoring.reading import MapReading


@dataclass
class InversionConfig:
    """Few DDIM steps towards the prior."""

    score: str = choice("likelihood", "deviation")  # the latent's energy, or how far it is from the prior's
    timesteps: list[int] = numbers(minimum=1, maximum=100_000)  # rising, visited one after the other
    window: int = extent()  # side in px of the square over which the energy is averaged, odd


@dataclass
class InvadSettings:
    """Keys of `method=invad` and `method=invad_pretrained`."""

    reduction: ReductionConfig = section(ReductionConfig)
    inversion: InversionConfig = section(InversionConfig)
    feature_space: FeatureSpaceConfig | None = MISSING  # null: pixels are inverted


class FittedInvad(FittedOnField):
    """The latent under the prior N(0, 1): its mean energy inside a window, or how far that is from the prior's, which is 1."""

    def __init__(self, reading: MapReading, space: PixelSpace, network: Denoiser, settings: InversionConfig) -> None:
        super().__init__(reading, space, network, passes=len(settings.timesteps))
        self.settings = settings

    def field_map(self, field: Tensor, noise: Tensor | None) -> Tensor:
        settings, schedule = self.settings, self.denoiser.schedule
        latent = invert(field, self.denoiser, schedule=schedule, timesteps=settings.timesteps)
        energy = latent_energy(latent, settings.window)
        return (energy - 1).abs() if settings.score == "deviation" else energy


class InvadMethod(FieldMethod[InvadSettings, FittedInvad]):
    """What does not come from the learnt distribution is not led to its prior; nothing is fitted but the network."""

    name = "invad"
    Settings = InvadSettings

    @property
    def sizes(self) -> dict[str, int]:
        return {"method.inversion.window": self.settings.inversion.window}

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        visited, last = self.settings.inversion.timesteps, self.config.diffusion.timesteps
        rising = all(earlier < later for earlier, later in pairwise(visited))
        if not visited or not rising or visited[0] < 1 or visited[-1] > last:
            yield f"method.inversion.timesteps={visited}: needs rising steps between 1 and {last}"

    def module(self, space: PixelSpace, network: Denoiser) -> FittedInvad:
        return FittedInvad(self.reading, space, network, self.settings.inversion)


def latent_energy(latent: Tensor, window: int) -> Tensor:
    """Mean of z² in the window `(B, 1, H, W)` of latents z `(B, C, H, W)`: twice the negative log likelihood of a coordinate, but
    for a constant; about 1 where z is white and of variance 1."""
    energy = latent.square().mean(dim=1, keepdim=True)
    return F.avg_pool2d(F.pad(energy, [window // 2] * 4, mode="reflect"), window, stride=1)
