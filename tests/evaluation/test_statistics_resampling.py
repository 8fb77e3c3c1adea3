"""Permutation and bootstrap over groups: against SciPy where groups are single images, and on planted dependence."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import bootstrap, ks_2samp, wasserstein_distance
from sklearn.metrics import roc_auc_score

from radar.evaluation.statistics_resampling import (
    Units,
    bootstrap_weights,
    ks_of_counts,
    percentile_interval,
    permutation_p,
    two_kinds,
    wasserstein_of_counts,
    weighted_aurocs,
)

RANDOM = np.random.default_rng(3)


def single(count: int) -> list[str]:
    return [str(index) for index in range(count)]


def one_hot(values: np.ndarray) -> np.ndarray:
    return np.eye(np.unique(values).size)[np.unique(values, return_inverse=True)[1]]


def p_of(values: np.ndarray, units: Units, permutations: int, random: np.random.Generator = RANDOM) -> float:
    assigned = units.assignments(permutations, random)
    return permutation_p(ks_of_counts(*two_kinds(units.sums(one_hot(values)), assigned)))


def test_distances_of_counts_are_scipys_for_every_assignment() -> None:
    values = RANDOM.integers(0, 9, size=14).astype(float)  # with ties
    assignments = np.array([RANDOM.permutation(np.repeat([False, True], 7)) for _ in range(20)])
    first, second = two_kinds(one_hot(values), assignments)
    ks = [ks_2samp(values[~each], values[each], method="asymp").statistic for each in assignments]
    np.testing.assert_allclose(ks_of_counts(first, second), ks)
    moved = [wasserstein_distance(values[~each], values[each]) for each in assignments]
    np.testing.assert_allclose(wasserstein_of_counts(first, second, np.unique(values)), moved)


def test_few_assignments_are_all_gone_through_and_many_drawn() -> None:
    values, labels = np.array([0.1, 0.4, 0.35, 0.8, 1.2, 0.9, 0.5]), np.array([0, 0, 0, 1, 1, 1, 0])
    every = np.array(sorted(set(permutations(labels))), dtype=bool)
    distances = ks_of_counts(*two_kinds(one_hot(values), every))
    exact = np.mean(distances >= ks_2samp(values[labels == 0], values[labels == 1]).statistic - 1e-12)
    units = Units.of(labels, single(7))
    assert units.distinct == len(every) == 35
    assigned = units.assignments(35, RANDOM)
    assert (assigned[0] == units.anomalous).all()
    assert {tuple(row) for row in assigned} == {tuple(row) for row in every}
    assert p_of(values, units, 35) == pytest.approx(exact)
    drawn = [p_of(values, units, 34) for _ in range(300)]
    assert np.mean(drawn) == pytest.approx(1 / 35 + exact * 34 / 35, abs=0.02)


def test_the_smallest_p_of_equally_many_units_is_that_of_two_kinds_wholly_apart() -> None:
    units = Units.of(np.repeat([0, 1], 3), single(6))
    assert units.smallest_p == 2 / 20
    assert p_of(np.arange(6.0), units, 999) == pytest.approx(2 / 20)
    assert Units.of(np.repeat([0, 1], [3, 4]), single(7)).smallest_p == 1 / 35


def test_whole_groups_move() -> None:
    """Four sheets of ten equal images: 40 separate images would reject, four sheets cannot (2 of 6 assignments)."""
    values = np.repeat([0.0, 0.1, 1.0, 1.1], 10)
    labels = np.repeat([0, 0, 1, 1], 10)
    sheets = [f"sheet {index}" for index in np.repeat(range(4), 10)]
    assert p_of(values, Units.of(labels, single(40)), 999) == 0.001
    assert p_of(values, Units.of(labels, sheets), 999) == 2 / 6


def test_a_group_with_both_labels_is_two_units() -> None:
    units = Units.of([0, 1, 0, 1], ["tile", "tile", "tile", "other"])
    assert units.of_image.tolist() == [0, 2, 0, 1]
    assert units.anomalous.tolist() == [False, True, True]


def test_p_values_are_uniform_where_nothing_differs() -> None:
    labels, found = np.repeat([0, 1], 15), []
    for seed in range(200):
        random = np.random.default_rng(seed)
        values = random.normal(size=30)
        found.append(p_of(values, Units.of(labels, single(30)), 99, random))
    assert np.mean(np.array(found) <= 0.05) <= 0.09


def test_bootstrap_interval_is_near_scipys() -> None:
    values = RANDOM.normal(5, 2, size=60)
    weights = bootstrap_weights(np.ones(60), single(60), 4000, np.random.default_rng(0))
    low, high = percentile_interval(weights @ values / 60, 0.95)
    theirs = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=0).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.05)


def test_resamples_keep_the_number_of_units_of_each_label_and_whole_groups() -> None:
    labels, groups = np.array([0, 0, 0, 1, 1, 1]), ["a", "a", "b", "c", "c", "c"]
    for weights in bootstrap_weights(labels, groups, 50, RANDOM):
        assert weights[3:].tolist() == [1, 1, 1]  # one anomalous unit of three images
        assert weights[0] + weights[2] == 2  # two normal units, one of them of two images
        assert weights[0] == weights[1]


def test_weighted_auroc_is_scikit_learns_on_the_repeated_images() -> None:
    labels, scores = np.repeat([0, 1], [9, 7]), np.round(RANDOM.normal(size=16), 1)
    weights = bootstrap_weights(labels, single(16), 20, RANDOM)
    for row, auroc in zip(weights, weighted_aurocs(labels, scores, weights), strict=True):
        index = np.repeat(np.arange(16), row.astype(int))
        assert auroc == pytest.approx(roc_auc_score(labels[index], scores[index]))
