"""How unlikely a noise map is among those of normal images: a Gaussian density at every pixel, in place of the norm.

The network leaves a residual on normal texture, too, and how much of it depends on the timestep and on the frequency. The
Mahalanobis distance measures each part of the residual field against its own spread among normal images (after the
density of the residual field of arXiv 2604.18393, fitted here to several timesteps and blurs jointly).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from numpy.typing import NDArray
from torch import Tensor

from radar.errors import RunError
from radar.scoring.noise_map import NoiseMapper

Arrays = dict[str, NDArray[np.float64]]


class ResidualField:
    """Images `(B, C, H, W)` → noise maps at several timesteps, each at several blurs, `(B, C · timesteps · blurs, H, W)`."""

    def __init__(self, mappers: Sequence[NoiseMapper], blurs: Sequence[float]) -> None:
        self.mappers = mappers
        self.blurs = blurs

    def __call__(self, images: Tensor, identities: Sequence[str]) -> Tensor:
        maps = torch.cat([mapper(images, identities) for mapper in self.mappers], dim=1)
        return torch.cat([blurred(maps, sigma) for sigma in self.blurs], dim=1)


def blurred(maps: Tensor, sigma: float) -> Tensor:
    """Maps `(B, C, H, W)` after a Gaussian blur of `sigma` px; the edge pixels are repeated."""
    if sigma == 0:
        return maps
    kernel = 2 * math.ceil(3 * sigma) + 1
    return gaussian_blur2d(maps, (kernel, kernel), (sigma, sigma), border_type="replicate")


@dataclass(frozen=True, eq=False)
class GaussianDensity:
    """Mean `(K,)` and whitening matrix `(K, K)` of the pixels of residual fields with K channels."""

    mean: NDArray[np.float64]
    whitening: NDArray[np.float64]

    @staticmethod
    def of_moments(count: int, total: Tensor, squares: Tensor, *, ridge: float) -> GaussianDensity:
        """From `count` pixels, their sum `(K,)` and the sum of their outer products `(K, K)`, float64.

        `ridge`, a share of the mean variance, is added to every variance: channels may be almost multiples of each other.
        """
        mean = total / count
        covariance = squares / count - torch.outer(mean, mean)
        variance = covariance.diagonal().mean()
        covariance += ridge * variance * torch.eye(len(mean), dtype=torch.float64)
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if failed or not torch.isfinite(factor).all() or not variance > 0:
            raise RunError("scoring.density: the noise maps of the training normals do not vary; train longer")
        identity = torch.eye(len(mean), dtype=torch.float64)
        whitening = torch.linalg.solve_triangular(factor, identity, upper=False)
        return GaussianDensity(mean.numpy(), whitening.numpy())

    @staticmethod
    def from_arrays(arrays: Arrays) -> GaussianDensity:
        """The inverse of `arrays`. Raises `RunError` where they do not describe a density."""
        try:
            mean, whitening = (np.asarray(arrays[name], dtype=np.float64) for name in ("mean", "whitening"))
        except (KeyError, TypeError, ValueError):
            raise _damaged() from None
        if mean.ndim != 1 or whitening.shape != (len(mean), len(mean)):
            raise _damaged()
        if not (np.isfinite(mean).all() and np.isfinite(whitening).all()):
            raise _damaged()
        return GaussianDensity(mean, whitening)

    def arrays(self) -> Arrays:
        """What `from_arrays` reads."""
        return {"mean": self.mean, "whitening": self.whitening}

    def distance(self, field: Tensor) -> Tensor:
        """Fields `(B, K, H, W)` → Mahalanobis distances `(B, 1, H, W)`, over √K: about 1 on normal texture."""
        mean, whitening = (torch.from_numpy(each).to(field) for each in (self.mean, self.whitening))
        batch, channels, height, width = field.shape
        whitened = whitening @ (field.reshape(batch, channels, -1) - mean[:, None])
        return (whitened.square().mean(dim=1).sqrt()).reshape(batch, 1, height, width)


def fit_density(field: ResidualField, images: Tensor, identities: Sequence[str], *, ridge: float) -> GaussianDensity:
    """The density of all pixels of the fields of normal images `(N, C, H, W)`, one image in memory at a time."""
    channels = images.shape[1] * len(field.mappers) * len(field.blurs)
    total = torch.zeros(channels, dtype=torch.float64)
    squares = torch.zeros(channels, channels, dtype=torch.float64)
    for index, identity in enumerate(identities):
        pixels = field(images[index : index + 1], [identity])[0].flatten(1).double().cpu()
        total += pixels.sum(dim=1)
        squares += pixels @ pixels.T
    return GaussianDensity.of_moments(len(images) * images[0, 0].numel(), total, squares, ridge=ridge)


class DensityMapper:
    """Images `(B, C, H, W)` → how unlikely each pixel's noise is, `(B, 1, H, W)`; one image at a time, whatever the batch."""

    def __init__(self, field: ResidualField, density: GaussianDensity) -> None:
        self.field = field
        self.density = density

    @torch.inference_mode()
    def __call__(self, images: Tensor, identities: Sequence[str]) -> Tensor:
        parts = [
            self.density.distance(self.field(images[index : index + 1], [identity]))
            for index, identity in enumerate(identities)
        ]
        return torch.cat(parts) if parts else images[:, :1]


def _damaged() -> RunError:
    return RunError("density: the stored density is damaged; run the experiment again")
