"""The page's server under kills: the check finds what is lost and what was never asked for; then it is killed some times."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from deploy_builders import quick_model, save_model

from radar.deploy.calibration import by_hand
from radar.model_folder import change_thresholds, load
from radar.thresholds import Thresholds
from scripts.kill_page import Told, killed, wrong


@pytest.fixture
def run(tmp_path: Path) -> Path:
    save_model(quick_model(tmp_path / "normals"), tmp_path / "run" / "model")
    for value in (1.0, 2.0):
        model = load(tmp_path / "run")
        version = by_hand(model.calibration, value, name="hand")
        change_thresholds(tmp_path / "run", model, partial(Thresholds.with_numbered, version=version))
    with (tmp_path / "run" / "reviewed.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["verdict", "path"], ["good", "a.png"], ["defective", "b.png"]])
    return tmp_path / "run"


def complaints(run: Path, told: Told) -> list[str]:
    return list(wrong(run, run / "reviewed.csv", told))


def test_what_was_answered_for_is_there(run: Path) -> None:
    assert complaints(run, Told({"a.png": "good", "b.png": "defective"}, [1.0, 2.0])) == []


@pytest.mark.parametrize(("name", "last"), [("b.png", "defective"), ("", 2.0)])
def test_what_was_asked_for_last_may_be_there(run: Path, name: str, last: object) -> None:
    verdicts, thresholds = {"a.png": "good", "b.png": "defective"}, [1.0, 2.0]
    told = Told(dict(verdicts), list(thresholds), (name, last))
    if name:
        del told.verdicts[name]
    else:
        told.thresholds.pop()
    assert complaints(run, told) == []
    assert (told.verdicts, told.thresholds) == (verdicts, thresholds), "and is answered for from now on"


@pytest.mark.parametrize(
    ("verdicts", "thresholds"),
    [
        ({"a.png": "good"}, [1.0, 2.0]),
        ({"a.png": "good", "b.png": "good"}, [1.0, 2.0]),
        ({"a.png": "good", "b.png": "defective", "c.png": "good"}, [1.0, 2.0]),
        ({"a.png": "good", "b.png": "defective"}, [1.0]),
        ({"a.png": "good", "b.png": "defective"}, [1.0, 2.0, 3.0]),
        ({"a.png": "good", "b.png": "defective"}, [2.0, 1.0]),
    ],
)
def test_what_is_lost_or_was_never_asked_for_is_found(
    run: Path, verdicts: dict[str, str], thresholds: list[float]
) -> None:
    assert len(complaints(run, Told(verdicts, thresholds))) == 1


def test_a_change_that_did_not_come_to_the_card_comes_to_it_with_the_next(run: Path) -> None:
    card = run / "model" / "README.md"
    told = Told({"a.png": "good", "b.png": "defective"}, [1.0, 2.0])
    kept = card.read_text()
    card.write_text("\n".join(line for line in kept.splitlines() if "`hand-1`" not in line) + "\n")
    assert complaints(run, told) == ["a threshold is not in the model's card"]
    model = load(run)
    version = by_hand(model.calibration, 3.0, name="hand-3")
    change_thresholds(run, model, partial(Thresholds.with_version, version=version))
    assert complaints(run, replace(told, thresholds=[1.0, 2.0, 3.0])) == []
    lines = [line for line in card.read_text().splitlines() if line.startswith("- ")]
    assert lines[-1].split()[2] == "`hand-3`," and f"- {model.thresholds.named('hand-1').made}: `hand-1`," in "\n".join(
        lines
    )


@pytest.mark.slow
def test_the_page_is_killed_and_goes_on(tmp_path: Path) -> None:
    found = killed(tmp_path, 4, 3)
    assert found["wrong"] == 0 and found["answered"] >= 9 and found["verdicts"] and found["thresholds"]
