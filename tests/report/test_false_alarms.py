"""False alarms: thresholds by rank, intervals by groups, and where a promise fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from report_builders import SETTINGS, one_kind, result
from scipy.stats import beta

from radar.evaluation.statistics_rates import Rate
from radar.report.cells import cells
from radar.report.result import Result, ScoredNormals
from radar.report.tables import Table
from radar.report.tables_comparisons import notes_on_tests
from radar.report.tables_false_alarms import (
    ALL,
    CONTAMINATIONS,
    _exceeds,
    _joined,
    _over_seeds,
    alarms,
    false_alarm_table,
)

UNSEEN = ("densities", "detector")
DETECTOR = {"name": "upper_tail", "fitted_on": "cross_fitted", "threshold": "quantile", "threshold_on": "cross_fitted"}


def normals(
    split: str, scores: Sequence[float], groups: Sequence[str] = (), unseen: tuple[str, ...] = UNSEEN
) -> ScoredNormals:
    names = tuple(groups) or tuple(f"{split}{index}" for index in range(len(scores)))
    return ScoredNormals(split, unseen, names, names, np.asarray(scores, dtype=np.float64), ())


def run(
    test: Sequence[float], *, dataset: str = "grid", seed: int = 0, detector: dict[str, str] | None = None
) -> Result:
    """A run whose 99 normals score 1 to 99, and whose twelve normal test images, two of each sheet, score `test`."""
    one = result(preset="fast", dataset=dataset, seed=seed, contamination__value=0.05)
    config = {**one.config, "detector": detector or DETECTOR}
    scores = np.concatenate([np.asarray(test, dtype=np.float64), one.scores[12:]])
    split = normals("train", np.arange(1, 80)), normals("validation", np.arange(80, 100))
    return replace(one, config=config, scores=scores, normals=split)


def with_contamination(one: Result, value: float) -> Result:
    return replace(one, config={**one.config, "contamination": {"value": value}})


def shown(content: Table | None) -> list[dict[str, str]]:
    assert content is not None
    return [dict(zip(content.headings, (entry.text for entry in row), strict=True)) for row in content.rows]


def test_thresholds_are_taken_by_rank_at_every_contamination() -> None:
    found = {each.contamination: each for each in alarms(run([94.5, 95.0, 95.5, 200.0, *[0.0] * 8]))}
    assert tuple(found) == CONTAMINATIONS
    assert {value: int(each.test[0].sum()) for value, each in found.items()} == {
        0.01: 1,
        0.05: 2,
        0.1: 4,
    }  # above 99, 95, 90
    left_out = [each.left_out for each in found.values() if each.left_out is not None]
    assert [int(flagged.sum()) for flagged, _ in left_out] == [1, 4, 9]
    assert {(each.setting, each.groups) for each in found.values()} == {(99, 99)}


def test_a_normal_is_left_out_with_its_whole_group() -> None:
    """The two highest scores are of one sheet: each is judged by the other 98, of which the 94th is the limit."""
    one = run([0.0] * 12)
    pair = [f"sheet {index}" if index < 98 else "pair" for index in range(1, 100)]
    (at, *_) = [each for each in alarms(replace(one, normals=(normals("validation", np.arange(1, 100), pair),)))
                if each.contamination == 0.01]  # fmt: skip
    assert at.left_out is not None
    assert np.flatnonzero(at.left_out[0]).tolist() == [97, 98]
    assert np.flatnonzero(next(iter(alarms(one))).left_out[0]).tolist() == [98]  # type: ignore[index]


def test_one_group_of_normals_leaves_nothing_to_compare() -> None:
    """Two groups or none: with one there is no other's threshold, and what is pooled are the sets that were tested."""
    scores = np.arange(1, 9)
    alone = [replace(run([0.0] * 12, dataset="p"), normals=(normals("validation", scores, ["sheet"] * 8),))]
    (row, *_) = shown(false_alarm_table(cells(alone, None), SETTINGS))
    assert (row["left out"], row["set by normals"], row["promised, at most"]) == ("–", "8 in 1 group", "0.500")
    pair = [*alone, run([0.0] * 12, dataset="q")]
    rows = {
        row["data set"]: row
        for row in shown(false_alarm_table(cells(pair, None), SETTINGS))
        if row["contamination"] == "0.05"
    }
    assert rows[ALL]["left out"] == rows["q"]["left out"]
    assert rows["q"]["left out"].startswith("4 of 99")
    assert [row["left out"] for row in shown(false_alarm_table(cells(alone, None), SETTINGS))] == ["–"] * 3


