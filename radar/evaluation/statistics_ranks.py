"""Several methods on several data sets: ranks, Friedman's test and Nemenyi's critical difference (Demšar 2006)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f, friedmanchisquare, rankdata, studentized_range

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RankComparison:
    """`ranks` (K,) are mean ranks over N data sets, 1 the best; methods whose ranks differ by less than
    `critical_difference` are not told apart at level α. `p_value` is that of Iman and Davenport's F, None for K < 3."""

    ranks: Floats
    critical_difference: float
    p_value: float | None
    datasets: int


def compare_ranks(measures: ArrayLike, alpha: float) -> RankComparison:
    """Compare `measures` (N, K), higher is better: N ≥ 2 data sets, K ≥ 2 methods, none missing."""
    table = np.asarray(measures, dtype=np.float64)
    ranks = rankdata(-table, axis=1).mean(axis=0)
    count, methods = table.shape
    return RankComparison(ranks, critical_difference(methods, count, alpha), _friedman_p(table), count)


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
    chi_squared = float(friedmanchisquare(*table.T).statistic)
    rest = count * (methods - 1) - chi_squared
    if rest <= 1e-9:  # every data set ranks the methods alike
        return 0.0
    return float(f.sf((count - 1) * chi_squared / rest, methods - 1, (methods - 1) * (count - 1)))


def cliques(ranks: ArrayLike, critical: float) -> list[tuple[float, float]]:
    """Largest runs of mean ranks that span less than `critical`, as (lowest, highest), of two methods or more."""
    ordered = np.sort(np.asarray(ranks, dtype=np.float64))
    runs: list[tuple[float, float]] = []
    for low in ordered:
        high = float(ordered[ordered < low + critical].max())
        if high > low and (not runs or high > runs[-1][1]):
            runs.append((float(low), high))
    return runs
