"""Tests between methods: against the definition over all pairs and all swaps, and that their level holds where images are grouped."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from radar.evaluation.statistics_methods import (
    are_grouped,
    auroc_contributions,
    compare_methods,
    groups_of_kinds,
    swapped,
)
from radar.evaluation.statistics_paired import delong, mcnemar_exact
from radar.evaluation.statistics_resampling import bootstrap_weights, percentile_interval, weighted_aurocs

RANDOM = np.random.default_rng(7)


def correlated(groups: int, random: np.random.Generator) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
    """As many normal as anomalous groups of 3 to 8 images, and two methods that are equally good: seven tenths of what each says
    of an image beside the other it says of the whole group."""
    places = np.repeat(np.arange(2 * groups), random.integers(3, 9, size=2 * groups))
    labels = (places >= groups).astype(int)
    shared = random.normal(size=places.size) + 1.2 * labels
    first, second = (
        shared + np.sqrt(0.7) * random.normal(size=2 * groups)[places] + np.sqrt(0.3) * random.normal(size=places.size)
        for _ in range(2)
    )
    return labels, [str(place) for place in places], first, second


def test_the_difference_under_every_swap_is_that_of_the_swapped_ranks() -> None:
    labels, groups = np.array([0, 0, 0, 1, 1, 0, 1, 1, 1]), list("aabbccdde")  # b and c hold both kinds
    first, second = np.round(RANDOM.normal(size=(2, 2, 9)), 1)
    contributions = auroc_contributions(labels, first, second)
    names = sorted(set(groups))
    differences = []
    for pattern in product((False, True), repeat=len(names)):
        swap = np.array([pattern[names.index(group)] for group in groups])
        of_seeds = []
        for one, other in zip(first, second, strict=True):
            ranks, others = rankdata(one), rankdata(other)
            now, then = np.where(swap, ranks, others), np.where(swap, others, ranks)
            of_seeds.append(roc_auc_score(labels, now) - roc_auc_score(labels, then))
        differences.append(np.mean(of_seeds))
        assert np.where(swap, -contributions, contributions).sum() == pytest.approx(differences[-1])
    tested = swapped(contributions, groups, 16, RANDOM)
    exact = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)
    assert (tested.p_value, tested.smallest) == (pytest.approx(exact), 2 / 32)
    drawn = [swapped(contributions, groups, 15, RANDOM).p_value for _ in range(300)]
    assert np.mean(drawn) == pytest.approx(1 / 16 + exact * 15 / 16, abs=0.02)


@pytest.mark.parametrize(("only_first", "only_second"), [(1, 9), (4, 4), (0, 5), (12, 3)])
def test_swaps_of_single_images_are_mcnemars_test(only_first: int, only_second: int) -> None:
    contributions = np.repeat([-1.0, 1.0, 0.0], [only_first, only_second, 7])
    tested = swapped(contributions, [str(index) for index in range(contributions.size)], 2**15, RANDOM)
    first, second = contributions <= 0, contributions >= 0
    assert tested.p_value == pytest.approx(mcnemar_exact(first, second).p_value)


def test_what_swaps_cannot_tell() -> None:
    nothing = swapped(np.zeros(4), list("aabb"), 99, RANDOM)
    one = swapped(np.array([0.2, 0.1, 0.3, -0.3]), list("aabb"), 99, RANDOM)
    assert nothing.p_value == 1
    assert np.isnan([one.p_value, one.smallest]).all()
    three = swapped(np.array([1.0, 2.0, 3.0]), list("abc"), 99, RANDOM)
    assert three.p_value == three.smallest == 0.25
    few = swapped(np.arange(1.0, 13.0), list("abcdefghijkl"), 3, RANDOM)
    assert few.p_value >= few.smallest == 0.25, "the observed one is among so few"


def test_single_images_are_compared_by_delong_and_mcnemar() -> None:
    labels, _, first, second = correlated(6, RANDOM)
    groups = [str(index) for index in range(labels.size)]
    right = ((first > 0.6) == labels, (second > 0.6) == labels)
    found = compare_methods(labels, groups, (first[None], second[None]), right, permutations=99, seed=0)
    expected = delong(labels, first, second, 0.95)
    assert not found.grouped
    assert (found.difference, found.auroc.p_value) == pytest.approx((expected.difference, expected.p_value))
    assert found.decisions.p_value == mcnemar_exact(*right).p_value


def test_groups_are_told_and_counted() -> None:
    assert are_grouped(list("abca"))
    assert not are_grouped(list("abcd"))
    assert groups_of_kinds([0, 0, 1, 1, 1], list("aabba")) == (1, 2)


@pytest.mark.parametrize("groups", [4, 12])
def test_the_level_holds_with_groups_where_that_of_single_images_does_not(groups: int) -> None:
    random = np.random.default_rng(groups)
    found: list[tuple[float, ...]] = []
    for _ in range(250):
        labels, names, first, second = correlated(groups, random)
        right = ((first > 0.6) == labels, (second > 0.6) == labels)
        compared = compare_methods(labels, names, (first[None], second[None]), right, permutations=199, seed=0)
        single = delong(labels, first, second, 0.95).p_value, mcnemar_exact(*right).p_value
        found.append((compared.auroc.p_value, compared.decisions.p_value, *single))
    auroc, decisions, by_delong, by_mcnemar = np.mean(np.nan_to_num(found, nan=1.0) <= 0.05, axis=0)
    assert max(auroc, decisions) <= 0.08
    assert by_delong > 0.2
    assert by_mcnemar > 0.1


def test_a_real_difference_is_found() -> None:
    random = np.random.default_rng(0)
    labels, names, first, second = correlated(10, random)
    better = second + 3 * labels
    right = ((first > 0.6) == labels, (better > 2) == labels)
    found = compare_methods(labels, names, (first[None], better[None]), right, permutations=999, seed=0)
    assert found.difference > 0.1
    assert max(found.auroc.p_value, found.decisions.p_value) < 0.05


@pytest.mark.slow
def test_a_bootstrap_over_few_groups_covers_less_than_it_says() -> None:
    random, true = np.random.default_rng(2), 0.0
    covered = {}
    for groups in (3, 6, 30):
        inside = 0
        for _ in range(300):
            labels, names, first, second = correlated(groups, random)
            weights = bootstrap_weights(labels, names, 300, random)
            differences = weighted_aurocs(labels, second, weights) - weighted_aurocs(labels, first, weights)
            low, high = percentile_interval(differences, 0.95)
            inside += low <= true <= high
        covered[groups] = inside / 300
    assert covered[3] < covered[6] < 0.92 < covered[30]
