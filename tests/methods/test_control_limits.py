"""T² and Q: against NumPy, closed forms, and the false alarms of Gaussian data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from radar.methods.control_limits import ControlChart, q_limit, t2_limit

RNG = np.random.default_rng(0)
MIXING = RNG.standard_normal((10, 10)) * np.linspace(2, 0.2, 10)


def observations(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 10)) @ MIXING.T + 3.0


def test_the_t2_limit_of_many_observations_is_that_of_chi_squared():
    assert t2_limit(1_000_000, 4, 0.99) == pytest.approx(stats.chi2.ppf(0.99, 4), rel=1e-3)


def test_the_t2_limit_by_hand():
    """Two components of 12 observations: 2 · 11 · 13 / (12 · 10) · F(.95; 2, 10), F = 4.1028 in printed tables."""
    assert t2_limit(12, 2, 0.95) == pytest.approx(2 * 11 * 13 / 120 * 4.1028, rel=1e-4)


@pytest.mark.parametrize("count", [3, 8, 40])
def test_equal_variances_give_the_quantile_of_a_multiple_of_chi_squared(count):
    assert q_limit(np.full(count, 0.7), 0.99) == pytest.approx(0.7 * stats.chi2.ppf(0.99, count), rel=1e-9)


def test_statistics_equal_those_of_an_eigendecomposition():
    points, new = observations(200, 1), observations(5, 2)
    chart = ControlChart.fit(points, explained_variance=0.8, confidence=0.99)
    variances, vectors = np.linalg.eigh(np.cov(points.T))
    kept = int(np.searchsorted(np.cumsum(variances[::-1]) / variances.sum(), 0.8)) + 1
    assert len(chart.components) == kept
    projected = (new - points.mean(axis=0)) @ vectors[:, ::-1]
    np.testing.assert_allclose(chart.t2(new), (projected[:, :kept] ** 2 / variances[::-1][:kept]).sum(axis=1))
    np.testing.assert_allclose(chart.q(new), (projected[:, kept:] ** 2).sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_new_normal_observations_exceed_the_limits_as_often_as_asked(confidence):
    chart = ControlChart.fit(observations(500, 3), explained_variance=0.8, confidence=confidence)
    new = observations(20_000, 4)
    assert (chart.t2(new) > chart.t2_limit).mean() == pytest.approx(1 - confidence, rel=0.35)
    assert (chart.q(new) > chart.q_limit).mean() == pytest.approx(1 - confidence, rel=0.35)


def test_a_fault_inside_the_model_is_seen_by_t2_and_one_outside_by_q():
    points = observations(500, 5)
    chart = ControlChart.fit(points, explained_variance=0.8, confidence=0.99)
    inside = chart.mean + 10 * np.sqrt(chart.variances[0]) * chart.components[0]
    direction = RNG.standard_normal(10)
    direction -= direction @ chart.components.T @ chart.components
    outside = chart.mean + 5 * np.sqrt(chart.q_limit) * direction / np.linalg.norm(direction)
    new = np.stack([inside, outside, chart.mean])
    np.testing.assert_array_equal(chart.score(new, "t2") > 1, [True, False, False])
    np.testing.assert_array_equal(chart.score(new, "q") > 1, [False, True, False])
    np.testing.assert_array_equal(chart.score(new, "both") > 1, [True, True, False])


def test_points_without_a_residual_have_a_limit():
    line = np.linspace(0, 1, 30)[:, None] * np.ones((1, 3))
    chart = ControlChart.fit(line, explained_variance=0.9, confidence=0.99)
    assert np.isfinite(chart.score(line, "both")).all()


SPECTRA = {
    "flat": np.arange(40, 197.0) ** -2,
    "steep": np.arange(11, 197.0) ** -2,
    "steeper": np.arange(6, 197.0) ** -3,
    "one above many": np.array([1.0, *[0.02] * 190]),
    "two above many": np.array([1.0, 0.5, *[0.02] * 190]),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_the_q_limit_is_the_quantile_of_simulated_residuals_whatever_the_spectrum(name):
    variances, draws = SPECTRA[name], np.random.default_rng(0)
    q = np.concatenate([(draws.standard_normal((5_000, len(variances))) ** 2) @ variances for _ in range(8)])
    for confidence in (0.95, 0.99):
        assert q_limit(variances, confidence) == pytest.approx(np.quantile(q, confidence), rel=0.03)


def test_columns_that_are_not_correlated_do_not_blow_up():
    points = np.random.default_rng(0).standard_normal((200, 10))
    for share in (0.95, 0.99999):
        chart = ControlChart.fit(points, explained_variance=share, confidence=0.99)
        assert len(chart.components) <= 9
        assert (chart.score(points, "both") < 10).all()
