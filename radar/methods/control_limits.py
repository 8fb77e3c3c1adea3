"""PCA as process monitoring uses it: Hotelling's T² in the kept components, Q beside them, and their control limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, f
from sklearn.decomposition import PCA

from radar.scoring.forest import Floats


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


@dataclass(frozen=True)
class ControlChart:
    """T² and Q of observations, and their limits."""

    mean: Floats  # (F,)
    components: Floats  # (K, F)
    variances: Floats  # (K,)
    t2_limit: float
    q_limit: float

    @staticmethod
    def fit(points: Floats, *, explained_variance: float, confidence: float) -> ControlChart:
        """A chart of normal points `(N, F)`, N > 2, F > 1; fewer components than points and than F are kept."""
        model = PCA(svd_solver="full").fit(points)
        share = np.cumsum(model.explained_variance_ratio_)
        kept = min(int(np.searchsorted(share, explained_variance)) + 1, len(points) - 2, points.shape[1] - 1)
        rounding = np.finfo(np.float64).eps * float(model.explained_variance_.sum())
        return ControlChart(
            model.mean_,
            model.components_[:kept],
            np.maximum(model.explained_variance_[:kept], np.finfo(np.float64).tiny),
            t2_limit(len(points), kept, confidence),
            max(q_limit(model.explained_variance_[kept:], confidence), rounding),
        )

    def t2(self, points: Floats) -> Floats:
        """Hotelling's T² `(M,)`."""
        values: Floats = (((points - self.mean) @ self.components.T) ** 2 / self.variances).sum(axis=1)
        return values

    def q(self, points: Floats) -> Floats:
        """Squared prediction error `(M,)`."""
        centred = points - self.mean
        values: Floats = ((centred - centred @ self.components.T @ self.components) ** 2).sum(axis=1)
        return values

    def score(self, points: Floats, statistic: str) -> Floats:
        """T², Q, or the larger of the two, over their limits: above 1 is out of control."""
        t2 = self.t2(points) / self.t2_limit
        q = self.q(points) / self.q_limit
        return {"t2": t2, "q": q, "both": np.maximum(t2, q)}[statistic]
