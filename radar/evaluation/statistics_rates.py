"""A rate of images and its interval, where images of one group are not independent."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta

from radar.evaluation.statistics_proportions import share_interval
from radar.scoring.threshold import conformal_quantile, conformal_rank


@dataclass(frozen=True, slots=True)
class Rate:
    """`flagged` of `images`, in `groups`, with the interval of the rate; all rates in [0, 1]."""

    flagged: float
    images: int
    groups: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share that is flagged."""
        return self.flagged / self.images


def grouped_rate(flagged: ArrayLike, groups: Sequence[str], level: float) -> Rate:
    """The rate of `flagged` (N,) in [0, 1], N ≥ 1, in `groups` (N,): bool, or the share of seeds that flag the image.

    The interval is the exact one (Clopper and Pearson 1934) of as many independent images as these are worth where all images of a
    group are alike: N² / Σ m² of groups of m images (Kish 1965, the design effect of a correlation of one). It is no estimate: few
    groups, or few flagged images, do not tell how alike images of a group are, and ends that follow an estimate (Korn and Graubard
    1998) can fall when more images are flagged. Where images of a group are less alike, it covers more than it says.
    """
    values = np.asarray(flagged, dtype=np.float64)
    low, high = share_interval(float(values.sum()), values.size, worth(groups), level)
    return Rate(float(values.sum()), values.size, len(set(groups)), low, high)


def worth(groups: Sequence[str]) -> float:
    """How many independent images those in `groups` (N,) are worth, where all images of a group are alike: N² / Σ m²."""
    sizes = np.unique(groups, return_counts=True)[1]
    return len(groups) ** 2 / float((sizes**2).sum())


def promised_rate(scores: ArrayLike, groups: Sequence[Hashable], contamination: float) -> float:
    """What the expected rate of false alarms of the conformal quantile of normal scores (N,) in `groups` (N,) does not exceed.

    A new image is of a new group, and groups are exchangeable, not their images: of each group g a share s_g of its scores lies above
    the quantile, and the new group counts as one more, all above it, (1 + Σ s_g) / (G + 1) (Lee, Barber and Willett 2023). Where every
    image is its own group that is the contamination, or one over their number and one more.
    """
    values = np.asarray(scores, dtype=np.float64)
    above = values > conformal_quantile(values, contamination)
    of_group: dict[Hashable, list[bool]] = {}
    for group, is_above in zip(groups, above, strict=True):
        of_group.setdefault(group, []).append(bool(is_above))
    shares = [sum(each) / len(each) for each in of_group.values()]
    return max(contamination, (1 + sum(shares)) / (len(shares) + 1))


def delivered_rates(count: int, contamination: float, level: float) -> tuple[float, float, float]:
    """The rate of false alarms of a conformal quantile of `count` independent scores: expected, and the central interval that holds
    it for `level` of such thresholds. Above the r-th of n scores it has the distribution Beta(n + 1 − r, r)."""
    rank = conformal_rank(count, contamination)
    rates = beta(count + 1 - rank, rank)
    low, high = rates.interval(level)
    return float(rates.mean()), float(low), float(high)
