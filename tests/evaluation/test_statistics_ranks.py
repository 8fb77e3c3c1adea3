"""Ranks of methods over data sets, on the example of Demšar, Statistical Comparisons of Classifiers (JMLR 7, 2006), table 6.

In the row *voting* the third and the fourth figure are printed alike, but ranked 2 and 3: the third is raised here by 1e-4.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from scipy.stats import friedmanchisquare

from radar.evaluation.statistics_ranks import cliques, compare_ranks, critical_difference, mean_ranks

EXAMPLE = np.array(
    [
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967], [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931], [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875], [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
    ]
)  # fmt: skip


def test_the_published_example() -> None:
    compared = compare_ranks(EXAMPLE, 0.05)
    np.testing.assert_allclose(compared.ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    # printed as 1.25, from q = 2.569
    assert compared.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    # printed F = 3.69 on (3, 39) degrees of freedom, without the correction for ties that SciPy makes
    assert compared.p_value is not None
    assert 0.01 < compared.p_value < 0.025
    assert compared.datasets == 14


def test_ranks_count_from_one_and_ties_share_their_mean() -> None:
    assert mean_ranks([[0.9, 0.9, 0.4, 0.7]]).tolist() == [1.5, 1.5, 4, 3]
    assert mean_ranks([[0.9, 0.9, 0.4], [0.1, 0.5, 0.5]]).tolist() == [2.25, 1.5, 2.25]


@pytest.mark.parametrize(("methods", "quantile"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_the_published_quantiles(methods: int, quantile: float) -> None:
    """Demšar's table 5(a), α = .05."""
    assert critical_difference(methods, 1, 0.05) / np.sqrt(methods * (methods + 1) / 6) == pytest.approx(
        quantile, abs=1e-3
    )


def test_two_methods_have_no_friedman_test_and_equal_ones_no_difference() -> None:
    assert compare_ranks(EXAMPLE[:, :2], 0.05).p_value is None
    assert compare_ranks(np.ones((3, 3)), 0.05).p_value == 1
    assert compare_ranks([[1, 2, 3]] * 5, 0.05).p_value == pytest.approx(1 / 6**4)
    assert compare_ranks([[1, 2, 3]] * 2, 0.05).p_value == pytest.approx(1 / 6)
    assert compare_ranks([range(6)] * 9, 0.05).p_value == pytest.approx(1 / 720**8)


def test_few_ranks_have_the_p_value_of_all_their_arrangements() -> None:
    """Against SciPy's statistic of every arrangement, ties among them."""
    table = np.array([[0.9, 0.8, 0.7], [0.8, 0.8, 0.6], [0.5, 0.9, 0.4]])
    observed = friedmanchisquare(*table.T).statistic
    arranged = [
        friedmanchisquare(*np.array(rows).T).statistic for rows in product(*(list(permutations(row)) for row in table))
    ]
    expected = np.mean(np.array(arranged) >= observed - 1e-9)
    assert compare_ranks(table, 0.05).p_value == pytest.approx(expected)


def test_cliques_join_what_is_not_told_apart() -> None:
    assert cliques([3.143, 2.0, 2.893, 1.964], 1.25) == [(1.964, 3.143)]
    assert cliques([1.0, 1.5, 3.0, 3.4], 1.0) == [(1.0, 1.5), (3.0, 3.4)]
    assert cliques([1.0, 1.8, 2.6], 1.0) == [(1.0, 1.8), (1.8, 2.6)]
    assert cliques([1.0, 3.0], 1.0) == []


@pytest.mark.parametrize("factor", [1.0, 0.001, 1 / 9])
def test_what_rounding_of_a_sum_makes_differ_is_a_tie(factor: float) -> None:
    values = np.array([0.1, 0.2, 0.3, 0.7, 0.6]) * factor
    means = sorted({sum(order) / values.size for order in permutations(values.tolist())})
    assert len(means) > 1
    row = [means[0], means[-1], means[0] - 1e-9]
    assert mean_ranks([row, row]).tolist() == [1.5, 1.5, 3]
    alike = compare_ranks([means[:1] * 2 + means[-1:]] * 3, 0.05)
    assert (alike.ranks.tolist(), alike.p_value) == ([2, 2, 2], 1.0)
