"""What a count says of the share behind it, where some of what was counted belongs together."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.stats import beta, fisher_exact


class Interval(NamedTuple):
    """Both ends in [0, 1]."""

    low: float
    high: float


def share_interval(found: float, count: int, worth: float, level: float) -> Interval:
    """The central interval at `level` in (0, 1) for the share behind `found` of `count` ≥ 1 images, which are `worth` so many
    independent ones, from 1 to `count`.

    Clopper and Pearson (1934) where every image is a group of its own. Images of one group may be alike wholly, so fewer groups
    count as that many images, the share being kept (Kish 1965, the design effect of a correlation of one).
    """
    hits, tail = found / count * worth, (1 - level) / 2
    low = 0.0 if found == 0 else float(beta.ppf(tail, hits, worth - hits + 1))
    high = 1.0 if found == count else float(beta.ppf(1 - tail, hits + 1, worth - hits))
    return Interval(low, high)


def is_larger(share: float, worth: float, other: float, other_worth: float, level: float) -> bool:
    """Whether `share` of some images shows at `level` in (0, 1) that it is larger than `other` of others; some are worth `worth`
    independent images and the others `other_worth`, from 1.

    The exact test of Fisher (1934), of one side at half of what `level` leaves. Groups count as in `share_interval`; where they are
    no whole number of images, it is rounded towards not larger.
    """
    images, others = math.floor(worth), math.floor(other_worth)
    # of shares that were counted, whole numbers come back with an error of rounding
    hits, other_hits = math.floor(share * images + 1e-9), math.ceil(other * others - 1e-9)
    table = [[hits, images - hits], [other_hits, others - other_hits]]
    return bool(fisher_exact(table, alternative="greater").pvalue <= (1 - level) / 2)
