"""The border's share of high pixels: planted, by area where nothing is planted, and in equal parts of what ties."""

from __future__ import annotations

import numpy as np
import pytest

from radar.evaluation.border_share import area_share, border_share


def test_the_share_by_area_by_hand():
    assert area_share(100, 100, 5) == pytest.approx(1 - 0.9**2)
    assert area_share(20, 50, 1) == pytest.approx(1 - 18 * 48 / 1000)
    assert area_share(10, 10, 5) == 1.0


def test_planted_high_pixels_are_counted_where_they_lie():
    maps = np.random.default_rng(0).random((2, 50, 40), dtype=np.float32)
    maps[0, 25, 5:25] = 9.0  # of the 20 highest pixels none within 5 px of a side
    maps[1, 4, 5:20] = 9.0  # 15 within
    maps[1, 25, 15:20] = 9.0
    assert border_share([maps[0]], 5) == 0.0
    assert border_share([maps[1]], 5) == 0.75
    assert border_share([*maps], 5) == 0.375
    assert border_share([maps[1]], 4) == 0.0
    assert border_share([maps[0], maps[1, :, :30]], 5) == 0.5 * border_share([maps[1, :, :30]], 5) > 0.3


def test_without_any_excess_it_is_the_share_by_area():
    maps = np.random.default_rng(1).random((400, 60, 60), dtype=np.float32)
    assert border_share([*maps], 3) == pytest.approx(area_share(60, 60, 3), abs=0.01)
    assert border_share([np.ones((60, 60), dtype=np.float32)], 3) == pytest.approx(area_share(60, 60, 3))


def test_none_of_no_images():
    assert border_share([], 2) is None