def test_the_table_by_hand() -> None:
    alarmed = [96.0, 97.0, *[0.0] * 10]  # both of one sheet
    content = false_alarm_table(cells([run(alarmed), run([0.0] * 12, seed=1)], None), SETTINGS)
    row = shown(content)[1]
    assert (row["contamination"], row["promised, at most"], row["set by normals"]) == (
        "0.05",
        "0.050",
        "99 in 99 groups",
    )
    assert row["test normals"] == "12 in 6 groups"
    low, high = beta.ppf(0.025, 0.5, 6.5), beta.ppf(0.975, 1.5, 5.5)  # Clopper and Pearson's of half of 6
    assert row["called anomalous, mean over seeds"] == f"1 of 12: 0.083 ({low:.3f} … {high:.3f})"
    assert row["such thresholds deliver"].startswith("0.050 (0.017 … 0.100)")  # Beta(5, 95)
    assert row["promise"] == "exceeded"
    assert content is not None
    (broken,) = (note for note in content.notes if note.startswith("Rate above"))
    assert broken == "Rate above the promise: radar, fast on grid (0.083 of 0.050; at 0.05)."


def test_the_promise_is_judged_by_all_seeds() -> None:
    """The first seed alone would keep it."""
    some = [run([0.0] * 12), run([100.0] * 12, seed=1), run([100.0] * 12, seed=2)]
    assert shown(false_alarm_table(cells(some[:1], None), SETTINGS))[0]["promise"] == "kept"
    content = false_alarm_table(cells(some, None), SETTINGS)
    assert [row["promise"] for row in shown(content)] == ["fails"] * 3
    assert content is not None
    assert any(
        "radar, fast on grid (0.667 of 0.010, the whole interval, too; at 0.01)" in note for note in content.notes
    )


def test_the_promise_is_the_mean_of_what_the_seeds_promise() -> None:
    """Ten normals of one sheet and ten alone, of which the highest is of the sheet in some seeds: a tenth of it lies above, or one
    whole group. Five of 36 called lie above what the first seed promises, and below what the three do."""

    def of(seed: int, called: int, highest: str) -> Result:
        rest = [*["sheet"] * (10 - (highest == "sheet")), *(f"alone {n}" for n in range(10 - (highest != "sheet")))]
        one = run([100.0] * called + [0.0] * (12 - called), seed=seed)
        return replace(one, normals=(normals("validation", np.arange(1, 21), [*rest, highest]),))

    for highest, promised, told in (
        (("sheet", "alone 9", "alone 9"), "0.145", "kept"),  # (1 / 10 + 2 / 6) / 3, which is rounded up
        (("alone 9", "sheet", "sheet"), "0.123", "exceeded"),  # (2 / 10 + 1 / 6) / 3
    ):
        some = [of(seed, called, group) for seed, (called, group) in enumerate(zip((2, 2, 1), highest, strict=True))]
        content = false_alarm_table(cells(some, None), SETTINGS)
        (row,) = (row for row in shown(content) if row["contamination"] == "0.10")
        assert (row["promised, at most"], row["promise"]) == (promised, told)
        assert row["set by normals"] == "20 in 11 groups"
        assert content is not None and any("the mean of what each promises" in note for note in content.notes)


