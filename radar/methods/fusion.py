"""Several densities on one scale, and their sum: what `fused_densities` learns from normal images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radar.config.method_sections import FusedDensitiesConfig
from radar.errors import RunError
from radar.methods.cross_fit import CrossFit
from radar.scoring.density import blurred

_LEAST_LEVEL = 1e-2  # of an image whose pixels are normally about 1

Fields = dict[str, Tensor]
"""Vectors `(1, K, H, W)` of one image's pixels, by the name of the part; K is each part's own."""


@dataclass(frozen=True, eq=False)
class Fusion:
    """Fitted parts with their scales, and the folds of the images that they were fitted on, by content hash."""

    parts: dict[str, CrossFit]
    scales: dict[str, float]  # what few normal images exceed
    folds: dict[str, int]

    def map(self, fields: Fields, identity: str, settings: FusedDensitiesConfig) -> Tensor:
        """How unlikely each pixel is, `(1, 1, H, W)` ≥ 0: the norm of order `settings.power` over the parts' surprises."""
        fold = self.folds.get(identity)
        parts = [surprise(fit, fields[name], fold, settings) / self.scales[name] for name, fit in self.parts.items()]
        return fuse(torch.stack(parts), settings.power)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `from_arrays` reads."""
        arrays: dict[str, NDArray[Any]] = {
            "names": np.array(list(self.parts)),
            "scales": np.array([self.scales[name] for name in self.parts]),
            "identities": np.array(list(self.folds)),
            "folds": np.array(list(self.folds.values())),
        }
        for name, fit in self.parts.items():
            arrays |= {f"{name}.{key}": value for key, value in fit.arrays().items()}
        return arrays

    @staticmethod
    def from_arrays(arrays: dict[str, NDArray[Any]]) -> Fusion:
        """The inverse of `arrays`. Raises `RunError` where they do not describe a fusion."""
        try:
            names = [str(name) for name in arrays["names"]]
            parts = {
                name: CrossFit.from_arrays({key: arrays[f"{name}.{key}"] for key in ("mean", "whitening")})
                for name in names
            }
            scales = {name: float(scale) for name, scale in zip(names, arrays["scales"], strict=True)}
            pairs = zip(arrays["identities"], arrays["folds"], strict=True)
            folds = {str(identity): int(fold) for identity, fold in pairs}
        except (KeyError, TypeError, ValueError):
            raise _damaged() from None
        if not all(0 < scale < np.inf for scale in scales.values()):
            raise _damaged()
        return Fusion(parts, scales, folds)


def surprise(fit: CrossFit, field: Tensor, fold: int | None, settings: FusedDensitiesConfig) -> Tensor:
    """The smoothed squared Mahalanobis distance per channel, `(1, 1, H, W)`; about 1 on normal texture.

    Over the image's median to the power `settings.relative`: light or focus that is slightly off raises a whole map, a defect
    stands out of it. Below 1, an image that is off as a whole still scores high.
    """
    distance = blurred(fit.density(fold).distance(field).square(), settings.smoothing)
    return distance / distance.median().clamp(min=_LEAST_LEVEL).pow(settings.relative)


def fuse(surprises: Tensor, power: float) -> Tensor:
    """The norm of order `power` over the first of the axes `(E, …)`: 1 sums up, a high one takes the largest."""
    return surprises.pow(power).sum(dim=0).pow(1 / power)


def scale_of(scores: Sequence[float], quantile: float) -> float:
    """The quantile of normal images' scores. Raises `RunError` where it is not above 0."""
    scale = float(np.quantile(scores, quantile))
    if not 0 < scale < np.inf:
        raise RunError(
            "method.fused_densities: a part does not vary on the normal images; leave it out, or train longer"
        )
    return scale


def _damaged() -> RunError:
    return RunError("fusion: the stored densities are damaged; run the experiment again")
