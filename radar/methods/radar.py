"""RADAR itself: a U-Net trained on normal patches, asked in one forward step and one pass (arXiv 2508.04818)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from radar.config.schema import Config
from radar.files import Plain
from radar.methods.method import FittedMethod, Method, Networks, Normals, Structure, Training, channels_of
from radar.methods.parts.blurring import blurred
from radar.methods.parts.cross_fitting import Moments
from radar.methods.parts.denoising import DENOISER, denoiser, denoiser_keys, denoiser_training, untrained_network
from radar.methods.parts.gaussian import Gaussian
from radar.progress import Report
from radar.scoring.denoiser import Denoiser
from radar.scoring.noise_draws import NoiseDraws
from radar.scoring.reading import NormReading


@dataclass
class RadarSettings:
    """RADAR's keys stand in the sections `timestep` and `scoring`."""


class FittedRadar(FittedMethod):
    """The noise map, or with a density how unlikely it is at several timesteps and blurs.

    The density is after that of the residual field of arXiv 2604.18393, fitted to timesteps and blurs jointly: the network
    leaves a residual on normal texture, too, and how much of it depends on the timestep and on the frequency.
    """

    def __init__(self, config: Config, network: Denoiser, channels: int) -> None:
        super().__init__(NormReading.of(config.scoring))
        scoring = config.scoring
        self.denoiser = network
        self.channels = channels
        self.residual = scoring.map == "residual"
        with_density = scoring.density.name != "none"
        self.timesteps: Sequence[int] = scoring.density.timesteps if with_density else [config.timestep.value]
        self.blurs: Sequence[float] = scoring.density.blurs
        self.density = Gaussian.empty() if with_density else None
        self.draws = NoiseDraws(scoring.draws)
        self.predicts_noise = not with_density
        self.network_passes = max(1, scoring.draws) * len(self.timesteps)

    def noise_shape(self, planes: int, height: int, width: int) -> tuple[int, int, int]:
        return self.channels, height, width

    def structure(self) -> dict[str, Plain]:
        return {"channels": self.channels}

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        if self.density is None:
            return self._noise_map(images[:, : self.channels], noise, self.timesteps[0])
        return self.density.distance(self.field(images, noise))

    def field(self, images: Tensor, noise: Tensor | None) -> Tensor:
        """Noise maps at every timestep, each at every blur, `(N, C · timesteps · blurs, H, W)`."""
        maps = torch.cat([self._noise_map(images[:, : self.channels], noise, each) for each in self.timesteps], dim=1)
        return torch.cat([blurred(maps, sigma) for sigma in self.blurs], dim=1)

    def _noise_map(self, clean: Tensor, noise: Tensor | None, timestep: int) -> Tensor:
        """ε̂ `(N, C, H, W)`, less ε with `scoring.map=residual`, averaged over the draws."""
        if noise is None:
            predicted: Tensor = self.denoiser(self.denoiser.scaled(clean, timestep), timestep)
            return predicted
        total = torch.zeros_like(clean)
        for draw in noise.unbind(dim=1):
            total += self.denoiser(self.denoiser.noised(clean, draw, timestep), timestep)
            if self.residual:
                total -= draw
        return total / noise.shape[1]


class RadarMethod(Method[RadarSettings]):
    """RADAR with the sections `timestep`, `scoring` and the shared network."""

    name = "radar"
    Settings = RadarSettings
    one_score = False

    @property
    def fitting_keys(self) -> tuple[str, ...]:
        density = self.config.scoring.density.name != "none"  # then timestep.value is not read
        at = ("scoring.density",) if density else ("timestep", "scoring.density.name")
        return (*denoiser_keys(self.config), *at, "scoring.draws", "scoring.map", "scoring.images_per_pass")

    @property
    def map_keys(self) -> tuple[str, ...]:
        return ("scoring.blur", "scoring.edge", "scoring.smoothing")

    @property
    def point_keys(self) -> tuple[str, ...]:
        return ("scoring.blur", "scoring.edge", "scoring.window")

    @property
    def predicts_noise(self) -> bool:
        return self.config.scoring.density.name == "none"

    def trainings(self, normals: Normals) -> tuple[Training, ...]:
        return (denoiser_training(self.config, normals),)

    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        images = normals.train
        network = denoiser(self.config, networks[DENOISER])
        fitted = FittedRadar(self.config, network, images.network_planes.channels).to(network.schedule.signal.device)
        if fitted.density is None:
            return fitted

        def field(index: int) -> Tensor:
            report(index, len(images), f"Fitting ({self.name})")
            planes, identity = images.planes[index][None], images.identities[index]
            noise = fitted.draws.of([identity], fitted.noise_shape(*planes.shape[1:]), self.config.seed)
            return fitted.field(planes.to(fitted.device), None if noise is None else noise.to(fitted.device))

        with torch.inference_mode():
            moments = Moments.of(field(index) for index in range(len(images)))
        fitted.density = moments.gaussian(self.config.scoring.density.ridge).to(fitted.device)
        return fitted

    def empty(self, structure: Structure) -> FittedMethod:
        channels = channels_of(structure, self.config)
        return FittedRadar(self.config, denoiser(self.config, untrained_network(self.config, channels)), channels)