def test_equal_promises_stay_what_they_are() -> None:
    """A mean that rounds on its way would be broken by a rate that is the promise."""
    for value in (0.1, 0.05, 0.01):
        some = [run([0.0] * 12, seed=seed) for seed in range(3)]
        (row,) = (each for each in _over_seeds(cells(some, None)[0]) if each.contamination == value)
        assert row.promised == value


def test_one_seed_without_a_promise_leaves_none() -> None:
    fitted = replace(run([0.0] * 12, seed=1), normals=(normals("validation", np.arange(99), unseen=("detector",)),))
    rows = shown(false_alarm_table(cells([run([0.0] * 12), fitted], None), SETTINGS))
    assert {row["promised, at most"] for row in rows} == {"–"}


def test_a_run_without_normal_test_images_has_no_row() -> None:
    one = run([0.0] * 12)
    bare = one_kind(one, 1)
    assert list(alarms(bare)) == [] and false_alarm_table(cells([bare], None), SETTINGS) is None
    older = replace(bare, normals=(), format=1)
    assert list(alarms(older)) == []
    beside = [one, replace(bare, config={**bare.config, "dataset": {**bare.config["dataset"], "name": "bare"}})]
    assert {row["data set"] for row in shown(false_alarm_table(cells(beside, None), SETTINGS))} == {"grid"}


def test_the_level_of_intervals_is_told_as_it_was_set() -> None:
    content = false_alarm_table(cells([run([0.0] * 12)], None), replace(SETTINGS, level=0.975))
    assert content is not None and any(note.startswith("Intervals at 97.5%: ") for note in content.notes)
    assert any("Intervals at 99.5%, by bootstrap" in note for note in notes_on_tests(replace(SETTINGS, level=0.995)))


def test_few_groups_promise_what_groups_can() -> None:
    few = replace(run([0.0] * 12), normals=(normals("train", np.arange(9)),))
    assert [row["promised, at most"] for row in shown(false_alarm_table(cells([few], None), SETTINGS))] == ["0.100"] * 3
    sheets = [f"sheet {index // 3}" for index in range(9)]
    few = replace(few, normals=(normals("train", np.arange(9), sheets),))
    rows = shown(false_alarm_table(cells([few], None), SETTINGS))
    assert [row["promised, at most"] for row in rows] == ["0.250"] * 3
    assert {row["such thresholds deliver"] for row in rows} == {"–"}, "that is of independent normals"


def test_normals_that_the_densities_learnt_from_promise_nothing() -> None:
    one = replace(run([100.0] * 12), normals=(normals("validation", np.arange(99), unseen=("network", "detector")),))
    content = false_alarm_table(cells([one], None), SETTINGS)
    rows = shown(content)
    assert {(row["promised, at most"], row["such thresholds deliver"], row["promise"]) for row in rows} == {
        ("–", "–", "–")
    }
    assert content is not None
    (told,) = (note for note in content.notes if note.startswith("Rate above"))
    assert told.startswith(
        "Rate above the contamination, no promise being known: radar, fast on grid (1.000, the whole"
    )


def test_data_sets_that_share_images_are_pooled_once() -> None:
    some = [run([96.0, *[0.0] * 11], dataset=name) for name in ("p", "q")]
    split = replace(some[0], name="other", config={**some[0].config, "dataset": {"name": "p_literature"}})
    rows = [row for row in shown(false_alarm_table(cells([*some, split], None), SETTINGS)) if row["data set"] == ALL]
    assert [row["test normals"] for row in rows] == ["24 in 12 groups"] * 3
    assert rows[1]["called anomalous, mean over seeds"].startswith("2 of 24: 0.083")


