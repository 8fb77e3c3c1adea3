"""Logs of predictions: planted drift is found before rejects rise, nothing is found where nothing is, in any order of lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from deploy_builders import quick_model
from numpy.typing import NDArray

from radar.compose.settings import verb_settings
from radar.config.verbs import MonitorConfig
from radar.deploy.monitor import Monitored, monitor
from radar.errors import ConfigError, DataError
from radar.model import Model
from radar.runtime.prediction import Prediction, json_line

START = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)  # a photo each ten seconds
NORMALS = np.random.default_rng(99).lognormal(size=200)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    fitted = quick_model(tmp_path_factory.mktemp("normals"))
    first = replace(fitted.thresholds.versions[0], normal_scores=NORMALS, value=float(np.quantile(NORMALS, 0.99)))
    return replace(fitted, thresholds=replace(fitted.thresholds, versions=(first,)))


def said(model: Model, index: int, score: float, brightness: float, sharpness: float) -> Prediction:
    known = dict.fromkeys(
        ("p_value", "region_count", "flagged_area", "flagged_share", "width", "height", "milliseconds", "content_hash", "bytes",
         "modified_ns", "error")
    )  # fmt: skip
    return Prediction(
        **known, path=f"{index}.png", time=(START + timedelta(seconds=10 * index)).isoformat(), threshold=model.threshold,
        decision="defective" if score > model.threshold else "good", score=score, threshold_name="fitted", regions=(),
        brightness=brightness, sharpness=sharpness, model=model.fingerprint[:12],
    )  # fmt: skip


def lines(model: Model, seed: int, brightness_left: NDArray[np.float64]) -> list[Prediction]:
    """Photos in a light of which a share is left; for each percent that is gone, scores rise by 6 % of their deviation."""
    generator, count = np.random.default_rng(seed), len(brightness_left)
    brightness = generator.normal(0.45, 0.01, count) * brightness_left
    score = np.exp(generator.normal(size=count) + 6 * (1 - brightness_left))
    sharpness = generator.lognormal(-7, 0.3, count)
    return [said(model, index, *row) for index, row in enumerate(zip(score, brightness, sharpness, strict=True))]


def charted(
    model: Model, folder: Path, log: Sequence[Prediction], *overrides: str, since: datetime | None = None
) -> Monitored:
    (folder / "predictions.jsonl").write_text("".join(f"{json_line(each)}\n" for each in log))
    return monitor(model, folder, since, verb_settings(MonitorConfig, "monitor", overrides))


def test_an_ageing_lamp_is_found_before_rejects_rise(model: Model, tmp_path: Path) -> None:
    begins, photos = 300, np.arange(1500)
    left = 1 - 0.02 * np.clip(photos - begins, 0, None) / 100  # 2 % per 100 photos
    log = lines(model, 0, left)
    found = charted(model, tmp_path, log)
    brightness, scores = found.drifted
    assert (brightness.measure, brightness.rises, scores.measure, scores.rises) == ("brightness", False, "score", True)
    assert brightness.alarm is not None and scores.alarm is not None
    assert begins < brightness.alarm < begins + 150 < scores.alarm
    rejected = np.array([each.decision == "defective" for each in log])
    first, second, last = (rejected[at - 100 : at].mean() for at in (brightness.alarm, scores.alarm, len(log)))
    assert first < 0.04 < 2 * second < last, "the charts say so while few are rejected"
    assert found.times[brightness.alarm] == START + timedelta(seconds=10 * brightness.alarm)


def test_lines_are_taken_in_the_order_of_their_time(model: Model, tmp_path: Path) -> None:
    log = lines(model, 1, np.r_[np.ones(300), np.full(200, 0.9)])
    shuffled = [log[index] for index in np.random.default_rng(0).permutation(len(log))]
    first, second = charted(model, tmp_path, log), charted(model, tmp_path, shuffled)
    assert first.times == second.times
    for one, other in zip(first.charts, second.charts, strict=True):
        np.testing.assert_array_equal(one.levels, other.levels)
    assert first.drifted[0].measure == "brightness"


def test_without_drift_false_alarms_are_as_rare_as_stated(model: Model, tmp_path: Path) -> None:
    generator, length, alarms, photos = np.random.default_rng(3), 200.0, 0, 0
    for _ in range(25):
        scores = np.random.default_rng(generator.integers(1 << 32)).lognormal(size=700)
        anew = replace(model.thresholds.versions[0], normal_scores=scores[:200])
        fresh = replace(model, thresholds=replace(model.thresholds, versions=(anew,)))
        log = [
            said(model, index, score, *generator.normal(0.5, 0.01, size=2))
            for index, score in enumerate(scores[200:].tolist())
        ]
        for chart in charted(fresh, tmp_path, log, f"run_length={length}").charts:
            alarms += chart.alarm is not None
            photos += len(chart.levels) if chart.alarm is None else chart.alarm - chart.first + 1
    rate = 3 * alarms / photos  # of three charts, each watched until its first alarm
    assert alarms > 25 and rate == pytest.approx(1 / length, rel=0.45)


def test_what_was_mended_is_passed_over(model: Model, tmp_path: Path) -> None:
    log = lines(model, 4, np.r_[np.ones(200), np.full(200, 0.9), np.ones(200)])
    assert charted(model, tmp_path, log).drifted
    found = charted(model, tmp_path, log, since=START + timedelta(seconds=4000))
    assert not found.drifted and len(found.times) == 200


def test_other_models_unreadable_photos_and_a_line_that_is_being_written_are_passed_over(
    model: Model, tmp_path: Path
) -> None:
    log = lines(model, 5, np.ones(80))
    other = [replace(each, model="0" * 12) for each in log[:3]]
    bad = [
        replace(each, decision="unreadable", score=None, brightness=None, sharpness=None)
        for each in lines(model, 5, np.ones(82))[80:]
    ]
    found = charted(model, tmp_path, [*other, *log, *bad])
    with (tmp_path / "predictions.jsonl").open("a") as file:
        file.write(json_line(log[0])[:50])
    again = monitor(model, tmp_path / "predictions.jsonl", None, verb_settings(MonitorConfig, "monitor", []))
    for each in (found, again):
        assert (len(each.times), each.others, each.unreadable) == (80, 3, 2)


@pytest.mark.parametrize("copies", [2, 5])
@pytest.mark.parametrize("place", ["one after the other", "each line at once"])
def test_what_a_log_repeats_counts_once(model: Model, tmp_path: Path, copies: int, place: str) -> None:
    log = lines(model, 5, np.r_[np.ones(70), np.full(10, 0.9)])
    bad = replace(log[7], path="bad.png", decision="unreadable", score=None, brightness=None, sharpness=None)
    once, all_lines = charted(model, tmp_path, log), [*log, bad]
    log_again = (
        all_lines * copies if place == "one after the other" else [each for each in all_lines for _ in range(copies)]
    )
    found = charted(model, tmp_path, log_again)
    assert (len(found.times), found.unreadable, found.repeated) == (80, 1, 81 * (copies - 1))
    for first, second in zip(once.charts, found.charts, strict=True):
        np.testing.assert_array_equal(first.levels, second.levels)


def test_a_photo_that_comes_again_is_no_repeated_line(model: Model, tmp_path: Path) -> None:
    """The same file at another time, and another file of that name at the same."""
    log = lines(model, 5, np.ones(80))
    again = [
        replace(log[0], time=log[1].time),
        replace(log[0], content_hash="1" * 64),
        replace(log[0], path="other.png"),
    ]
    found = charted(model, tmp_path, [*log, *again])
    assert (len(found.times), found.repeated) == (83, 0)


def test_repeated_lines_make_no_baseline(model: Model, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"holds 30 readable photos of this model; 30 lines repeat others, and the baseline"
    ):
        charted(model, tmp_path, lines(model, 5, np.ones(30)) * 2)


@pytest.mark.parametrize("measure", ["score", "brightness", "sharpness"])
def test_a_decision_without_its_measures_is_named(model: Model, tmp_path: Path, measure: str) -> None:
    log = lines(model, 5, np.ones(80))
    with pytest.raises(DataError, match=r"line 3 has a decision and no score, brightness or sharpness"):
        charted(model, tmp_path, [*log[:2], replace(log[2], **{measure: None}), *log[3:]])


def test_few_normals_or_a_wish_let_scores_be_compared_with_the_log(model: Model, tmp_path: Path) -> None:
    log = lines(model, 6, np.ones(80))
    assert [chart.first for chart in charted(model, tmp_path, log).charts] == [50, 50, 0]
    for overrides in (["score_baseline=log"], ["baseline=50", "score_baseline=log"]):
        assert [chart.first for chart in charted(model, tmp_path, log, *overrides).charts] == [50, 50, 50]
    first = replace(model.thresholds.versions[0], normal_scores=NORMALS[:49])
    few = replace(model, thresholds=replace(model.thresholds, versions=(first,)))
    found = charted(few, tmp_path, log)
    assert (found.charts[2].first, found.too_few_normals) == (50, 49)
    assert charted(few, tmp_path, log, "score_baseline=log").too_few_normals is None
    assert charted(model, tmp_path, log).too_few_normals is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "cannot be read as a log"),
        ("", "holds 0 readable photos of this model, and the baseline alone takes 50"),
        ("{}\n", "line 1: is no prediction"),
        ("not JSON\n", "line 1: is no prediction"),
    ],
)
def test_what_is_no_log_is_one_line(model: Model, tmp_path: Path, text: str | None, expected: str) -> None:
    if text is not None:
        (tmp_path / "predictions.jsonl").write_text(text)
    with pytest.raises(DataError, match=r"predictions\.jsonl") as told:
        monitor(model, tmp_path / "predictions.jsonl", None, verb_settings(MonitorConfig, "monitor", []))
    assert expected in str(told.value) and "\n" not in str(told.value)


def test_few_lines_are_no_answer(model: Model, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds 50 readable photos"):
        charted(model, tmp_path, lines(model, 7, np.ones(50)))
    assert len(charted(model, tmp_path, lines(model, 7, np.ones(51))).charts[0].levels) == 1


NO_LINES = {  # a change of a line, and what is said of it
    "another key": (lambda said: {**said, "s": 1}, "the prediction has s, which is none of its keys"),
    "a missing key": (lambda said: {key: said[key] for key in said if key != "score"}, "the prediction has no score"),
    "a list": (lambda said: [said["path"]], "stands where a prediction with named values is wanted"),
    "a number": (lambda said: 3, "3 stands where a prediction with named values is wanted"),
    "regions that are none": (lambda said: {**said, "regions": "none"}, "regions is no list"),
    "a region that is none": (lambda said: {**said, "regions": [7]}, "7 stands where a region with named values is wanted"),
    "half a region": (lambda said: {**said, "regions": [{"x": 7}]}, "the region has no y"),
    "a score that is a text": (lambda said: {**said, "score": "high"}, 'score is "high"'),
    "a score that is a list": (lambda said: {**said, "score": [1]}, "score is [1]"),
    "no time": (lambda said: {**said, "time": None}, "time is null"),
    "another decision": (lambda said: {**said, "decision": "maybe"}, "decision is maybe, and none of good, defective, unreadable"),
    "a share above 1": (lambda said: {**said, "brightness": 3}, "brightness is 3, and a share lies between 0 and 1"),
    "a long text": (lambda said: {**said, "score": "x" * 10_000}, "…"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_LINES)
def test_a_line_that_is_no_prediction_is_told_in_plain_words(model: Model, tmp_path: Path, kind: str) -> None:
    change, told = NO_LINES[kind]
    good = json.loads(json_line(lines(model, 5, np.ones(1))[0]))
    (tmp_path / "predictions.jsonl").write_text(f"{json.dumps(good)}\n{json.dumps(change(good))}\n")
    with pytest.raises(DataError, match=r"line 2: is no prediction \(") as caught:
        monitor(model, tmp_path, None, verb_settings(MonitorConfig, "monitor", []))
    said = str(caught.value)
    assert told in said and "\n" not in said and len(said) < 600
    assert not any(internal in said for internal in ("Error", "__init__", "argument", "object", "'str'", "NoneType"))


@pytest.mark.parametrize("overrides", [["weight=1"], ["weight=0.5"], ["weight=0.2", "run_length=1e6"]])
def test_a_chart_that_could_find_nothing_is_refused(model: Model, tmp_path: Path, overrides: list[str]) -> None:
    with pytest.raises(
        ConfigError, match=r"^weight=.*: with baseline=50 .* lower weight or run_length, or raise baseline$"
    ):
        monitor(model, tmp_path, None, verb_settings(MonitorConfig, "monitor", overrides))
