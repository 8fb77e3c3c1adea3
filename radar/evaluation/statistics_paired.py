"""Is one method better than another on the same images, or over the same seeds?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, norm, rankdata, t, ttest_rel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AurocComparison:
    """Two AUROCs on the same images, `difference` = second − first with its standard error, interval and two-sided p.

    Error, interval and p are NaN where the images cannot tell them.
    """

    first: float
    second: float
    difference: float
    standard_error: float
    low: float
    high: float
    p_value: float


def two_of_each(labels: ArrayLike) -> bool:
    """Whether `labels` (N,) 0 / 1 have two images of each kind, without which AUROCs have no error to be compared by."""
    anomalous = np.asarray(labels).astype(np.bool_)
    return bool(min(anomalous.sum(), (~anomalous).sum()) > 1)


def delong(labels: ArrayLike, first: ArrayLike, second: ArrayLike, level: float) -> AurocComparison:
    """DeLong's test of two correlated AUROCs (DeLong, DeLong and Clarke-Pearson 1988), by midranks (Sun and Xu 2014).

    `labels` (N,) 0 / 1 with at least one of each; scores (N,), or (S, N) for S seeds, whose mean AUROC is then compared: the
    seeds are taken as given, and images as independent. Where groups are known, a bootstrap over groups belongs beside it.
    Equal rankings have p = 1. Fewer than two images of a kind have no variance, and a variance of 0 beside different AUROCs says
    nothing of their error: what rests on it is NaN.
    """
    truth = np.asarray(labels).astype(np.bool_)
    parts = [_mean_placements(truth, np.atleast_2d(np.asarray(scores, dtype=np.float64))) for scores in (first, second)]
    on_anomalous, on_normal = (np.stack([part[kind] for part in parts]) for kind in (0, 1))
    aurocs = on_anomalous.mean(axis=1)
    difference = float(aurocs[1] - aurocs[0])
    if not two_of_each(truth):
        return _without_error(aurocs)
    covariance = np.cov(on_anomalous) / truth.sum() + np.cov(on_normal) / (~truth).sum()
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    error = float(np.sqrt(max(variance, 0.0)))
    if error <= 1e-12 < abs(difference):
        return _without_error(aurocs)
    reach = float(norm.ppf((1 + level) / 2)) * error
    p_value = 2 * float(norm.sf(abs(difference) / error)) if error > 1e-12 else 1.0
    return AurocComparison(
        float(aurocs[0]), float(aurocs[1]), difference, error, difference - reach, difference + reach, p_value
    )


def _without_error(aurocs: Floats) -> AurocComparison:
    return AurocComparison(float(aurocs[0]), float(aurocs[1]), float(aurocs[1] - aurocs[0]), *[float("nan")] * 4)


def _mean_placements(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Placements of each image among those of the other kind, averaged over the seeds of `scores` (S, N)."""
    placed = [_placements(truth, each) for each in scores]
    above, below = (np.mean([pair[kind] for pair in placed], axis=0) for kind in (0, 1))
    return above, below


def _placements(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """For each anomalous image the share of normal ones below it, and for each normal one that of anomalous ones above."""
    normal, anomalous = int((~truth).sum()), int(truth.sum())
    ranks = rankdata(scores)
    above: Floats = (ranks[truth] - rankdata(scores[truth])) / normal
    below: Floats = 1 - (ranks[~truth] - rankdata(scores[~truth])) / anomalous
    return above, below


@dataclass(frozen=True, slots=True)
class DecisionComparison:
    """McNemar's exact test: images that only the first or only the second method decides right, and the two-sided p."""

    only_first_right: int
    only_second_right: int
    p_value: float


def mcnemar_exact(first_right: ArrayLike, second_right: ArrayLike) -> DecisionComparison:
    """Compare two methods' decisions, each (N,) bool: right or wrong on the same images."""
    first, second = np.asarray(first_right, dtype=np.bool_), np.asarray(second_right, dtype=np.bool_)
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    discordant = only_first + only_second
    p_value = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return DecisionComparison(only_first, only_second, p_value)


@dataclass(frozen=True, slots=True)
class SeedComparison:
    """The same seeds under two methods: mean of second − first, its t interval, paired t test and standardised effect.

    `effect` is the mean difference over the standard deviation of the differences. Where all differences are equal, as where no seed
    changes a measure, their spread tells nothing: interval and p value are NaN, and the effect is None.
    """

    seeds: int
    difference: float
    low: float
    high: float
    p_value: float
    effect: float | None


def paired_seeds(first: ArrayLike, second: ArrayLike, level: float) -> SeedComparison:
    """Compare measures (S,) of the same S ≥ 2 seeds. With few seeds the interval is wide, and that is the finding."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    differences = other - one
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread < 1e-12:
        return SeedComparison(differences.size, mean, math.nan, math.nan, math.nan, None)
    reach = float(t.ppf((1 + level) / 2, differences.size - 1)) * spread / np.sqrt(differences.size)
    p_value = float(ttest_rel(other, one).pvalue)
    return SeedComparison(differences.size, mean, mean - reach, mean + reach, p_value, mean / spread)


def tests_made(p_values: ArrayLike) -> int:
    """How many of M tests could be made, which is the family that `holm` corrects for."""
    return int(np.isfinite(np.asarray(p_values, dtype=np.float64)).sum())


def holm(p_values: ArrayLike) -> Floats:
    """Holm's step-down adjusted p values (M,) of M tests: reject where they are at most α, and the family keeps α.

    NaN, a test that could not be made, is none of the family and stays NaN.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")[: tests_made(values)]
    stepped = np.maximum.accumulate(values[order] * np.arange(order.size, 0, -1))
    adjusted = np.full_like(values, np.nan)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