def test_a_record_of_before_tells_its_own_contamination_alone() -> None:
    one = run([0.0] * 12)
    decisions = np.concatenate([[True, True, True], np.zeros(27, dtype=bool)])
    before = replace(one, normals=(), format=1, decisions=decisions, scored=129)
    (found,) = alarms(before)
    assert (found.contamination, found.setting, found.left_out, int(found.test[0].sum())) == (0.05, 99, None, 3)
    assert (found.groups, found.promised) == (None, None), "images come in sheets, and the normals' are not recorded"
    (row,) = shown(false_alarm_table(cells([before], None), SETTINGS))
    assert (row["left out"], row["called anomalous, mean over seeds"][:7]) == ("–", "3 of 12")
    for value, told in ((0.125, "0.125"), (0.0025, "0.0025"), (0.1, "0.10")):
        (row,) = shown(false_alarm_table(cells([with_contamination(before, value)], None), SETTINGS))
        assert row["contamination"] == told, "as it was set"
    alone = tuple(replace(each, group=each.path) for each in before.images)
    (found,) = alarms(replace(before, images=alone))
    assert (found.groups, found.promised) == (99, 0.05)


@pytest.mark.parametrize(
    "detector",
    [
        pytest.param({**DETECTOR, "name": "isolation_forest"}, id="a forest"),
        pytest.param({**DETECTOR, "threshold": "shifted"}, id="a shifted quantile"),
        pytest.param({**DETECTOR, "threshold_on": "train"}, id="the normals that it was fitted on"),
    ],
)
def test_what_promises_no_rate_is_no_row(detector: dict[str, str]) -> None:
    assert list(alarms(run([0.0] * 12, detector=detector))) == []
    assert false_alarm_table(cells([run([0.0] * 12, detector=detector)], None), SETTINGS) is None


def test_normals_that_the_detector_was_fitted_on_promise_nothing() -> None:
    one = run([0.0] * 12)
    assert list(alarms(replace(one, normals=(normals("train", np.arange(99), unseen=("densities",)),)))) == []


def test_a_data_set_that_set_its_threshold_by_test_images_of_another_is_not_pooled_with_it() -> None:
    first, second = (run([96.0, *[0.0] * 11], dataset=name) for name in ("p", "q"))
    shown_there = tuple(image.content_hash for image in first.images)
    train, held_out = second.normals
    hashes = (*shown_there, *held_out.content_hashes[len(shown_there) :])[: len(held_out.groups)]
    seen = replace(second, normals=(train, replace(held_out, content_hashes=hashes)))
    for other, pooled in ((second, 3), (seen, 0)):
        content = false_alarm_table(cells([first, other], None), SETTINGS)
        assert content is not None
        assert sum(row[0].text == ALL for row in content.rows) == pooled
        assert sum("none of them is tested on an image that another" in note for note in content.notes) == (pooled > 0)


@pytest.mark.parametrize(
    "parts", [{"a b": "c", "a": "b c"}, {"1": "1 1", "1 1": "1"}, {"a": "x", "a x": "x"}, {"": " a", " ": "a"}]
)
def test_groups_of_two_data_sets_never_meet(parts: dict[str, str]) -> None:
    _, groups = _joined({dataset: (np.zeros(2), [group, group]) for dataset, group in parts.items()})
    assert (len(groups), len(set(groups))) == (4, 2)


def test_a_run_without_the_normals_that_set_its_threshold_has_no_row() -> None:
    assert list(alarms(replace(run([0.0] * 12), normals=()))) == []
    some = [run([0.0] * 12, seed=0), run([0.0] * 12, seed=1)]
    fewer = replace(some[1], normals=some[1].normals[1:])
    (found, *_) = _over_seeds(cells([some[0], fewer], None)[0])
    assert (found.left_out, found.setting) == (None, None), "seeds of different normals have no mean of each"


def test_a_rate_above_its_promise_by_rounding_alone_is_kept() -> None:
    rate = Rate(0.1 + 0.2, 1, 1, 0.0, 1.0)
    assert rate.value > 0.3
    assert not _exceeds(rate, 0.3)
    assert _exceeds(rate, 0.3 - 1e-6)
