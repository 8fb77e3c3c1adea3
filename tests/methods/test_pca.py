"""T² and Q: against NumPy, closed forms, and the false alarms of Gaussian data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from radar.methods.pca import ControlChart, q_limit, t2_limit

RNG = np.random.default_rng(0)
MIXING = RNG.standard_normal((10, 10)) * np.linspace(2, 0.2, 10)


def chart_of(
    points: np.ndarray, *, explained: float = 0.8, confidence: float = 0.99, statistic: str = "both"
) -> ControlChart:
    return ControlChart.fit(points, explained_variance=explained, confidence=confidence, statistic=statistic)


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
    chart = chart_of(points)
    variances, vectors = np.linalg.eigh(np.cov(points.T))
    kept = int(np.searchsorted(np.cumsum(variances[::-1]) / variances.sum(), 0.8)) + 1
    assert len(chart.components) == kept
    projected = (new - points.mean(axis=0)) @ vectors[:, ::-1]
    t2, q = chart.t2(torch.from_numpy(new)), chart.q(torch.from_numpy(new))
    np.testing.assert_allclose(t2, (projected[:, :kept] ** 2 / variances[::-1][:kept]).sum(axis=1))
    np.testing.assert_allclose(q, (projected[:, kept:] ** 2).sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("confidence", [0.95, 0.99])
@pytest.mark.parametrize("statistic", ["t2", "q"])
def test_new_normal_observations_exceed_the_limits_as_often_as_asked(statistic, confidence):
    chart = chart_of(observations(500, 3), confidence=confidence, statistic=statistic)
    exceeds = chart(torch.from_numpy(observations(20_000, 4))) > 1
    assert exceeds.double().mean() == pytest.approx(1 - confidence, rel=0.35)


@pytest.mark.parametrize(("statistic", "expected"), [("t2", [1, 0, 0]), ("q", [0, 1, 0]), ("both", [1, 1, 0])])
def test_a_fault_inside_the_model_is_seen_by_t2_and_one_outside_by_q(statistic, expected):
    chart = chart_of(observations(500, 5), statistic=statistic)
    inside = chart.mean + 10 * chart.variances[0].sqrt() * chart.components[0]
    direction = torch.from_numpy(RNG.standard_normal(10))
    direction -= direction @ chart.components.T @ chart.components
    outside = chart.mean + 5 * chart.q_limit.sqrt() * direction / direction.norm()
    assert (chart(torch.stack([inside, outside, chart.mean])) > 1).tolist() == [bool(each) for each in expected]


def test_points_without_a_residual_have_a_limit():
    line = np.linspace(0, 1, 30)[:, None] * np.ones((1, 3))
    assert chart_of(line, explained=0.9)(torch.from_numpy(line)).isfinite().all()


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


@pytest.mark.parametrize("explained", [0.95, 0.99999])
def test_columns_that_are_not_correlated_do_not_blow_up(explained):
    points = np.random.default_rng(0).standard_normal((200, 10))
    chart = chart_of(points, explained=explained)
    assert len(chart.components) <= 9
    assert (chart(torch.from_numpy(points)) < 10).all()
