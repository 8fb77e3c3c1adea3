"""Streams of photos with a planted change: rows say when each chart left its limits; then a lamp over real photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deploy_builders import drawn, quick_model, save

import radar
from scripts.pages.photos import _alarm
from scripts.real_drift import charted, sheets


def test_a_planted_change_is_in_the_row(tmp_path: Path) -> None:
    model = quick_model(tmp_path / "normals")
    save(tmp_path / "photos" / "a.png", drawn(1))
    (said,) = radar.predict(model, [tmp_path / "photos"])
    stream, random_numbers = [], np.random.default_rng(0)
    for place in range(160):
        light = 0.4 if place < 100 else 0.6
        measured = {
            "brightness": light + 0.01 * random_numbers.normal(),
            "sharpness": random_numbers.random(),
            "score": float(random_numbers.random()),
            "decision": "defective" if place in (3, 150) else "good",
        }
        stream.append(replace(said, path=f"{place}.png", **measured))
    row = charted("planted", model, stream, 100, "score_baseline=log")
    assert (row["photos"], row["changed"], row["sharpness"], row["score"]) == (160, 100, None, None)
    assert isinstance(row["brightness"], int) and 100 < row["brightness"] <= 110
    assert (row["defective_before_alarm"], row["defective"]) == (1, 2)


@pytest.mark.parametrize(
    ("alarm", "changed", "told"), [(None, 5, "–"), (9, 5, "4 later"), (3, 5, "false, at 3"), (3, None, "false, at 3")]
)
def test_an_alarm_is_told_beside_the_change(alarm: int | None, changed: int | None, told: str) -> None:
    assert _alarm(alarm, changed) == told


@pytest.mark.slow
def test_a_lamp_that_ages_over_real_photos_is_found_by_its_brightness_first(real_data: Path, tmp_path: Path) -> None:
    steady, ageing = sheets(real_data / "piped" / "PA_BTN01_RL", tmp_path, "lof_texture")
    assert {steady[measure] for measure in ("brightness", "sharpness", "score")} == {None}
    alarms = [ageing[measure] for measure in ("brightness", "sharpness", "score")]
    assert ageing["changed"] == 120 and all(isinstance(alarm, int) and alarm > 120 for alarm in alarms)
    assert alarms == sorted(alarms), "brightness before sharpness before scores"
