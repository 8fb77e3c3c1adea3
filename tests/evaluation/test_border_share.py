"""The border's share of high pixels: planted, by area where nothing is planted, and in equal parts of what ties."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from radar.evaluation.border_share import area_share, border_share
from radar.experiment.measures import border_metrics
from radar.runtime.preprocessing import Frame


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


def scored(labels: list[int], shapes: list[tuple[int, int]], frames: list[Frame] | None = None) -> Any:
    """Maps of noise, of whole images, or of such as `frames` show."""
    stream = torch.Generator().manual_seed(0)
    maps = [torch.rand(shape, generator=stream) for shape in shapes]
    frames = frames or [Frame(*shape, 0, 0, *shape) for shape in shapes]
    images = SimpleNamespace(labels=np.array(labels), inside=lambda index: None, frames=frames)
    return SimpleNamespace(images=images, scores=SimpleNamespace(anomaly_maps=maps))


def test_the_share_by_area_is_of_the_images_whose_pixels_are_counted() -> None:
    """Not of defective ones, which may have other sizes."""
    large, small = (96, 96), (32, 32)
    test = scored([0, 0, 1, 1, 1], [large, large, small, small, small])
    found = border_metrics(test, None, 5)
    assert found.area == pytest.approx(area_share(*large, 5)) == pytest.approx(1 - (86 / 96) ** 2)
    assert found.test == pytest.approx(border_share([each.numpy() for each in test.scores.anomaly_maps[:2]], 5))
    held_out = border_metrics(scored([1, 1], [small, small]), scored([0], [large]), 5)
    assert (held_out.area, held_out.test) == (pytest.approx(area_share(*large, 5)), None)
    assert border_metrics(scored([1], [small]), None, 5).area is None


@pytest.mark.parametrize("scale", [1, 2])
def test_what_pad_adds_is_no_part_of_the_image(scale: int) -> None:
    """A photo of 96 x 64 px in a square, twice: its border is its own, whatever glows beyond it."""
    side = 96 // scale
    rows = slice(16 // scale, 80 // scale)
    test = scored([0, 0], [(side, side)] * 2, [Frame(64, 96, -16, 0, 96, 96)] * 2)
    for each in test.scores.anomaly_maps:
        each[: rows.start] = each[rows.stop :] = 9.0
    found = border_metrics(test, None, 5)
    own = [each.numpy()[rows] for each in test.scores.anomaly_maps]
    assert found.area == pytest.approx(area_share(64 // scale, side, 5))
    assert found.test == pytest.approx(border_share(own, 5))
