"""A rate of images and its interval, where images of one group are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

from radar.scoring.threshold import conformal_rank


@dataclass(frozen=True, slots=True)
class Rate:
    """`flagged` of `images`, in `groups`, with the interval of the rate; all rates in [0, 1]."""

    flagged: int
    images: int
    groups: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share that is flagged."""
        return self.flagged / self.images


def grouped_rate(flagged: ArrayLike, groups: Sequence[str], level: float) -> Rate:
    """The rate of `flagged` (N,) bool in `groups` (N,), N ≥ 1, with the exact interval (Clopper and Pearson) of as many independent
    images as these are worth (Korn and Graubard 1998): their number over the design effect, the variance of the rate over that of
    independent images.

    The effect is estimated from the groups' sums, and lies between 1 and what it is where all images of a group are alike; it is that
    where nothing or everything is flagged, which tells no variance. Where every image is its own group it is 1.
    """
    values = np.asarray(flagged, dtype=np.float64)
    of_image = np.unique(groups, return_inverse=True)[1]
    sizes, sums = np.bincount(of_image), np.bincount(of_image, weights=values)
    worth = values.size / _design_effect(sizes, sums)
    low, high = _exact(float(values.mean()) * worth, worth, level)
    return Rate(int(values.sum()), values.size, sizes.size, low, high)


def promised_rate(count: int, contamination: float) -> float:
    """What the expected rate of false alarms of a conformal quantile of `count` normal scores does not exceed."""
    return max(contamination, 1 / (count + 1))


def delivered_rates(count: int, contamination: float, level: float) -> tuple[float, float, float]:
    """The rate of false alarms of a conformal quantile of `count` independent scores: expected, and the central interval that holds
    it for `level` of such thresholds. Above the r-th of n scores it has the distribution Beta(n + 1 − r, r)."""
    rank = conformal_rank(count, contamination)
    rates = beta(count + 1 - rank, rank)
    low, high = rates.interval(level)
    return float(rates.mean()), float(low), float(high)


def _design_effect(sizes: NDArray[Any], sums: NDArray[Any]) -> float:
    """Of groups of `sizes` (G,) with `sums` (G,) of flagged images."""
    images, largest = sizes.sum(), float((sizes**2).sum() / sizes.sum())
    rate = sums.sum() / images
    independent = rate * (1 - rate) / images
    if independent == 0 or sizes.size == 1:
        return largest
    variance = sizes.size / (sizes.size - 1) * ((sums - rate * sizes) ** 2).sum() / images**2
    return float(np.clip(variance / independent, 1.0, largest))


def _exact(flagged: float, images: float, level: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of a rate, of numbers that need not be whole."""
    tail = (1 - level) / 2
    low = 0.0 if flagged <= 0 else float(beta.ppf(tail, flagged, images - flagged + 1))
    high = 1.0 if flagged >= images else float(beta.ppf(1 - tail, flagged + 1, images - flagged))
    return low, high
