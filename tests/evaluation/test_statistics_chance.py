"""What distances are by chance: against the distances themselves under every permutation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from radar.evaluation.metrics import Chance, ChanceDistances
from radar.evaluation.statistics_chance import by_chance, histograms_of_pixels, histograms_of_values
from radar.evaluation.statistics_distributions import separation
from radar.evaluation.statistics_resampling import Units

RANDOM = np.random.default_rng(11)
MEASURES = ("ks", "wasserstein", "kl_anomalous_from_normal", "kl_normal_from_anomalous", "overlap")
LABELS = np.repeat([0, 1], [6, 8])
SHEETS = [f"sheet {index}" for index in (0, 0, 1, 1, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6)]
SHEET = np.array([int(name.split()[1]) for name in SHEETS])


def exhaustive(values: np.ndarray, bins: int) -> dict[str, np.ndarray]:
    """Every distance under each of the 35 ways to call four of seven sheets anomalous."""
    found = []
    for chosen in combinations(range(7), 4):
        anomalous = np.isin(SHEET, chosen)
        found.append(separation(values[~anomalous], values[anomalous], bins))
    return {name: np.array([getattr(each, name) for each in found]) for name in MEASURES}


def assert_as_exhaustive(chance: ChanceDistances, expected: dict[str, np.ndarray], **tolerance: float) -> None:
    for name in MEASURES:
        found: Chance = getattr(chance, name)
        assert found.mean == pytest.approx(expected[name].mean(), **tolerance)
        level = 0.05 if name == "overlap" else 0.95
        assert found.limit == pytest.approx(np.quantile(expected[name], level), **tolerance)


def test_one_value_per_image_is_exact_under_every_permutation_of_sheets() -> None:
    values = np.round(RANDOM.normal(size=14) + LABELS, 1)
    p_value, chance = by_chance(histograms_of_values(values, 4), Units.of(LABELS, SHEETS), 35, RANDOM)
    expected = exhaustive(values, 4)
    assert_as_exhaustive(chance, expected)
    observed = separation(values[LABELS == 0], values[LABELS == 1], 4).ks
    assert p_value == pytest.approx(np.mean(expected["ks"] >= observed - 1e-12))


def test_pixels_are_near_it() -> None:
    values = RANDOM.normal(size=(14, 400)) + 0.3 * RANDOM.normal(size=(14, 1))
    histograms = histograms_of_pixels(values, 16)
    assert histograms.counts.sum(axis=1).tolist() == histograms.coarse.sum(axis=1).tolist() == [400] * 14
    _, chance = by_chance(histograms, Units.of(LABELS, SHEETS), 35, RANDOM)
    assert_as_exhaustive(chance, exhaustive(values, 16), abs=0.003)


def test_few_images_give_large_distances_by_chance_alone() -> None:
    """12 and 31 images of one distribution: a KL divergence or an overlap of no size of its own."""
    labels = np.repeat([0, 1], [12, 31])
    values = np.random.default_rng(0).normal(size=43)
    units = Units.of(labels, [str(index) for index in range(43)])
    _, chance = by_chance(histograms_of_values(values, 32), units, 999, RANDOM)
    drawn = []
    for _ in range(300):
        normal, anomalous = RANDOM.normal(size=12), RANDOM.normal(size=31)
        drawn.append(separation(normal, anomalous, 32))
    assert chance.kl_anomalous_from_normal.mean == pytest.approx(
        np.mean([each.kl_anomalous_from_normal for each in drawn]), abs=0.02
    )
    assert chance.overlap.mean == pytest.approx(np.mean([each.overlap for each in drawn]), abs=0.02)
    assert chance.kl_anomalous_from_normal.mean > 0.15
    assert chance.overlap.limit < chance.overlap.mean < 0.8
