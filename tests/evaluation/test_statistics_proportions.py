from __future__ import annotations

from math import comb

import pytest
from scipy.stats import beta, binomtest

from radar.evaluation.statistics_proportions import is_larger, share_interval


@pytest.mark.parametrize(("found", "count"), [(0, 8), (1, 8), (9, 10), (10, 10), (3, 200), (0, 1)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_single_images_have_clopper_and_pearsons_interval(found: int, count: int, level: float) -> None:
    expected = binomtest(found, count).proportion_ci(level, method="exact")
    assert share_interval(found, count, count, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_groups_count_once() -> None:
    assert share_interval(10, 40, 4, 0.95) == pytest.approx(tuple(binomtest(1, 4).proportion_ci(0.95, method="exact")))
    low, high = share_interval(3, 40, 8, 0.95)  # 0.6 of 8, between two counts
    assert (low, high) == pytest.approx((beta.ppf(0.025, 0.6, 8.4), beta.ppf(0.975, 1.6, 7.4)))
    assert low < share_interval(3, 40, 40, 0.95).low and high > share_interval(3, 40, 40, 0.95).high


def test_a_share_is_larger_where_so_few_draws_would_give_it_by_chance() -> None:
    """Of 15 called among 20, all 12 of one kind: one way in comb(20, 15) for each way to draw the other three."""
    chance = comb(8, 3) / comb(20, 15)
    assert is_larger(1.0, 12, 3 / 8, 8, 1 - 2 * chance * 0.999) is False
    assert is_larger(1.0, 12, 3 / 8, 8, 1 - 2 * chance * 1.001) is True
    assert not is_larger(1.0, 2, 0.0, 3, 0.95) and not is_larger(0.5, 100, 0.5, 100, 0.95)
    assert not is_larger(3 / 8, 8, 1.0, 12, 0.95)
    assert is_larger(0.7, 10, 0.1, 10, 0.95)  # 7 of 10 whatever a float makes of 0.7 * 10


def test_groups_are_rounded_towards_not_larger() -> None:
    assert is_larger(1.0, 4.9, 0.0, 4.9, 0.95) == is_larger(1.0, 4, 0.0, 4, 0.95)
    assert is_larger(0.95, 30, 0.05, 30, 0.95) == is_larger(28 / 30, 30, 2 / 30, 30, 0.95)
