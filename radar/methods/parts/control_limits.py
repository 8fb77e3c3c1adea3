"""Control limits of Hotelling's T² and of Q, as process monitoring sets them."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2, f

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
