"""Robust Mahalanobis distance of windows: minimum covariance determinant (Rousseeuw & Van Driessen 1999)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.covariance import MinCovDet
from torch import nn

from radar.config.fields import section
from radar.config.method_settings import ReductionConfig
from radar.methods.parts.gaussian import Gaussian
from radar.methods.parts.windows import WindowMethod, WindowsConfig
from radar.scoring.forest import Floats


@dataclass
class EllipticEnvelopeSettings:
    """Keys of `method=elliptic_envelope`."""

    reduction: ReductionConfig = section(ReductionConfig)
    windows: WindowsConfig = section(WindowsConfig)


class EllipticEnvelopeMethod(WindowMethod[EllipticEnvelopeSettings]):
    """A Gaussian of the windows that lie closest together."""

    name = "elliptic_envelope"
    Settings = EllipticEnvelopeSettings

    def fit_model(self, points: Floats) -> nn.Module:
        model = MinCovDet(random_state=self.model_seed).fit(points)
        return Gaussian.of_precision(torch.from_numpy(model.location_), torch.from_numpy(model.get_precision()))

    def empty_model(self) -> nn.Module:
        return Gaussian.empty()
