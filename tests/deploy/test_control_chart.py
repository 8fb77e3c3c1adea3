"""The control chart: its run length is the published one and the simulated one, whatever the distribution; shifts are found."""

from __future__ import annotations

import numpy as np
import pytest

from radar.deploy import control_chart
from radar.deploy.control_chart import ewma, finds_a_step, limit_for, run_length


@pytest.mark.parametrize(
    ("weight", "width", "published"),
    [(0.05, 2.615, 500), (0.1, 2.814, 500), (0.25, 2.998, 500), (0.4, 3.054, 500), (1.0, 3.0, 370.4)],
    ids=["0.05", "0.1", "0.25", "0.4", "Shewhart"],
)
def test_run_lengths_are_the_published_ones(weight: float, width: float, published: float) -> None:
    """Lucas & Saccucci 1990, Table 3; of a Shewhart chart 1 / (2 Φ(−3))."""
    limit = width * (weight / (2 - weight)) ** 0.5
    assert run_length(limit, weight) == pytest.approx(published, rel=2e-3)
    assert limit_for(published, weight) == pytest.approx(limit, rel=1e-3)


@pytest.mark.parametrize("length", [2.0, 150.0, 15_000.0, 3e6])
def test_a_limit_has_the_run_length_that_was_asked_for(length: float) -> None:
    assert run_length(limit_for(length, 0.1), 0.1) == pytest.approx(length, rel=1e-3)


@pytest.mark.parametrize("baseline", [10, 100])
@pytest.mark.parametrize("draw", ["lognormal", "standard_cauchy"])
def test_without_drift_alarms_come_as_rarely_as_stated(baseline: int, draw: str) -> None:
    length, weight, generator = 100.0, 0.1, np.random.default_rng(0)
    limit, lengths = limit_for(length, weight), []
    for _ in range(600):
        drawn = getattr(generator, draw)(size=baseline + 900)
        alarm = ewma(drawn[baseline:], drawn[:baseline], weight, limit)[1]
        lengths.append(900 if alarm is None else alarm + 1)  # cut off one in ten thousand
    # a run length is geometric but for its start: its deviation is its mean, that of 600 is 4 %
    assert np.mean(lengths) == pytest.approx(length, rel=0.14)


def test_ranks_are_all_that_counts() -> None:
    values = np.random.default_rng(1).normal(size=200)
    levels, _ = ewma(values[50:], values[:50], 0.1, 9.0)
    np.testing.assert_array_equal(ewma(np.exp(values[50:]), np.exp(values[:50]), 0.1, 9.0)[0], levels)
    np.testing.assert_allclose(ewma(-values[50:], -values[:50], 0.1, 9.0)[0], -levels, atol=1e-12)
    assert not ewma(np.ones(50), np.ones(20), 0.1, 9.0)[0].any(), "equal values are in the middle of one another"


def test_a_change_is_found_soon_and_shown_as_long_as_it_lasts() -> None:
    generator = np.random.default_rng(2)
    before, changed, mended = generator.normal(size=300), generator.normal(1.0, 1.0, 400), generator.normal(size=300)
    limit = limit_for(15_000, 0.05)
    levels, alarm = ewma(np.concatenate([before, changed, mended]), generator.normal(size=50), 0.05, limit)
    assert alarm is not None and 300 <= alarm < 350 and levels[alarm] > 0
    assert (levels[alarm + 50 : 700] > limit).mean() > 0.95, "the change is not taken for the new normal"
    assert (np.abs(levels[800:]) < limit).all()


def test_small_weights_have_limits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths, weights = (15_000.0, 1e9), (1.0, 0.025, 0.02, 0.012, 0.01, 0.005)
    limits = {(length, weight): limit_for(length, weight) for length in lengths for weight in weights}
    monkeypatch.setattr(control_chart, "_NODES_PER_STEP", 24)
    for (length, weight), limit in limits.items():
        assert run_length(limit, weight) == pytest.approx(length, rel=1e-3), (length, weight)


@pytest.mark.parametrize("weight", [0.01, 0.05, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("count", [10, 50, 1000])
def test_a_chart_that_can_find_nothing_is_known(weight: float, count: int) -> None:
    """As the chart itself says of the largest change that there is: one value beyond all before, for ever."""
    random = np.random.default_rng(0)
    for length in (300.0, 3e3, 3e5):
        limit = limit_for(length, weight)
        _, alarm = ewma(np.full(3 * count, 9.0), random.standard_normal(count), weight, limit)
        assert (alarm is not None) == finds_a_step(count, weight, limit)
