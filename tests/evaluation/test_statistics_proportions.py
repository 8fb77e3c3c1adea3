from __future__ import annotations

import pytest
from scipy.stats import beta, binomtest

from radar.evaluation.statistics_proportions import share_interval


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
