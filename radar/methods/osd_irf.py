"""OSD-IRF: a Gaussian density of the one-step residual field (after arXiv 2604.18393)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import MISSING
from sklearn.covariance import LedoitWolf
from torch import Tensor

from radar.config.fields import extent, number, section
from radar.config.method_settings import ReductionConfig
from radar.data.images import Images
from radar.methods.method import FittedMethod, Networks, Normals
from radar.methods.parts.feature_grid import FeatureSpaceConfig, PixelSpace
from radar.methods.parts.feature_space import FieldMethod, FittedOnField
from radar.methods.parts.gaussian import Gaussian
from radar.methods.parts.neighbourhoods import Square
from radar.methods.parts.reduced import shares, step_problems
from radar.progress import Report
from radar.scoring.denoiser import Denoiser
from radar.scoring.noise_draws import NoiseDraws
from radar.scoring.reading import MapReading
from radar.seeds import generator


@dataclass
class ResidualFieldConfig:
    """A Gaussian density of the one-step residual field."""

    timestep: int | None = number(minimum=1, maximum=100_000)  # at which residuals are taken; null: timestep.value
    neighbourhood: int = extent()  # side in px of the square whose residuals are one vector, odd
    fitting_positions: int = number(
        minimum=2, maximum=100_000_000
    )  # most positions of training normals fitted, drawn by seed


@dataclass
class OsdIrfSettings:
    """Keys of `method=osd_irf` and `method=osd_irf_pretrained`."""

    reduction: ReductionConfig = section(ReductionConfig)
    residual_field: ResidualFieldConfig = section(ResidualFieldConfig)
    feature_space: FeatureSpaceConfig | None = MISSING  # null: residuals of pixels


class FittedOsdIrf(FittedOnField):
    """Mahalanobis distance of every position's residuals ε̂ − ε at one timestep under one Gaussian of normal positions."""

    draws = NoiseDraws(1)  # the first draw of an image is that of RADAR's noise map

    def __init__(self, reading: MapReading, space: PixelSpace, network: Denoiser, timestep: int, side: int) -> None:
        """`side` of the square whose residuals are one vector."""
        super().__init__(reading, space, network, passes=1)
        self.timestep = timestep
        self.side = side
        self.density = Gaussian.empty()

    def field_map(self, field: Tensor, noise: Tensor | None) -> Tensor:
        distance = self.density.squared(self.vectors(field, noise).flatten(2)).sqrt()
        return distance.reshape(len(field), 1, *field.shape[-2:])

    def vectors(self, field: Tensor, noise: Tensor | None) -> Tensor:
        """The residuals around every position of fields `(N, F, h, w)`: `(N, F·side², h, w)` float64."""
        if noise is None:
            raise ValueError("OSD-IRF noises images: hand in a draw for each, as `draws` says")
        draw = noise[:, 0]
        residual = self.denoiser(self.denoiser.noised(field, draw, self.timestep), self.timestep) - draw
        return Square(self.side, border="reflect").vectors(residual).double()


class OsdIrfMethod(FieldMethod[OsdIrfSettings, FittedOsdIrf]):
    """Residuals of one step are learnt on normal images; those of a defect are unlikely among them."""

    name = "osd_irf"
    Settings = OsdIrfSettings

    @property
    def timestep(self) -> int:
        """Where the residuals are taken."""
        own = self.settings.residual_field.timestep
        return self.config.timestep.value if own is None else own

    @property
    def sizes(self) -> dict[str, int]:
        return {"method.residual_field.neighbourhood": self.settings.residual_field.neighbourhood}

    @property
    def fitting_keys(self) -> tuple[str, ...]:
        own = self.settings.residual_field.timestep
        return super().fitting_keys if own is not None else (*super().fitting_keys, "timestep")

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if (own := self.settings.residual_field.timestep) is not None:
            yield from step_problems({"method.residual_field.timestep": [own]}, self.config.diffusion.timesteps)

    def module(self, space: PixelSpace, network: Denoiser) -> FittedOsdIrf:
        return FittedOsdIrf(self.reading, space, network, self.timestep, self.settings.residual_field.neighbourhood)

    @torch.inference_mode()
    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        fitted = self.unfitted(normals, networks, report)
        vectors = self._normal_vectors(fitted, normals.train, report)
        density = LedoitWolf().fit(vectors)
        mean, covariance = torch.from_numpy(density.location_), torch.from_numpy(density.covariance_)
        fitted.density = Gaussian.of_covariance(mean, covariance).to(fitted.device)
        return fitted

    def _normal_vectors(self, fitted: FittedOsdIrf, images: Images, report: Report) -> NDArray[np.float64]:
        """Vectors `(M, F·side²)` at positions of training normals, drawn by the seed; none from beyond the images' border."""
        total, parts, seed = len(images), [], self.config.seed
        counts = shares(self.settings.residual_field.fitting_positions, total, seed)
        for index, (identity, count) in enumerate(zip(images.identities, counts, strict=True)):
            if count == 0:
                continue
            report(index, total, f"Fitting ({self.name})")
            planes = images.planes[index][None].to(fitted.device)
            noise = fitted.draws.of([identity], fitted.noise_shape(*planes.shape[1:]), seed)
            field = fitted.vectors(fitted.space(planes), None if noise is None else noise.to(fitted.device))
            vectors = fitted.space.inside(field)[0].flatten(1).T.cpu()
            stream = generator("cpu", seed, "method", identity)
            parts.append(vectors[torch.randperm(len(vectors), generator=stream)[:count]])
        return torch.cat(parts).numpy()
