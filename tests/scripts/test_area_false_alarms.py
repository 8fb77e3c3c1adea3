"""False alarms by area: windows are of the photo, rates are those of planted statistics, and the page says where they are off."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from radar.config.schema import BorderConfig
from radar.scoring.border import Border
from radar.scoring.reading import MapReading
from scripts import area_false_alarms
from scripts.pages import area


def test_a_window_is_a_part_of_the_photo():
    photo = np.arange(400 * 400, dtype=np.uint32).reshape(400, 400)
    random = np.random.default_rng(0)
    places = set()
    for _ in range(50):
        cut = area_false_alarms.window(photo, 100, random)
        top, left = divmod(int(cut[0, 0]), 400)
        np.testing.assert_array_equal(cut, photo[top : top + 100, left : left + 100])
        places.add((top, left))
    assert len(places) > 40
    np.testing.assert_array_equal(area_false_alarms.window(photo, 400, random), photo)


GROWTH = 0.3


@pytest.fixture
def model(monkeypatch):
    """Whose levelled statistics are uniform in [0, 1] at every side, and whose normals lie in hundredths of it."""
    reading = MapReading(Border(BorderConfig("none", 0)), 0.0, "max", 1)
    reading.growth.fill_(GROWTH)
    reading.area.fill_(100.0**2)
    levelled = np.random.default_rng(0).random(4000)
    monkeypatch.setattr(area_false_alarms, "statistics_of", lambda *_: dict.fromkeys((100, 400), levelled))
    normals = np.arange(1, 100) / 100
    detector = SimpleNamespace(arrays=lambda: {"centre": np.array(0.0), "spread": np.array(2.0)})
    scores = SimpleNamespace(scores=np.log(normals) / 2)
    return SimpleNamespace(method=SimpleNamespace(reading=reading), detector=detector, calibration=scores)


def test_rates_are_those_of_planted_statistics(model):
    rows: list[dict[str, Any]] = area_false_alarms.rows_of(model, "tile", 4000)
    by_place = {(row["side"], row["rate"]): row for row in rows}
    for rate in (0.01, 0.05, 0.1):
        own, other = by_place[100, rate], by_place[400, rate]
        assert own["levelled"] == own["itself"] == other["levelled"] == pytest.approx(rate, abs=0.01)
        # 16 times the area adds growth · log 16, which lifts so many more above the threshold
        assert other["itself"] == pytest.approx(min(1.0, rate + GROWTH * math.log(16)), abs=0.02)
    assert {row["normals"] for row in rows} == {99} and {row["images"] for row in rows} == {4000}


def test_every_photo_gives_a_window_of_each_side(monkeypatch):
    seen: dict[int, int] = {}

    def score(pixels: torch.Tensor) -> SimpleNamespace:
        assert float(pixels.abs().max()) <= 1
        seen[pixels.shape[-1]] = seen.get(pixels.shape[-1], 0) + len(pixels)
        return SimpleNamespace(points=pixels.mean(dim=(1, 2, 3)).numpy()[:, None])

    monkeypatch.setattr(area_false_alarms, "_BATCH", 2)
    found = area_false_alarms.statistics_of(SimpleNamespace(score=score), "stochastic_tile", 3)
    assert seen == {100: 3, 200: 3, 400: 3} and {len(each) for each in found.values()} == {3}
    # larger windows of a photo are nearer to its mean
    assert len(set(found[100])) == 3


def test_the_page_names_what_is_further_off_than_the_bound():
    rows = [
        {
            "texture": "tile",
            "normals": 900,
            "side": side,
            "images": 900,
            "rate": 0.1,
            "levelled": levelled,
            "itself": 0.5,
        }
        for side, levelled in ((100, 0.1), (400, 0.16))
    ]
    found = {"rows": rows, "command": "python -m scripts.area_false_alarms", "date": "d", "machine": "m", "cores": 2}
    text = area.section(found)
    assert "| tile | 400 × 400 | 16 × | 900 | 0.1600 / 0.5000 |" in text
    assert "asked for: tile at 16 × the area (0.1600 of 0.1)." in text
    assert f"standard error of {math.sqrt(0.09 * 2 / 900):.4f}" in text
    rows[1]["levelled"] = 0.14
    assert "asked for: nowhere." in area.section(found)
