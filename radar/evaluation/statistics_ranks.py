"""Several methods on several data sets: ranks, Friedman's test and Nemenyi's critical difference (Demšar 2006)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f, friedmanchisquare, rankdata, studentized_range

from radar.evaluation.comparable import comparable

Floats = NDArray[np.float64]
_ENUMERATED = 200_000  # most arrangements of the ranks that are gone through one by one


@dataclass(frozen=True, eq=False)
class RankComparison:
    """`ranks` (K,) are mean ranks over N data sets, 1 the best; methods whose ranks differ by less than
    `critical_difference` are not told apart at level α. `p_value` is Friedman's, None for K < 3: exact where the arrangements of
    the ranks within data sets are few, else that of Iman and Davenport's F, and never below the smallest exact one."""

    ranks: Floats
    critical_difference: float
    p_value: float | None
    datasets: int


def mean_ranks(measures: ArrayLike) -> Floats:
    """Mean ranks (K,) of `measures` (N, K), of which higher is better, over N data sets: 1 is the best, ties share their mean."""
    return _mean_ranks(_comparable(measures))


def compare_ranks(measures: ArrayLike, alpha: float) -> RankComparison:
    """Compare `measures` (N, K), higher is better: N ≥ 2 data sets, K ≥ 2 methods, none missing."""
    table = _comparable(measures)
    count, methods = table.shape
    return RankComparison(_mean_ranks(table), critical_difference(methods, count, alpha), _friedman_p(table), count)


def _mean_ranks(table: Floats) -> Floats:
    ranks: Floats = rankdata(-table, axis=1).mean(axis=0)
    return ranks


def _comparable(measures: ArrayLike) -> Floats:
    rows: Floats = np.vectorize(comparable, otypes=[np.float64])(measures)
    return rows


def critical_difference(methods: int, datasets: int, alpha: float) -> float:
    """Nemenyi's critical difference of mean ranks: q_α · √(k(k + 1) / 6N)."""
    quantile = float(studentized_range.ppf(1 - alpha, methods, np.inf)) / np.sqrt(2)
    return float(quantile * np.sqrt(methods * (methods + 1) / (6 * datasets)))


def _friedman_p(table: Floats) -> float | None:
    count, methods = table.shape
    if methods < 3:
        return None
    if np.all(table == table[:, :1]):
        return 1.0
    # the first data set's ranks may stay: only relative order counts
    arrangements = int(factorial(methods) ** (count - 1))
    if arrangements <= _ENUMERATED:
        return _exact_p(rankdata(table, axis=1))
    chi_squared = float(friedmanchisquare(*table.T).statistic)
    rest = count * (methods - 1) - chi_squared
    if rest <= 1e-9:  # every data set ranks the methods alike
        return 1 / arrangements
    p_value = float(f.sf((count - 1) * chi_squared / rest, methods - 1, (methods - 1) * (count - 1)))
    return max(p_value, 1 / arrangements)


def _exact_p(ranks: Floats) -> float:
    """Share of the arrangements of ranks (N, K) within data sets whose sums per method spread as far as those observed."""
    orders = np.array(list(permutations(range(ranks.shape[1]))))
    sums = ranks[:1]
    for row in ranks[1:]:
        sums = (sums[:, None, :] + row[orders][None]).reshape(-1, ranks.shape[1])
    spreads, observed = np.square(sums).sum(axis=1), np.square(ranks.sum(axis=0)).sum()
    return float(np.mean(spreads >= observed - 1e-9))


def cliques(ranks: ArrayLike, critical: float) -> list[tuple[float, float]]:
    """Largest runs of mean ranks that span less than `critical`, as (lowest, highest), of two methods or more."""
    ordered = np.sort(np.asarray(ranks, dtype=np.float64))
    runs: list[tuple[float, float]] = []
    for low in ordered:
        high = float(ordered[ordered < low + critical].max())
        if high > low and (not runs or high > runs[-1][1]):
            runs.append((float(low), high))
    return runs
