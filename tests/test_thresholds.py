"""Versions of a threshold: the fitted one stays, one is current, and a damaged file is one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from radar.errors import ConfigError, RunError
from radar.files import read_json
from radar.scoring.map_levels import MapLevels
from radar.thresholds import FITTED, Threshold, Thresholds, as_plain, read_thresholds

FIRST = Threshold(
    FITTED, 2.0, MapLevels(1.5, 2.5), "fit", "", "2026-01-01T00:00:00+00:00", 0.05, np.array([0.5, 1.0, 1.0, 1.9]), None
)
LATER = replace(
    FIRST, name="winter", value=3.0, source="normals", origin="photos", normal_scores=np.array([2.5]), groups=1
)


def test_without_a_file_the_fitted_threshold_is_all_there_is(tmp_path: Path) -> None:
    thresholds = read_thresholds(tmp_path, FIRST, "abc")
    assert thresholds.versions == (FIRST,) and thresholds.current is FIRST


def test_a_later_version_decides_until_the_fitted_one_is_taken_back(tmp_path: Path) -> None:
    Thresholds((FIRST,)).with_version(LATER).write(tmp_path, "abc")
    read = read_thresholds(tmp_path, FIRST, "abc")
    assert read.current.value == 3.0
    assert [as_plain(version) for version in read.versions] == [as_plain(FIRST), as_plain(LATER)]
    read.using(FITTED).write(tmp_path, "abc")
    again = read_thresholds(tmp_path, FIRST, "abc")
    assert again.current is FIRST and again.named("winter").origin == "photos"
    assert [path.name for path in tmp_path.iterdir()] == ["thresholds.json"]


def test_names_are_known_and_used_once() -> None:
    thresholds = Thresholds((FIRST,)).with_version(LATER)
    with pytest.raises(ConfigError, match="there is one already"):
        thresholds.with_version(LATER)
    with pytest.raises(ConfigError, match="there is one already"):
        thresholds.with_version(FIRST)
    with pytest.raises(ConfigError, match="use one of fitted, winter"):
        thresholds.using("summer")


@pytest.mark.parametrize(
    ("score", "expected"),
    [(2.0, 1 / 5), (1.9, 2 / 5), (1.0, 4 / 5), (0.1, 1.0)],
    ids=["above", "largest", "tied", "all"],
)
def test_conformal_p_counts_normals_at_least_as_extreme(score: float, expected: float) -> None:
    thresholds = Thresholds((FIRST,))
    assert thresholds.deciding.p_value(score) == expected
    by_hand = replace(FIRST, name="mine", value=9.0, source="hand", normal_scores=np.zeros(0))
    assert thresholds.with_version(by_hand).deciding.p_value(score) == expected
    assert thresholds.with_version(LATER).deciding.p_value(score) == 1.0, "its one normal is as extreme"


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(current="summer"),
        lambda content: content.pop("fingerprint"),
        lambda content: content.update(versions={}),
        lambda content: content["versions"][0].update(value=None),
        lambda content: content["versions"][0].update(map_levels={"faint": float("nan"), "strong": 1.0}),
        lambda content: content["versions"][0].update(map_levels=[1.0, 2.0]),
        lambda content: content["versions"][0].update(source="magic"),
        lambda content: content["versions"][0].update(normal_scores="1, 2"),
        lambda content: content["versions"][0].pop("made"),
        lambda content: content["versions"][0].update(false_alarms=-0.1),
        lambda content: content["versions"][0].update(false_alarms=0),
        lambda content: content["versions"][0].update(false_alarms=1.5),
        lambda content: content["versions"][0].update(false_alarms=True),
        lambda content: content["versions"][0].update(value=True),
        lambda content: content["versions"][0].update(value=10**400),
        lambda content: content["versions"][0].update(false_alarms=10**400),
        lambda content: content["versions"][0].update(groups=-1),
        lambda content: content["versions"][0].update(groups=True),
        lambda content: content["versions"][0].update(name=FITTED),
    ],
)
def test_damage_is_one_line_that_says_how_to_go_on(tmp_path: Path, change) -> None:
    Thresholds((FIRST,)).with_version(LATER).write(tmp_path, "abc")
    path = tmp_path / "thresholds.json"
    content = read_json(path, "")
    change(content)
    path.write_text(json.dumps(content))  # without a checksum, and with numbers that are not finite
    with pytest.raises(
        RunError, match=r"thresholds\.json: cannot be read .*remove it to go back to the fitted"
    ) as error:
        read_thresholds(tmp_path, FIRST, "abc")
    assert "\n" not in str(error.value)


def test_half_a_file_and_another_models_are_refused(tmp_path: Path) -> None:
    Thresholds((FIRST,)).with_version(LATER).write(tmp_path, "abc")
    with pytest.raises(RunError, match="belongs to the model abc, not to def"):
        read_thresholds(tmp_path, FIRST, "def")
    path = tmp_path / "thresholds.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(RunError, match="cannot be read"):
        read_thresholds(tmp_path, FIRST, "abc")
