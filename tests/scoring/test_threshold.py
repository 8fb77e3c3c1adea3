"""Thresholds: by hand, against SciPy and NumPy, what one odd image does, and false alarms on fresh scores of planted distributions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from radar.config.schema import ContaminationConfig, DetectorConfig
from radar.scoring.detector import fit_detector
from radar.scoring.threshold import conformal_quantile, grouped_quantile, robust_spread, shifted_quantile

PRIOR = 2.0  # as in conf/detector


def test_the_conformal_quantile_by_hand():
    scores = np.array([5.0, 1.0, 3.0, 2.0, 4.0, 9.0, 8.0, 7.0, 6.0])
    assert conformal_quantile(scores, 0.2) == 8  # rank ⌈10 · .8⌉
    assert conformal_quantile(scores, 0.01) == 9  # rank 10 of 9


@pytest.mark.parametrize(
    ("contamination", "expected"),
    [
        pytest.param(0.1, 10.0, id="too-few-groups"),
        pytest.param(0.2, 10.0, id="only-the-new-group"),
        pytest.param(0.3, 9.0, id="a-quarter-of-one"),
        pytest.param(0.35, 8.0, id="exactly-a-quarter-and-a-half"),
        pytest.param(0.4, 7.0, id="exactly-as-much-as-one-group"),
        pytest.param(0.59, 7.0, id="not-quite-two-groups"),
        pytest.param(0.6, 6.0, id="exactly-two-groups"),
    ],
)
def test_the_grouped_quantile_of_groups_of_unlike_sizes_by_hand(contamination, expected):
    """From the largest down each of four, two, one and one images counts 1/4, 1/2, 1 and 1; all may come to 5 · contamination − 1."""
    scores, groups = (
        np.array([6.0, 9, 5, 10, 4, 8, 7, 3]),
        ["four", "two", "one", "four", "two", "four", "single", "four"],
    )
    assert grouped_quantile(scores, groups, contamination) == expected


@pytest.mark.parametrize("levels", [pytest.param(6, id="ties"), pytest.param(10**6, id="distinct")])
@pytest.mark.parametrize("seed", range(4))
def test_the_grouped_quantile_is_the_lowest_score_that_keeps_the_contamination_in_exact_fractions(seed, levels):
    generator = np.random.default_rng(seed)
    sizes = dict(zip("abcdefg", generator.permutation([1, 1, 2, 3, 6, 6, 9]).tolist(), strict=True))
    groups = [name for name, size in sizes.items() for _ in range(size)]
    scores = generator.integers(0, levels, len(groups)).astype(float)

    def alarms(threshold):
        above = [Fraction(1, sizes[name]) for name, score in zip(groups, scores, strict=True) if score > threshold]
        return (1 + sum(above)) / Fraction(len(sizes) + 1)

    for contamination in (Fraction(part, 144) for part in range(1, 144)):
        kept = [score for score in scores if alarms(score) <= contamination]
        assert grouped_quantile(scores, groups, float(contamination)) == min(kept, default=scores.max())


def test_the_shifted_quantile_by_hand():
    """Fitting scores 0…10: median 5, median deviation 3; held-out 20, 22, 24, 26: median 23, deviations 1, 1, 3, 3."""
    fitting, held_out = np.arange(11.0), np.array([26.0, 20.0, 24.0, 22.0])
    fitting_spread = 1.4826 * 11 / 10.2 * 3
    held_out_spread = 1.4826 * 1.363 * 2
    spread = np.sqrt((2 * fitting_spread**2 + 1.11 * held_out_spread**2) / 3.11)
    # rank ⌈12 · .8⌉ = 10 of eleven
    expected = 23 + spread * np.sqrt(1 + np.pi / 8) * (9 - 5) / fitting_spread
    assert shifted_quantile(fitting, held_out, 0.2, prior=2.0) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8, 9, 10, 26])
def test_the_spread_is_scipys_and_unbiased_on_gaussian_scores(count):
    draws = np.random.default_rng(0).normal(3.0, 2.0, (20_000, count))
    spreads = np.array([robust_spread(draw) for draw in draws[:50]])
    plain = median_abs_deviation(draws, axis=1, scale=1 / 1.4826)
    assert np.allclose(spreads / plain[:50], spreads[0] / plain[0])
    assert plain.mean() * spreads[0] / plain[0] == pytest.approx(2.0, rel=0.02)


def test_scores_moved_and_stretched_move_and_stretch_the_threshold():
    generator = np.random.default_rng(1)
    fitting, held_out = generator.normal(size=40), generator.normal(size=8)
    threshold = shifted_quantile(fitting, held_out, 0.05, prior=PRIOR)
    assert shifted_quantile(3 * fitting + 7, 3 * held_out + 7, 0.05, prior=PRIOR) == pytest.approx(3 * threshold + 7)
    assert shifted_quantile(fitting - 5, held_out, 0.05, prior=PRIOR) == pytest.approx(threshold)


def test_order_does_not_matter():
    generator = np.random.default_rng(2)
    fitting, held_out = generator.normal(size=40), generator.normal(size=8)
    assert shifted_quantile(fitting, held_out, 0.05, prior=PRIOR) == shifted_quantile(
        fitting[::-1], held_out[::-1], 0.05, prior=PRIOR
    )


@pytest.mark.parametrize("count", [4, 8, 26])
def test_one_odd_held_out_score_moves_it_no_further_however_odd_it_is(count):
    generator = np.random.default_rng(3)
    fitting, held_out = generator.normal(size=40), generator.normal(size=count)
    thresholds = []
    for odd in (10.0, 1e6):
        held_out[0] = odd
        thresholds.append(shifted_quantile(fitting, held_out, 0.05, prior=PRIOR))
        assert conformal_quantile(held_out, 0.02) == odd
    assert thresholds[0] == pytest.approx(thresholds[1])
    assert thresholds[0] < 6


def test_equal_fitting_scores_have_no_shape_and_the_held_out_ones_decide():
    held_out = np.array([1.0, 4.0, 2.0])
    assert shifted_quantile(np.full(9, 7.0), held_out, 0.05, prior=PRIOR) == 4
    assert shifted_quantile(np.array([7.0] * 6 + [8.0, 9.0, 10.0]), held_out, 0.05, prior=PRIOR) == 4
    assert shifted_quantile(np.full(9, 7.0), np.full(3, 7.0), 0.05, prior=PRIOR) == 7


def test_equal_held_out_scores_take_the_spread_of_the_fitting_ones():
    fitting = np.arange(11.0)
    threshold = shifted_quantile(fitting, np.full(4, 23.0), 0.2, prior=2.0)
    assert threshold == pytest.approx(23 + np.sqrt(2 / 3.11) * np.sqrt(1 + np.pi / 8) * 4)


def test_a_larger_prior_listens_less_to_the_held_out_spread():
    fitting, held_out = np.arange(11.0), 100 * np.arange(8.0)
    thresholds = [shifted_quantile(fitting, held_out, 0.1, prior=prior) for prior in (0.1, 2.0, 1e9)]
    assert thresholds[0] > thresholds[1] > thresholds[2]
    assert thresholds[2] == pytest.approx(350 + np.sqrt(1 + np.pi / 16) * 5)


def gaussian(generator: np.random.Generator, count: int) -> np.ndarray:
    return generator.normal(size=count)


def larger_of_two(generator: np.random.Generator, count: int) -> np.ndarray:
    """As the detector's score of two features: skewness .14."""
    return generator.normal(size=(2, count)).max(axis=0)


