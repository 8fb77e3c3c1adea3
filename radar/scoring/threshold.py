"""From scores of normal images to the score above which the decision is anomalous."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radar.scoring.forest import Floats

# 1.4826 · median absolute deviation estimates the standard deviation of a Gaussian
GAUSSIAN_MAD = 1.4826
# by how much it is too small on n values (Croux & Rousseeuw 1992, "Time-efficient algorithms for two highly robust estimators
# of scale")
_SMALL_SAMPLE = {2: 1.196, 3: 1.495, 4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}
_MAD_EFFICIENCY = 0.37  # on Gaussian values: how many squared deviations one absolute deviation is worth
_ROUNDING = 1e-9  # of a sum of shares
_MEDIAN_VARIANCE = np.pi / 2  # of a median of Gaussian values, times their number over their variance


def conformal_quantile(scores: Floats, contamination: float) -> float:
    """The ⌈(n + 1)(1 − contamination)⌉-th of n normal scores `(n,)`, or the largest where n is too small for it.

    On n ≥ 1 / contamination − 1 scores exchangeable with new ones, the expected share of false alarms is at most the
    contamination, with fewer it is up to 1 / (n + 1) (Vovk et al. 2005).
    """
    return float(np.sort(scores)[conformal_rank(len(scores), contamination) - 1])


def conformal_rank(count: int, contamination: float) -> int:
    """Which of `count` ascending scores the conformal quantile is, from 1."""
    return min(count, int(np.ceil((count + 1) * (1 - contamination) - _ROUNDING)))


def grouped_quantile(scores: Floats, groups: Sequence[str], contamination: float) -> float:
    """The lowest of N normal scores `(N,)` of G `groups` (N,) that keeps the contamination for images of a new group, or the largest.

    Groups are exchangeable with a new one, their images are not: of group g a share s_g lies above a score, the new group counts as
    one more, all above it, and (1 + Σ s_g) / (G + 1) is at most the contamination (Lee, Barber and Willett 2023, hierarchical
    conformal prediction). So few groups as cannot keep it, fewer than 1 / contamination − 1, get the largest score. Where every
    image is a group of its own, it is the conformal quantile.
    """
    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    descending = np.argsort(scores)[::-1]
    shares = np.cumsum(1 / sizes[place[descending]])  # of those from the largest score on, it included
    kept = np.count_nonzero(1 + shares <= contamination * (len(sizes) + 1) + _ROUNDING)
    return float(scores[descending[kept]])


def shifted_quantile(fitting: Floats, held_out: Floats, contamination: float, *, prior: float) -> float:
    """The conformal quantile of N fitting scores `(N,)`, moved to where n held-out ones `(n,)` lie and as wide as they are.

    Scores of fitting images tell the shape of the distribution, but may lie too low; held-out ones lie where new ones
    will, but few of them tell no tail, and the largest is one image's. With medians m and spreads s = 1.4826 · median
    absolute deviation, corrected for small samples,

        threshold = m_held + s · √(1 + π / 2n) · (quantile(fitting) − m_fit) / s_fit,
        s² = (prior · s_fit² + w · s_held²) / (prior + w),    w = .37 (n − 1).

    `prior` is how many squared deviations the fitting spread counts for, .37 the efficiency of the median absolute
    deviation; so few held-out scores may shift the threshold at once, but widen it only as they grow in number. The root allows
    for the error of their median. Less than half of the held-out scores, however far out, move the threshold within bounds. No
    rate of false alarms is guaranteed, as the shape must be shared. With N ≥ 39 Gaussian or skewed (by 1) fitting scores,
    n from 4 to 26 and `prior` 2 it came within a factor 1.5 of contaminations .05 and .1, and 2 of .01 with N = 199, n = 26;
    it doubles where n = 4 held-out scores are half as wide again (tests/scoring/test_threshold.py). Fewer than
    1 / contamination − 1 fitting scores cannot promise that rate at all. Where more than half of
    the fitting scores are equal they have no shape, and it is the conformal quantile of the held-out ones.
    """
    fitting_median, held_out_median = np.median(fitting), np.median(held_out)
    fitting_spread, held_out_spread = robust_spread(fitting), robust_spread(held_out)
    if fitting_spread == 0:
        return conformal_quantile(held_out, contamination)
    weight = _MAD_EFFICIENCY * (len(held_out) - 1)
    spread = np.sqrt((prior * fitting_spread**2 + weight * held_out_spread**2) / (prior + weight))
    reach = (conformal_quantile(fitting, contamination) - fitting_median) / fitting_spread
    return float(held_out_median + spread * np.sqrt(1 + _MEDIAN_VARIANCE / len(held_out)) * reach)


def robust_spread(scores: Floats) -> float:
    """The standard deviation of n ≥ 2 Gaussian scores `(n,)`, from their median absolute deviation; unbiased for small n, too."""
    count = len(scores)
    correction = _SMALL_SAMPLE.get(count) or count / (count - 0.8)
    return float(GAUSSIAN_MAD * correction * np.median(np.abs(scores - np.median(scores))))
