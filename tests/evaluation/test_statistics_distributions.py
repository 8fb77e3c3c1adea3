"""Distances between samples: against SciPy, against closed forms, and at their limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp, norm, wasserstein_distance
from sklearn.metrics import roc_auc_score

from radar.evaluation.statistics_chance import by_chance, histograms_of_values
from radar.evaluation.statistics_distributions import (
    binned,
    exceedance,
    kl_divergence,
    overlap_coefficient,
    pooled_edges,
    separation,
)
from radar.evaluation.statistics_resampling import Units

RANDOM = np.random.default_rng(0)


def test_ks_and_wasserstein_are_scipys_and_the_effect_is_the_auroc() -> None:
    first, second = RANDOM.normal(size=300), RANDOM.normal(0.7, 2, size=211)
    measured = separation(first, second, 32)
    assert measured.ks == pytest.approx(ks_2samp(first, second).statistic, abs=1e-15)
    assert measured.wasserstein == pytest.approx(wasserstein_distance(first, second), abs=1e-15)
    labels = np.repeat([0, 1], [300, 211])
    assert measured.auroc == pytest.approx(roc_auc_score(labels, np.concatenate([first, second])))


def test_known_gaussians_give_their_divergence_and_overlap() -> None:
    """N(0, 1) against N(1, 1): KL = 1/2 nat in both directions, overlap = 2 Φ(−1/2)."""
    measured = separation(RANDOM.normal(size=400_000), RANDOM.normal(1, 1, size=400_000), 200)
    assert measured.kl_anomalous_from_normal == pytest.approx(0.5, abs=0.01)
    assert measured.kl_normal_from_anomalous == pytest.approx(0.5, abs=0.01)
    assert measured.overlap == pytest.approx(2 * norm.cdf(-0.5), abs=0.01)
    assert measured.bins == 200


def test_kl_by_hand() -> None:
    """(2, 0) and (0, 2) with half a count each: (2.5, .5)/3 against (.5, 2.5)/3, KL = 2/3 · ln 5."""
    assert kl_divergence([2, 0], [0, 2]) == pytest.approx(2 / 3 * np.log(5))
    assert overlap_coefficient([3, 1], [2, 6]) == pytest.approx(0.25 + 0.25)
    np.testing.assert_allclose(kl_divergence([[2, 0], [1, 1]], [[0, 2], [1, 1]]), [2 / 3 * np.log(5), 0])


def test_the_same_and_disjoint_samples() -> None:
    same = separation(np.arange(50), np.arange(50), 8)
    apart = separation(np.arange(50), 100 + np.arange(50), 8)
    assert (same.ks, same.wasserstein, same.kl_anomalous_from_normal, same.overlap, same.auroc) == (0, 0, 0, 1, 0.5)
    assert (apart.ks, apart.wasserstein, apart.overlap, apart.auroc) == (1, 100, 0, 1)


def test_constant_values_are_one_bin() -> None:
    measured = separation(np.zeros(5), np.zeros(5), 8)
    assert (measured.ks, measured.overlap, measured.kl_normal_from_anomalous, measured.auroc) == (0, 1, 0, 0.5)


def test_distances_but_wasserstein_do_not_depend_on_a_monotonic_scale() -> None:
    first, second = RANDOM.normal(size=90), RANDOM.normal(1, size=60)
    plain, stretched = separation(first, second, 10), separation(np.exp(first), np.exp(second), 10)
    assert plain.ks == pytest.approx(stretched.ks)
    assert plain.auroc == pytest.approx(stretched.auroc)


def test_ties_count_half() -> None:
    assert exceedance(np.array([1.0, 2.0]), np.array([2.0])) == 0.75


@pytest.mark.parametrize(("normal", "anomalous"), [([0.1, 0.2], [9.0]), ([0.0], [1.0]), ([0.0, 0.0], [1.0])])
def test_one_bin_tells_nothing_apart(normal, anomalous):
    """In it any two samples are the same, also those that KS and AUROC tell apart wholly."""
    measured = separation(normal, anomalous, 32)
    assert (measured.bins, measured.overlap) == (1, None)
    assert measured.kl_anomalous_from_normal is measured.kl_normal_from_anomalous is None
    assert measured.ks == measured.auroc == 1
    labels = np.repeat([0, 1], [len(normal), len(anomalous)])
    units = Units.of(labels, [str(place) for place in range(len(labels))])
    _, chance = by_chance(histograms_of_values(np.array([*normal, *anomalous]), 32), units, 9, RANDOM)
    assert chance.overlap is chance.kl_anomalous_from_normal is chance.kl_normal_from_anomalous is None
    assert chance.ks.mean >= 0


def test_two_bins_are_the_fewest_that_tell_apart():
    measured = separation([0.1, 0.2], [9.0, 9.1], 32)
    assert (measured.bins, measured.overlap) == (2, 0.0)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("normal", "anomalous"), [([0] * 20, [0.3, 0.5, 0.9]), ([0] * 80, [1]), ([0, 0, 0], [1, 1])])
def test_samples_that_share_no_value_do_not_overlap_where_values_repeat(normal, anomalous, sign):
    measured = separation(sign * np.array(normal, float), sign * np.array(anomalous, float), 64)
    assert (measured.ks, measured.overlap, measured.bins) == (1, 0, 2)
    assert measured.kl_anomalous_from_normal > 0.2


def test_no_bin_of_the_pooled_sample_is_empty():
    drawn = (RANDOM.integers(0, spread, size).astype(float) for spread in (1, 2, 3, 9) for size in range(1, 60))
    for values in (np.array([0.0, 0, 1, 2, 2, 2, 2, 2, 2]), np.arange(7.0), *drawn):
        for most in (2, 8, 64):
            counts = binned(values, pooled_edges(values, most))
            assert (counts > 0).all() and counts.sum() == values.size


@pytest.mark.parametrize("count", [1, 2, 9])
def test_equal_values_overlap_wholly_in_however_few_bins(count):
    measured = separation(np.ones(count), np.ones(1), 8)
    assert (measured.bins, measured.overlap, measured.kl_anomalous_from_normal, measured.ks) == (1, 1, 0, 0)
    units = Units.of(np.repeat([0, 1], [count, 1]), [str(place) for place in range(count + 1)])
    _, chance = by_chance(histograms_of_values(np.ones(count + 1), 8), units, 9, RANDOM)
    assert chance.overlap.mean == 1
