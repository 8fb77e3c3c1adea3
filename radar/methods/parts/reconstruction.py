"""Reconstruction by diffusion: noise to an intermediate timestep, the way back, and the distance to what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

from radar.config.fields import number, section
from radar.config.method_settings import ReductionConfig, SimplexConfig
from radar.diffusion.sampling import draw_count, guided, reverse
from radar.files import Plain
from radar.methods.method import FittedMethod, Networks, Normals, Structure, Training, channels_of
from radar.methods.parts.denoising import DENOISER, denoiser, denoiser_keys, denoiser_training, untrained_network
from radar.methods.parts.reduced import HasReduction, ReducedMethod
from radar.progress import Report
from radar.scoring.denoiser import Denoiser
from radar.scoring.noise_draws import NoiseDraws, drawn
from radar.scoring.reading import MapReading

_START = 0  # number of the draw that noises the image; those on the way back follow


@dataclass
class ReconstructionConfig:
    """Noise to an intermediate timestep and back."""

    start: int = number(minimum=1, maximum=100_000)  # timestep the image is noised to: λ, T′
    steps: int = number(
        minimum=1, maximum=100_000
    )  # network passes on the way back; as many as `start` is the full reverse process
    eta: float = number(minimum=0.0, maximum=1.0)  # 1 ancestral sampling, 0 deterministic DDIM


@dataclass
class ReconstructionSettings:
    """Keys of a reconstruction that needs no more."""

    reduction: ReductionConfig = section(ReductionConfig)
    reconstruction: ReconstructionConfig = section(ReconstructionConfig)


class HasReconstruction(HasReduction, Protocol):
    """Settings with a section `reconstruction`."""

    @property
    def reconstruction(self) -> ReconstructionConfig: ...


Reconstructed = TypeVar("Reconstructed", bound=HasReconstruction)


class FittedReconstruction(FittedMethod):
    """Squared error between an image and what the reverse process makes of its noised self (AnoDDPM, Wyatt et al. 2022)."""

    def __init__(
        self,
        settings: ReconstructionConfig,
        reading: MapReading,
        network: Denoiser,
        channels: int,
        simplex: SimplexConfig | None = None,
    ) -> None:
        super().__init__(reading)
        self.way = settings
        self.denoiser = network
        self.channels = channels
        back = draw_count(network.schedule, start=settings.start, steps=settings.steps, eta=settings.eta)
        self.draws = NoiseDraws(_START + 1 + back, simplex)
        self.network_passes = settings.steps

    def noise_shape(self, planes: int, height: int, width: int) -> tuple[int, int, int]:
        return self.channels, height, width

    def structure(self) -> dict[str, Plain]:
        return {"channels": self.channels}

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        clean = images[:, : self.channels]
        return squared_error(clean, self.reconstruct(clean, drawn(noise)))

    def reconstruct(self, clean: Tensor, noise: Tensor, target: Tensor | None = None, weight: float = 0.0) -> Tensor:
        """x̂₀ of images, both `(N, C, H, W)` in [−1, 1], with their noise `(N, K, C, H, W)`; pulled to `target` by `weight`."""
        way, schedule = self.way, self.denoiser.schedule
        aim = clean if target is None else target
        back = reverse(
            self.denoiser.noised(clean, noise[:, _START], way.start),
            guided(self.denoiser, aim, schedule=schedule, weight=weight),
            lambda number: noise[:, _START + 1 + number],
            schedule=schedule,
            start=way.start,
            steps=way.steps,
            eta=way.eta,
        )
        return back.clamp(-1, 1)


class ReconstructionMethod(ReducedMethod[Reconstructed]):
    """A method that reconstructs with the shared network."""

    @property
    def simplex(self) -> SimplexConfig | None:
        """The noise of training and scoring; None: white Gaussian."""
        return None

    @property
    def fitting_keys(self) -> tuple[str, ...]:
        return denoiser_keys(self.config)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        way, key, last = self.settings.reconstruction, "method.reconstruction", self.config.diffusion.timesteps
        if way.start > last:
            yield f"{key}.start={way.start}: must be ≤ diffusion.timesteps={last}"
        if way.steps > way.start:
            yield f"{key}.steps={way.steps}: must be ≤ {key}.start={way.start}"

    def trainings(self, normals: Normals) -> tuple[Training, ...]:
        return (denoiser_training(self.config, normals, self.simplex),)

    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        network = denoiser(self.config, networks[DENOISER])
        return self.fitted(network, normals.train.network_planes.channels).to(network.schedule.signal.device)

    def empty(self, structure: Structure) -> FittedMethod:
        channels = channels_of(structure, self.config)
        return self.fitted(denoiser(self.config, untrained_network(self.config, channels)), channels)

    def fitted(self, network: Denoiser, channels: int) -> FittedReconstruction:
        """The module around a network that knows images of `channels` planes."""
        return FittedReconstruction(self.settings.reconstruction, self.reading, network, channels, self.simplex)


def squared_error(image: Tensor, reconstruction: Tensor) -> Tensor:
    """`(B, 1, H, W)`, mean over channels (AnoDDPM)."""
    return (image - reconstruction).square().mean(dim=1, keepdim=True)


def absolute_error(image: Tensor, reconstruction: Tensor) -> Tensor:
    """`(B, 1, H, W)`, mean over channels (DDAD, D_p)."""
    return (image - reconstruction).abs().mean(dim=1, keepdim=True)
