"""One-class support vector machine of windows (Schölkopf et al. 2001), Gaussian kernel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.svm import OneClassSVM
from torch import Tensor, nn

from radar.config.fields import number, section
from radar.config.method_settings import ReductionConfig
from radar.methods.parts.windows import WindowMethod, WindowsConfig
from radar.scoring.forest import Floats


@dataclass
class OneClassSvmWindowsConfig(WindowsConfig):
    """Windows, and how many of them may lie outside."""

    nu: float = number(above=0.0, maximum=1.0)  # bound of the share outside


@dataclass
class OneClassSvmSettings:
    """Keys of `method=one_class_svm`."""

    reduction: ReductionConfig = section(ReductionConfig)
    windows: OneClassSvmWindowsConfig = section(OneClassSvmWindowsConfig)


class SupportVectors(nn.Module):
    """Weighted kernels exp(−γ‖x − v‖²) around support vectors; all float64."""

    vectors: Tensor  # (S, F)
    weights: Tensor  # (S,)
    gamma: Tensor

    def __init__(self, vectors: Tensor, weights: Tensor, gamma: Tensor) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors)
        self.register_buffer("weights", weights)
        self.register_buffer("gamma", gamma)

    @staticmethod
    def empty() -> SupportVectors:
        """One that stored vectors are loaded into."""
        return SupportVectors(*(torch.zeros(0) for _ in range(3)))

    @staticmethod
    def fit(points: Floats, nu: float) -> SupportVectors:
        """Of normal points `(N, F)`; γ is one over F times their variance, or 1 where they do not vary."""
        variance = float(points.var())
        gamma = 1 / (points.shape[1] * variance) if variance > 0 else 1.0
        model = OneClassSVM(nu=nu, gamma=gamma).fit(points)
        vectors, weights = (torch.from_numpy(array.copy()) for array in (model.support_vectors_, model.dual_coef_[0]))
        return SupportVectors(vectors, weights, torch.tensor(gamma, dtype=torch.float64))

    def forward(self, points: Tensor) -> Tensor:
        """Points `(M, F)` → `(M,)`: by how much each misses what one would reach that equals every support vector."""
        kernels = torch.exp(-self.gamma * torch.cdist(points, self.vectors).square())
        return self.weights.sum() - kernels @ self.weights


class OneClassSvmMethod(WindowMethod[OneClassSvmSettings]):
    """How far from the support of normal windows."""

    name = "one_class_svm"
    Settings = OneClassSvmSettings

    def fit_model(self, points: Floats) -> nn.Module:
        return SupportVectors.fit(points, self.settings.windows.nu)

    def empty_model(self) -> nn.Module:
        return SupportVectors.empty()