def skewed(generator: np.random.Generator, count: int) -> np.ndarray:
    """Skewness 1."""
    return (generator.gamma(4.0, size=count) - 4) / 2


def false_alarms(draw, fitting: int, held_out: int, contamination: float, *, stretch: float = 1.0) -> float:
    """Share of fresh scores above the threshold, over 800 draws of fitting scores that lie 1.5 deviations too low."""
    generator, shares = np.random.default_rng(4), []
    for _ in range(800):
        threshold = shifted_quantile(
            draw(generator, fitting) - 1.5, stretch * draw(generator, held_out), contamination, prior=PRIOR
        )
        shares.append((stretch * draw(generator, 100) > threshold).mean())
    return float(np.mean(shares))


@pytest.mark.parametrize("draw", [gaussian, larger_of_two, skewed])
@pytest.mark.parametrize(
    ("fitting", "held_out", "contamination"),
    [(39, 4, 0.05), (39, 8, 0.1), (199, 26, 0.05)],
)
def test_false_alarms_are_about_the_contamination(draw, fitting, held_out, contamination):
    """Sizes at which the conformal rank of the fitting scores is exact: (N + 1) · contamination is whole."""
    assert contamination / 1.5 < false_alarms(draw, fitting, held_out, contamination) < 1.5 * contamination


@pytest.mark.parametrize("draw", [gaussian, larger_of_two, skewed])
def test_a_rare_false_alarm_comes_up_to_twice_as_often_as_asked_for(draw):
    """The spread's error counts for more the further out the threshold lies."""
    assert 0.01 / 1.5 < false_alarms(draw, 199, 26, 0.01) < 0.02


@pytest.mark.parametrize(("held_out", "bound"), [(4, 2.4), (8, 1.8), (26, 1.5)])
def test_held_out_scores_half_as_wide_again_are_flagged_more_the_fewer_they_are(held_out, bound):
    """Of few, the spread is mostly that of the fitting scores: what the prior costs."""
    rate = false_alarms(gaussian, 39, held_out, 0.05, stretch=1.5)
    assert 0.05 < rate < bound * 0.05


def section(threshold: str) -> DetectorConfig:
    return DetectorConfig(
        name="upper_tail",
        fitted_on="train",
        threshold_on="validation",
        threshold=threshold,
        spread_prior=PRIOR,
        trees=1,
        max_samples=2,
    )


def test_the_detector_takes_the_threshold_that_the_config_names() -> None:
    generator = np.random.default_rng(5)
    fitting, held_out = generator.gamma(9.0, size=(40, 2)), 1.3 * generator.gamma(9.0, size=(8, 2))
    (quantile, limit), (shifted, moved) = (
        fit_detector(fitting, held_out, config=section(name), contamination=ContaminationConfig(0.05), seed=0)
        for name in ("quantile", "shifted")
    )
    np.testing.assert_array_equal(quantile.score(held_out), shifted.score(held_out))
    assert limit == quantile.score(held_out).max()
    assert moved == shifted_quantile(shifted.score(fitting), shifted.score(held_out), 0.05, prior=PRIOR)
