"""A control chart for values of any distribution: an EWMA of sequential normal scores, whose in-control run length is known.

Each value is ranked among the baseline and all values before it. Of exchangeable values these ranks are independent, and uniform,
whatever the distribution and however small the baseline (Parzen 1960; McDonald 1990, "A CUSUM procedure based on sequential
ranks"), so their normal scores are what the EWMA's run length is computed for. An outlier has a rank and no more weight.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import norm

from radar.scoring.forest import Floats

_NODES = 128  # of the quadrature, at least
_NODES_PER_STEP = 8  # within a standard deviation of what one value adds to the EWMA
_NARROWEST, _WIDER = 0.01, 0.25  # limits are sought from here on, by steps, in standard deviations of the EWMA


def run_length(limit: float, weight: float) -> float:
    """Average number of independent standard normal values until their EWMA, begun at 0, leaves ±`limit`.

    `weight` λ in (0, 1] is that of the newest value. Solves L(u) = 1 + ∫ L(x) φ((x − (1 − λ) u) / λ) dx / λ over ±`limit` by
    Gauss–Legendre quadrature (Crowder 1987, "A simple method for studying run-length distributions of EWMA charts").
    """
    count = max(_NODES, math.ceil(_NODES_PER_STEP * limit / weight))
    nodes, masses = np.polynomial.legendre.leggauss(count)
    places = limit * nodes

    def density(before: Floats) -> Floats:
        return np.asarray(norm.pdf((places - (1 - weight) * before) / weight) * limit * masses / weight)

    from_places = np.linalg.solve(np.eye(count) - density(places[:, None]), np.ones(count))
    return 1 + float(density(np.zeros(1)) @ from_places)


def limit_for(length: float, weight: float) -> float:
    """The limit whose in-control run length is `length` ≥ 2 values; the inverse of `run_length`."""
    deviation = math.sqrt(weight / (2 - weight))  # of the EWMA, once it is long under way

    def excess(width: float) -> float:
        return float(np.log(run_length(width * deviation, weight) / length))

    width = _NARROWEST
    while (
        excess(width + _WIDER) < 0
    ):  # far beyond the limit, the run length is too long to be told from rounding errors
        width += _WIDER
    return float(brentq(excess, width, width + _WIDER)) * deviation


def finds_a_step(count: int, weight: float, limit: float) -> bool:
    """Whether the EWMA leaves ±`limit` where, after `count` values, all are one value beyond those: no change is larger.

    A rank among few values has a bounded normal score, so the limit of a large `weight` or of a long run may never be reached.
    """
    level, before, more = 0.0, -math.inf, 0
    while before < level <= limit:  # later ones are less and less new, so it falls again
        before, more = level, more + 1
        level += weight * (
            float(ndtri((count + more / 2) / (count + more))) - level
        )  # equal ones share their mean rank
    return level > limit


def ewma(values: Floats, baseline: Floats, weight: float, limit: float) -> tuple[Floats, int | None]:
    """The EWMA `(N,)` of the values' sequential normal scores, and the index of the first beyond ±`limit`, None where none is.

    Of i values so far, baseline and itself included, the one of rank r has the score Φ⁻¹((r − ½) / i); equal ones share their
    mean rank. From the alarm on values are ranked and not added, so the chart stays out as long as the change lasts.
    """
    known, level, alarm = sorted(baseline.tolist()), 0.0, None
    levels = np.empty(len(values))
    for index, value in enumerate(values.tolist()):
        rank = (bisect_left(known, value) + bisect_right(known, value) + 1) / 2
        level += weight * (float(ndtri(rank / (len(known) + 1))) - level)
        levels[index] = level
        if alarm is None and abs(level) > limit:
            alarm = index
        if alarm is None:
            insort(known, value)
    return levels, alarm
