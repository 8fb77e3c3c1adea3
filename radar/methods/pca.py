"""PCA as process monitoring uses it: Hotelling's T² in the kept components, Q beside them, over their control limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import chi2, f
from sklearn.decomposition import PCA
from torch import Tensor, nn

from radar.config.fields import choice, number, section
from radar.config.method_settings import ReductionConfig
from radar.methods.parts.windows import WindowMethod, WindowsConfig
from radar.scoring.forest import Floats


@dataclass
class PcaWindowsConfig(WindowsConfig):
    """Windows, and how many components are kept and judged."""

    explained_variance: float = number(above=0.0, below=1.0)  # share that the kept components explain
    statistic: str = choice("t2", "q", "both")  # both: the larger of the two over their control limits
    confidence: float = number(above=0.0, below=1.0)  # of the control limits


@dataclass
class PcaSettings:
    """Keys of `method=pca`."""

    reduction: ReductionConfig = section(ReductionConfig)
    windows: PcaWindowsConfig = section(PcaWindowsConfig)


class ControlChart(nn.Module):
    """T² and Q of points `(M, F)`, and their limits; all float64."""

    mean: Tensor  # (F,)
    components: Tensor  # (K, F)
    variances: Tensor  # (K,)
    t2_limit: Tensor
    q_limit: Tensor

    def __init__(self, statistic: str, **learnt: Tensor) -> None:
        super().__init__()
        self.statistic = statistic
        for name in ("mean", "components", "variances", "t2_limit", "q_limit"):
            self.register_buffer(name, learnt.get(name, torch.zeros(0, dtype=torch.float64)))

    @staticmethod
    def fit(points: Floats, *, explained_variance: float, confidence: float, statistic: str) -> ControlChart:
        """A chart of normal points `(N, F)`, N > 2, F > 1; fewer components than points and than F are kept."""
        model = PCA(svd_solver="full").fit(points)
        share = np.cumsum(model.explained_variance_ratio_)
        kept = min(int(np.searchsorted(share, explained_variance)) + 1, len(points) - 2, points.shape[1] - 1)
        rounding = np.finfo(np.float64).eps * float(model.explained_variance_.sum())
        limit = max(q_limit(model.explained_variance_[kept:], confidence), rounding)
        variances = np.maximum(model.explained_variance_[:kept], np.finfo(np.float64).tiny)
        return ControlChart(
            statistic,
            mean=torch.from_numpy(model.mean_),
            components=torch.from_numpy(model.components_[:kept].copy()),
            variances=torch.from_numpy(variances),
            t2_limit=torch.tensor(t2_limit(len(points), kept, confidence), dtype=torch.float64),
            q_limit=torch.tensor(limit, dtype=torch.float64),
        )

    def t2(self, points: Tensor) -> Tensor:
        """Hotelling's T² `(M,)`."""
        return (((points - self.mean) @ self.components.T).square() / self.variances).sum(dim=1)

    def q(self, points: Tensor) -> Tensor:
        """Squared prediction error `(M,)`."""
        centred = points - self.mean
        return (centred - centred @ self.components.T @ self.components).square().sum(dim=1)

    def forward(self, points: Tensor) -> Tensor:
        """T², Q, or the larger of the two, over their limits: above 1 is out of control."""
        if self.statistic == "t2":
            return self.t2(points) / self.t2_limit
        if self.statistic == "q":
            return self.q(points) / self.q_limit
        return torch.maximum(self.t2(points) / self.t2_limit, self.q(points) / self.q_limit)


class PcaMethod(WindowMethod[PcaSettings]):
    """A control chart of windows."""

    name = "pca"
    Settings = PcaSettings

    def fit_model(self, points: Floats) -> nn.Module:
        windows = self.settings.windows
        return ControlChart.fit(
            points,
            explained_variance=windows.explained_variance,
            confidence=windows.confidence,
            statistic=windows.statistic,
        )

    def empty_model(self) -> nn.Module:
        return ControlChart(self.settings.windows.statistic)


def t2_limit(count: int, kept: int, confidence: float) -> float:
    """Limit of T² for a new observation, from `count` Gaussian observations and `kept` components (Jackson 1991, eq. 1.4.1)."""
    factor = kept * (count - 1) * (count + 1) / (count * (count - kept))
    return float(factor * f.ppf(confidence, kept, count - kept))


def q_limit(residual_variances: Floats, confidence: float) -> float:
    """Limit of Q from the variances of the components that were left out.

    Q is a sum of squared Gaussians; it is taken for a shifted χ² of its mean, variance and skewness (Buckley & Eagleson 1988). The
    usual power transform (Jackson & Mudholkar 1979) has no real limit where one variance stands far above many small ones.
    """
    first, second, third = (float((residual_variances**power).sum()) for power in (1, 2, 3))
    if first == 0:
        return 0.0
    freedom = second**3 / third**2
    return float(first + np.sqrt(second / freedom) * (chi2.ppf(confidence, freedom) - freedom))
