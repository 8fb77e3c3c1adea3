"""The map of fused densities: how unlikely each pixel is under several Gaussians, on one scale."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from radar.files import Plain
from radar.methods.method import FittedMethod
from radar.methods.parts.blurring import blurred
from radar.methods.parts.density_parts import FusedDensitiesConfig, noise_parts, timesteps
from radar.methods.parts.gaussian import Gaussian
from radar.methods.parts.neighbourhoods import Square
from radar.methods.parts.pixel_fields import appearance_field, colour_field, noise_field, noise_square
from radar.scoring.denoiser import Denoiser
from radar.scoring.reading import MapReading

_LEAST_LEVEL = 1e-2  # of an image whose pixels are normally about 1


class FittedFusedDensities(FittedMethod):
    """How unlikely each pixel is under Gaussians of its noise, brightness and colour, on one scale and fused.

    The densities' first axis: of all normals, then without each fold.
    """

    scales: Tensor

    def __init__(
        self,
        settings: FusedDensitiesConfig,
        reading: MapReading,
        network: Denoiser | None,
        parts: Sequence[str],
        folds: Mapping[str, int],
    ) -> None:
        super().__init__(reading)
        self.settings = settings
        self.denoiser = network
        self.parts = tuple(parts)
        self.densities = nn.ModuleDict({name: Gaussian.empty() for name in parts})
        self.register_buffer("scales", torch.ones(len(parts), dtype=torch.float64))  # what few normal images exceed
        self.folds = folds
        self.network_passes = len(timesteps(settings))
        self._index = 0  # of the densities that are asked

    def structure(self) -> dict[str, Plain]:
        return {"channels": 1, "parts": list(self.parts), "folds": dict(self.folds)}

    def without(self, fold: int) -> FittedFusedDensities:
        other = copy.copy(self)
        other._index = fold + 1
        return other

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        noise_maps = self.noise_maps(images, timesteps(self.settings))
        distances = [self.distance(name, self.field(name, images, noise_maps)) for name in self.parts]
        surprises = self.surprises(torch.cat(distances, dim=1))
        scaled = [each / float(scale) for each, scale in zip(surprises.unbind(dim=1), self.scales, strict=True)]
        return fuse(torch.stack(scaled), self.settings.power)[:, None]

    def noise_maps(self, images: Tensor, steps: Sequence[int]) -> dict[int, Tensor]:
        """ε̂ `(N, 1, H, W)` of the scaled brightness at these timesteps: no noise is drawn. None without a network."""
        network, brightness = self.denoiser, images[:, :1]
        if network is None:
            return {}
        return {t: network(network.scaled(brightness, t), t).float() for t in steps}

    def field(self, part: str, images: Tensor, noise_maps: dict[int, Tensor]) -> Tensor:
        """What is known of every pixel for one part, `(N, C, H, W)`."""
        settings = self.settings
        if part == "appearance" and settings.appearance is not None:
            return appearance_field(images[:, :1], settings.appearance)
        if part == "colour" and settings.colour is not None:
            return colour_field(images[:, 1:], settings.colour)
        noise = noise_parts(settings)[part]
        return noise_field(noise_maps[noise.timestep], noise)

    def square(self, part: str) -> Square:
        """The square around every pixel of a part's field whose density is known."""
        noise = noise_parts(self.settings).get(part)
        return Square() if noise is None else noise_square(noise)

    def distance(self, part: str, field: Tensor) -> Tensor:
        """The squared Mahalanobis distance of a part's field `(N, C, H, W)`, over its channels, `(N, 1, H, W)`."""
        density = self.densities[part]
        if not isinstance(density, Gaussian):  # a ModuleDict forgets what it holds
            raise TypeError(f"{part}: is no density")
        return density[self._index].mean_square(field, self.square(part))

    def surprises(self, distances: Tensor) -> Tensor:
        """Distances `(N, E, H, W)`, smoothed; about 1 on normal texture.

        Over the image's median to the power `settings.relative`: light or focus that is slightly off raises a whole map, a
        defect stands out of it. Below 1, an image that is off as a whole still scores high.
        """
        smooth = blurred(distances.flatten(0, 1)[:, None], self.settings.smoothing).reshape(distances.shape)
        level = smooth.flatten(2).median(dim=2).values.clamp(min=_LEAST_LEVEL).pow(self.settings.relative)
        return smooth / level[..., None, None]


def fuse(surprises: Tensor, power: float) -> Tensor:
    """The norm of order `power` over the first of the axes `(E, …)`: 1 sums up, a high one takes the largest."""
    halvings = 0
    while power % 2 == 0:  # squares are many times as fast as other powers
        surprises, power, halvings = surprises.square(), power / 2, halvings + 1
    total = surprises.sum(dim=0) if power == 1 else surprises.pow(power).sum(dim=0).pow(1 / power)
    for _ in range(halvings):
        total = total.sqrt()
    return total
