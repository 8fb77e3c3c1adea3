"""Gaussian densities of vectors, and how far vectors lie from them: the one Mahalanobis distance of all methods."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.errors import RunError
from radar.methods.parts.neighbourhoods import Square

_BAND = 2**16  # px whose whitened squares are in memory together


class Gaussian(nn.Module):
    """Mean `(…, K)` and whitening matrix `(…, K, K)` of vectors, float64; leading axes are densities of their own.

    The whitening matrix W is a root of the inverse covariance, WᵀW: mostly the inverse of the covariance's Cholesky factor.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self, mean: Tensor, whitening: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.double())
        self.register_buffer("whitening", whitening.double())

    @staticmethod
    def empty() -> Gaussian:
        """One that a stored density is loaded into."""
        return Gaussian(torch.zeros(0), torch.zeros(0, 0))

    @staticmethod
    def of_covariance(mean: Tensor, covariance: Tensor) -> Gaussian:
        """From mean `(…, K)` and covariance `(…, K, K)`. Raises `RunError` where that is not positive definite."""
        covariance = covariance.double()
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if failed.any() or not torch.isfinite(factor).all():
            raise RunError("a density cannot be fitted: what it describes does not vary on normal images; train longer")
        identity = torch.eye(covariance.shape[-1], dtype=torch.float64, device=covariance.device).expand_as(covariance)
        return Gaussian(mean, torch.linalg.solve_triangular(factor, identity, upper=False))

    @staticmethod
    def of_precision(mean: Tensor, precision: Tensor) -> Gaussian:
        """From mean `(K,)` and the inverse or pseudo-inverse `(K, K)` of a covariance, which may be singular."""
        values, vectors = torch.linalg.eigh(precision.double())
        return Gaussian(mean, values.clamp(min=0).sqrt()[:, None] * vectors.T)

    @staticmethod
    def of_moments(count: int, total: Tensor, squares: Tensor, *, ridge: float) -> Gaussian:
        """From `count` vectors, their sum `(K,)` and the sum of their outer products `(K, K)`, float64.

        `ridge`, a share of the mean variance, is added to every variance: channels may be almost multiples of each other.
        """
        mean = total / count
        covariance = squares / count - torch.outer(mean, mean)
        covariance += ridge * covariance.diagonal().mean() * torch.eye(len(mean), dtype=torch.float64)
        return Gaussian.of_covariance(mean, covariance)

    @staticmethod
    def stacked(densities: Sequence[Gaussian]) -> Gaussian:
        """Several densities along a new first axis."""
        pairs = [(each.mean, each.whitening) for each in densities]
        return Gaussian(*(torch.stack(part) for part in zip(*pairs, strict=True)))

    def __getitem__(self, index: int) -> Gaussian:
        """One of the densities along the first axis."""
        return Gaussian(self.mean[index], self.whitening[index])

    def squared(self, vectors: Tensor) -> Tensor:
        """Squared Mahalanobis distances of vectors `(…, K, M)`: `(…, M)`, in the vectors' own precision."""
        mean, whitening = self.mean.to(vectors), self.whitening.to(vectors)
        return (whitening @ (vectors - mean[..., None])).square().sum(dim=-2)

    def forward(self, points: Tensor) -> Tensor:
        """Points `(M, K)` → Mahalanobis distances `(M,)`."""
        return self.squared(points.T).sqrt()

    def distance(self, field: Tensor) -> Tensor:
        """Fields `(B, K, H, W)` → Mahalanobis distances `(B, 1, H, W)`, over √K: about 1 where all is normal."""
        return self.mean_square(field, Square()).sqrt()

    def mean_square(self, field: Tensor, square: Square) -> Tensor:
        """Squared Mahalanobis distances `(B, 1, H, W)`, over K, of the `square` around every pixel of a field `(B, C, H, W)`;
        K = C · side².

        One convolution whitens all squares of a band of rows, which lie in memory only once each. What they have in common is
        taken off before it, as a difference of large numbers is not exact in float32.
        """
        channels, side = field.shape[1], square.side
        mean = self.mean.reshape(channels, side**2)
        centre = mean.mean(dim=1)
        offset = self.whitening @ (mean - centre[:, None]).flatten()
        weights = self.whitening.reshape(-1, channels, side, side).to(field)
        padded, shift = square.padded(field), centre.to(field)[:, None, None]

        def whitened(rows: Tensor) -> Tensor:
            return F.conv2d(rows - shift, weights, -offset.to(field), dilation=square.spacing)

        if torch.compiler.is_exporting():  # runtimes keep this product in the layout of the convolution
            share, whole = torch.full((1, len(weights), 1, 1), 1 / len(weights), dtype=field.dtype), whitened(padded)
            return F.conv2d(whole * whole, share)
        height, width = field.shape[-2:]
        reach, band = padded.shape[-2] - height, max(1, _BAND // width)
        found = field.new_empty(len(field), 1, height, width)
        for top in range(0, height, band):
            rows = padded[..., top : top + band + reach, :]
            found[..., top : top + band, :] = whitened(rows).square().mean(dim=1, keepdim=True)
        return found
