"""Paired comparisons: against scikit-learn, SciPy, sums over all pairs, and figures that statsmodels 0.15 gives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn.metrics import roc_auc_score

from radar.evaluation.statistics_paired import delong, holm, mcnemar_exact, paired_seeds, two_of_each

RANDOM = np.random.default_rng(1)
LABELS = np.repeat([0, 1], [40, 30])


def two_rankings(gain: float) -> tuple[np.ndarray, np.ndarray]:
    shared = RANDOM.normal(size=70)
    first = shared + LABELS + 0.5 * RANDOM.normal(size=70)
    return np.round(first, 1), np.round(shared + gain * LABELS + 0.5 * RANDOM.normal(size=70), 1)  # ties


def covariance_over_all_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """DeLong's S = S10 / m + S01 / n from the m × n comparisons themselves."""
    kernels = [
        np.where(np.subtract.outer(scores[LABELS == 1], scores[LABELS == 0]) > 0, 1.0, 0.0)
        + 0.5 * np.equal.outer(scores[LABELS == 1], scores[LABELS == 0])
        for scores in (first, second)
    ]
    ten, one = (np.cov(np.stack([kernel.mean(axis=axis) for kernel in kernels])) for axis in (1, 0))
    return ten / 30 + one / 40


def test_delong_agrees_with_the_sum_over_all_pairs() -> None:
    first, second = two_rankings(1.5)
    compared = delong(LABELS, first, second, 0.95)
    assert compared.first == pytest.approx(roc_auc_score(LABELS, first))
    assert compared.second == pytest.approx(roc_auc_score(LABELS, second))
    covariance = covariance_over_all_pairs(first, second)
    expected = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert compared.standard_error == pytest.approx(expected)
    assert compared.high - compared.low == pytest.approx(2 * 1.959964 * expected, rel=1e-6)


def test_delong_error_is_near_that_of_a_bootstrap() -> None:
    first, second = two_rankings(1.5)
    compared = delong(LABELS, first, second, 0.95)
    differences = []
    for _ in range(800):
        index = np.concatenate([RANDOM.integers(0, 40, 40), RANDOM.integers(40, 70, 30)])
        differences.append(roc_auc_score(LABELS, second[index]) - roc_auc_score(LABELS, first[index]))
    assert compared.standard_error == pytest.approx(np.std(differences), rel=0.15)


def test_delong_keeps_its_level_where_nothing_differs() -> None:
    found = []
    for _ in range(300):
        shared = RANDOM.normal(size=70) + LABELS
        first, second = shared + RANDOM.normal(size=70), shared + RANDOM.normal(size=70)
        found.append(delong(LABELS, first, second, 0.95).p_value)
    assert 0.02 <= np.mean(np.array(found) < 0.05) <= 0.09


def test_delong_over_seeds_compares_mean_aurocs() -> None:
    first, second = zip(*(two_rankings(1.5) for _ in range(3)), strict=True)
    compared = delong(LABELS, np.stack(first), np.stack(second), 0.95)
    assert compared.first == pytest.approx(np.mean([roc_auc_score(LABELS, scores) for scores in first]))
    once, thrice = delong(LABELS, first[0], second[0], 0.95), delong(LABELS, [first[0]] * 3, [second[0]] * 3, 0.95)
    assert (once.p_value, once.standard_error) == pytest.approx((thrice.p_value, thrice.standard_error))


def test_equal_rankings_do_not_differ() -> None:
    first, _ = two_rankings(1.0)
    compared = delong(LABELS, first, np.exp(first), 0.95)
    assert (compared.difference, compared.p_value, compared.low, compared.high) == (0, 1, 0, 0)
    turned = delong(LABELS, *two_rankings(2.0), 0.95)
    assert 0 < turned.p_value < 1


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [(1, 9, 0.021484375), (4, 4, 1.0), (0, 5, 0.0625), (25, 12, 0.04703102743951604)],
)
def test_mcnemar_is_that_of_statsmodels(only_first: int, only_second: int, p_value: float) -> None:
    first = np.repeat([True, False, True, False], [only_first, only_second, 30, 20])
    second = np.repeat([False, True, True, False], [only_first, only_second, 30, 20])
    compared = mcnemar_exact(first, second)
    assert (compared.only_first_right, compared.only_second_right) == (only_first, only_second)
    assert compared.p_value == pytest.approx(p_value)


def test_mcnemar_without_a_difference() -> None:
    assert mcnemar_exact([True, False], [True, False]).p_value == 1


def test_paired_seeds_are_scipys() -> None:
    first, second = np.array([0.91, 0.93, 0.92, 0.90]), np.array([0.95, 0.94, 0.97, 0.93])
    compared = paired_seeds(first, second, 0.95)
    theirs = ttest_rel(second, first)
    interval = theirs.confidence_interval(0.95)
    assert (compared.p_value, compared.low, compared.high) == pytest.approx(
        (theirs.pvalue, interval.low, interval.high)
    )
    assert compared.effect == pytest.approx(compared.difference / np.std(second - first, ddof=1))


@pytest.mark.parametrize("second", [[0.5, 0.75, 0.6], [0.7, 0.95, 0.8]], ids=["equal", "all by as much"])
def test_seeds_that_all_differ_alike_tell_no_spread_and_so_no_p_value(second: list[float]) -> None:
    alike = paired_seeds([0.5, 0.75, 0.6], second, 0.95)
    assert alike.difference == pytest.approx(second[0] - 0.5) and alike.effect is None
    assert np.isnan([alike.low, alike.high, alike.p_value]).all()


def test_holm_is_that_of_statsmodels() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005, 0.2]), [0.04, 0.09, 0.09, 0.025, 0.2])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1, 1])
    assert holm([]).size == 0
    adjusted = holm([0.01, np.nan, 0.04, 0.03, np.nan, 0.005, 0.2])
    np.testing.assert_allclose(adjusted, [0.04, np.nan, 0.09, 0.09, np.nan, 0.025, 0.2])


@pytest.mark.parametrize(
    ("labels", "first", "second"),
    [
        pytest.param([0, 0, 1], [1, 2, 3], [1, 3, 2], id="one anomalous image"),
        pytest.param([0, 1, 1], [1, 2, 3], [2, 1, 3], id="one normal image"),
        pytest.param([0, 0, 1, 1], [1, 2, 3, 4], [3, 4, 1, 2], id="no variance"),
    ],
)
def test_what_images_cannot_tell_has_no_p_value(labels: list[int], first: list[int], second: list[int]) -> None:
    compared = delong(labels, first, second, 0.95)
    assert compared.difference < 0
    assert np.isnan([compared.p_value, compared.standard_error, compared.low, compared.high]).all()
    assert two_of_each(labels) == (len(labels) == 4)
