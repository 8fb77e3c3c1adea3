"""The noise hypothesis on planted noise: Gaussian where it is Gaussian, structured where structure was planted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, kurtosis, skew

from radar.config.schema import NoiseStatisticsConfig
from radar.evaluation.metrics import Counts, Distances, Kinds, NoiseMetrics
from radar.evaluation.statistics_noise import distance_from_gaussian, feature_statistics, noise_statistics

SETTINGS = NoiseStatisticsConfig(bins=32, permutations=199, thinning=2, level=0.05)
LABELS = np.repeat([0, 1], [12, 10])
GROUPS = [str(index) for index in range(22)]


def planted(strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Noise maps and images (22, 1, 32, 32); anomalous maps contain their image, `strength` times."""
    random = np.random.default_rng(5)
    maps = random.normal(size=(22, 1, 32, 32)).astype(np.float32)
    images = random.choice([-1.0, 1.0], p=[0.9, 0.1], size=maps.shape).astype(np.float32)
    maps[LABELS == 1] += strength * images[LABELS == 1]
    return maps, images


def measured(strength: float, **changes: Any) -> NoiseMetrics:
    maps, images = planted(strength)
    return noise_statistics(maps, images, changes.get("labels", LABELS), GROUPS, settings=SETTINGS, seed=0)


def test_planted_structure_is_found() -> None:
    found = measured(2.0)
    assert found.images == found.groups == Counts(12, 10)
    assert found.pixels.p_value == found.l2_norm.p_value == 1 / 200
    assert found.normality.distance_from_gaussian.auroc == 1
    assert found.normality.rejected_share.anomalous == 1
    assert found.normality.rejected_share.normal <= 0.2
    assert found.image_correlation.normal < 0.05
    assert found.image_correlation.anomalous > 0.5
    assert found.pixels.chance is not None
    assert found.pixels.chance.kl_anomalous_from_normal.limit < found.pixels.kl_anomalous_from_normal
    assert found.l2_norm.difference == pytest.approx(32 * (np.sqrt(1 + 4) - 1), rel=0.05)


def test_nothing_is_found_where_nothing_is() -> None:
    found = measured(0.0)
    assert found.pixels.p_value > 0.05
    assert found.normality.distance_from_gaussian.p_value > 0.05
    assert found.pixels.overlap > 0.95
    assert found.pixels.chance is not None
    assert found.pixels.chance.overlap.limit <= found.pixels.overlap
    assert found.l2_norm.chance is not None
    assert found.l2_norm.chance.kl_anomalous_from_normal.limit >= found.l2_norm.kl_anomalous_from_normal


def test_moments_are_scipys() -> None:
    maps, _ = planted(2.0)
    found = measured(2.0).moments
    flat = maps.reshape(22, -1).astype(np.float64)[LABELS == 1]
    assert found.skewness.anomalous == pytest.approx(skew(flat, axis=1).mean())
    assert found.excess_kurtosis.anomalous == pytest.approx(kurtosis(flat, axis=1).mean())
    assert found.standard_deviation.anomalous == pytest.approx(flat.std(axis=1).mean())


def test_distance_from_gaussian_is_scipys() -> None:
    values = np.random.default_rng(0).exponential(size=500)
    standard = (values - values.mean()) / values.std()
    assert distance_from_gaussian(values) == pytest.approx(kstest(standard, "norm").statistic)
    assert distance_from_gaussian(np.ones(50)) == 0.5


@pytest.mark.parametrize(
    ("thinning", "normal", "anomalous"),
    [
        pytest.param(4, 0.0, 1.0, id="64 pixels of each image"),
        pytest.param(11, 0.0, 1.0, id="nine"),
        pytest.param(16, None, None, id="four"),
        pytest.param(40, None, None, id="one"),
    ],
)
def test_normality_that_cannot_be_tested_is_no_number(
    thinning: int, normal: float | None, anomalous: float | None
) -> None:
    """Of an anomalous map all, of the other those pixels that are looked at are equal, and no Gaussian draws them."""
    holed = gaussian_map(32)
    holed[:, ::thinning, ::thinning] = 0
    maps = [gaussian_map(32), gaussian_map(32), np.zeros((1, 32, 32), np.float32), holed]
    found = rejected(maps, [0, 0, 1, 1], thinning)
    assert (found.normal, found.anomalous) == (normal, anomalous)


def test_the_share_of_rejected_images_is_of_those_that_can_be_tested() -> None:
    small = np.zeros((1, 16, 16), np.float32)  # four pixels, eight apart
    found = rejected([small, gaussian_map(32), small, np.zeros((1, 32, 32), np.float32)], [0, 0, 1, 1], 8)
    assert (found.normal, found.anomalous) == (0.0, 1.0)
    assert rejected([small, gaussian_map(32)], [0, 1], 8).normal is None


def gaussian_map(side: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(1, side, side)).astype(np.float32)


def rejected(maps: list[np.ndarray], labels: list[int], thinning: int) -> Kinds:
    settings, groups = replace(SETTINGS, thinning=thinning), [str(number) for number in range(len(maps))]
    return noise_statistics(maps, maps, labels, groups, settings=settings, seed=0).normality.rejected_share


def test_the_order_of_images_changes_no_distance() -> None:
    maps, images = planted(1.0)
    order = np.random.default_rng(0).permutation(22)
    shuffled = noise_statistics(
        maps[order], images[order], LABELS[order], [GROUPS[each] for each in order], settings=SETTINGS, seed=0
    )
    plain = measured(1.0)
    for name in ("ks", "wasserstein", "overlap", "auroc"):
        assert getattr(shuffled.pixels, name) == pytest.approx(getattr(plain.pixels, name))


def test_normal_images_alone_are_described_not_compared() -> None:
    found = measured(0.0, labels=np.zeros(22, dtype=int))
    assert found.pixels == Distances()
    assert found.moments.mean.anomalous is None
    assert (found.l2_norm.normal is None, found.l2_norm.ks, found.l2_norm.difference) == (False, None, None)


def test_a_constant_map_is_counted_as_without_shape() -> None:
    maps, images = planted(0.0)
    maps[0] = 0.0
    found = noise_statistics(maps, images, LABELS, GROUPS, settings=SETTINGS, seed=0)
    assert np.isfinite(found.moments.skewness.normal)


def test_features_are_compared_by_name() -> None:
    found = feature_statistics({"norm": LABELS + 0.0}, LABELS, GROUPS, settings=SETTINGS, seed=0)
    assert (found["norm"].auroc, found["norm"].ks, found["norm"].p_value) == (1, 1, 1 / 200)


def test_a_map_of_one_channel_is_compared_with_an_image_of_three() -> None:
    maps, images = planted(2.0)
    coloured = images * np.array([0.5, 1.0, 1.5], dtype=np.float32)[:, None, None]
    found = noise_statistics(maps, coloured, LABELS, GROUPS, settings=SETTINGS, seed=0).image_correlation
    expected = [abs(np.corrcoef(maps[n].ravel(), coloured[n].mean(axis=0).ravel())[0, 1]) for n in range(22)]
    assert found.normal == pytest.approx(np.mean(expected[:12]))
    assert found.anomalous == pytest.approx(np.mean(expected[12:]))
