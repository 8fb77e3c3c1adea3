"""Mahalanobis distance of windows, their covariance shrunk (Ledoit & Wolf 2004)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.covariance import LedoitWolf
from torch import nn

from radar.config.fields import section
from radar.config.method_settings import ReductionConfig
from radar.methods.parts.gaussian import Gaussian
from radar.methods.parts.windows import WindowMethod, WindowsConfig
from radar.scoring.forest import Floats


@dataclass
class MahalanobisSettings:
    """Keys of `method=mahalanobis`."""

    reduction: ReductionConfig = section(ReductionConfig)
    windows: WindowsConfig = section(WindowsConfig)


class MahalanobisMethod(WindowMethod[MahalanobisSettings]):
    """A Gaussian of windows."""

    name = "mahalanobis"
    Settings = MahalanobisSettings

    def fit_model(self, points: Floats) -> nn.Module:
        model = LedoitWolf().fit(points)
        return Gaussian.of_precision(torch.from_numpy(model.location_), torch.from_numpy(model.get_precision()))

    def empty_model(self) -> nn.Module:
        return Gaussian.empty()
