"""Records are read back as they were, survive an interruption, and say what is wrong with a file that is none."""

from __future__ import annotations

import json
import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_builders import result

from radar.errors import RunError, WriteError
from radar.evaluation.image_metrics import image_metrics
from radar.files import read_lines
from radar.report.cells import OLDER, cells
from radar.report.records import add_records, read_records
from radar.report.result import Result
from radar.report.stored import read_results
from radar.report.tables import markdown
from radar.report.tables_results import main_table
from scripts.record_runs import main as record_runs
from scripts.record_runs import metrics_only

NAMES = ("study.runs.jsonl", "study.runs.jsonl.xz")


def assert_same(one: Result, other: Result) -> None:
    for name in (
        "name",
        "fingerprint",
        "ended",
        "command",
        "config",
        "environment",
        "metrics",
        "scored",
        "images",
        "feature_names",
        "format",
    ):
        assert getattr(one, name) == getattr(other, name)
    for name in ("scores", "features", "decisions"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for mine, its in zip(one.normals, other.normals, strict=True):
        assert {**vars(mine), "scores": mine.scores.tolist()} == {
            **vars(its),
            "scores": its.scores.tolist(),
            "paths": (),
        }
    assert (one.test_data, one.data, one.seed, one.dataset) == (other.test_data, other.data, other.seed, other.dataset)


@pytest.mark.parametrize("name", NAMES)
def test_records_are_read_back_as_they_were_and_later_ones_take_their_place(tmp_path: Path, name: str) -> None:
    some = [result(seed=seed, overrides=["scoring.window=7"]) for seed in range(2)]
    some[0] = replace(some[0], normals=some[0].normals[1:], unscored_normals=some[0].normals[0].content_hashes)
    assert add_records(tmp_path / name, some[:1]) == 1
    assert add_records(tmp_path / name, some[1:]) == 2
    again = replace(some[0], name="again", ended="2030-01-01T00:00:00Z")
    assert add_records(tmp_path / name, [again]) == 2
    read = {each.fingerprint: each for each in read_results([tmp_path])}
    for one in (again, some[1]):
        assert_same(read[one.fingerprint], one)
    assert len(read) == 2


def test_a_growing_file_becomes_a_compressed_one_of_the_same_bytes_every_time(tmp_path: Path) -> None:
    growing, packed, again = (tmp_path / name for name in (*NAMES, "again.runs.jsonl.xz"))
    add_records(growing, [result(seed=seed) for seed in range(3)])
    for target in (packed, again):
        add_records(target, read_records(growing)[0])
    assert packed.read_bytes() == again.read_bytes()
    assert list(read_lines(packed)) == list(read_lines(growing))


def test_a_line_without_an_end_is_refused_before_it_is_held_whole(tmp_path: Path) -> None:
    packed = tmp_path / "blanks.runs.jsonl.xz"
    compressor = lzma.LZMACompressor(preset=0)
    blanks = b" " * 2**20
    packed.write_bytes(b"".join(compressor.compress(blanks) for _ in range(80)) + compressor.flush())
    with pytest.raises(ValueError, match="a line of more than"):
        list(read_lines(packed))


def test_an_interrupted_line_is_named_and_neither_it_nor_the_next_one_takes_others_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, some = tmp_path / NAMES[0], [result(seed=seed) for seed in range(3)]
    add_records(path, some[:2])
    path.write_bytes(path.read_bytes()[:-100])
    add_records(path, some[2:])
    assert [each.seed for each in read_results([path])] == [0, 2]
    error = capsys.readouterr().err
    assert "1 results left out" in error
    assert f"{path}, line 2" in error
    assert error.count("\n") == 1


def test_a_cut_off_compressed_file_gives_what_is_whole_and_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / NAMES[1]
    add_records(path, [result(seed=seed) for seed in range(30)])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(RunError, match="mend the file"):
        add_records(path, [result(seed=99)])
    add_records(tmp_path / "other.runs.jsonl", [result(dataset="wood")])
    assert "wood" in {each.dataset for each in read_results([tmp_path])}
    assert f"{path}: cannot be read to its end" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["runs.jsonl", "study.json", "study.runs.jsonl.gz"])
def test_a_file_of_records_is_known_by_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="is named NAME"):
        add_records(tmp_path / name, [result()])


@pytest.mark.parametrize("name", NAMES)
def test_equal_runs_of_two_names_of_a_data_set_are_two(tmp_path: Path, name: str) -> None:
    """A fingerprint knows no name of a data set."""
    one, other = (
        result(dataset="parts"),
        replace(result(dataset="again"), fingerprint=result(dataset="parts").fingerprint),
    )
    add_records(tmp_path / name, [one, other, one])
    assert [each.dataset for each in read_results([tmp_path])] == ["again", "parts"]


def test_what_is_no_result_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no done run and no record is here"):
        read_results([tmp_path])
    path = tmp_path / NAMES[0]
    add_records(path, [result()])
    for key, value in (("scores", None), ("metrics", {}), ("images", [["too", "short"]])):
        content = json.loads(next(read_lines(path)))
        (tmp_path / "bad.runs.jsonl").write_text(json.dumps({**content, key: value}))
        with pytest.raises(RunError, match="line 1: not a record of a run"):
            read_results([tmp_path / "bad.runs.jsonl"])


def test_a_record_of_before_reads_without_normals_and_its_row_says_so(tmp_path: Path) -> None:
    path = tmp_path / NAMES[0]
    add_records(path, [result(seed=0), result(seed=1)])
    now, before = (json.loads(line) for line in read_lines(path))
    del before["format"], before["normals"]
    path.write_text(f"{json.dumps(now)}\n{json.dumps(before)}\n")
    read = {each.seed: each for each in read_results([path])}
    assert [len(each.scores) for each in read[0].normals] == [20, 10]
    assert (read[1].normals, read[1].is_older, read[0].is_older) == ((), True, False)
    assert [cell.marks for cell in cells(list(read.values()), None)] == [OLDER]
    assert [cell.marks for cell in cells([read[0]], None)] == [""]
    assert f"{OLDER} some records are of an older format" in markdown(main_table(cells([read[1]], None)))
    del now["normals"][0]["groups"][0]
    path.write_text(json.dumps(now))
    with pytest.raises(RunError, match="normals of train: groups, content_hashes and scores"):
        read_results([path])


def test_how_defects_were_measured_makes_no_other_test_data() -> None:
    one = result()
    measured = tuple(replace(image, defect_area=0.5, defect_contrast=None) for image in one.images)
    assert replace(one, images=measured).test_data == one.test_data
    assert replace(one, images=(replace(one.images[0], label=1), *one.images[1:])).test_data != one.test_data


def test_runs_below_a_folder_that_cannot_be_read_are_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_records(tmp_path / NAMES[0], [result()])
    old = tmp_path / "old"
    old.mkdir()
    (old / "status.json").write_text('{"state": "done"}')
    assert [each.dataset for each in read_results([tmp_path])] == ["grid"]
    error = capsys.readouterr().err
    assert error.startswith("radar: note: 1 results left out: ")
    assert str(old) in error
    with pytest.raises(RunError, match="not a whole run"):
        read_results([old])


def test_a_link_in_place_of_a_file_of_records_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("")
    (tmp_path / NAMES[0]).symlink_to(elsewhere)
    with pytest.raises(WriteError):
        add_records(tmp_path / NAMES[0], [result()])
    assert elsewhere.read_text() == ""


def test_results_without_images_are_left_out_of_reports_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare, whole = metrics_only(result(seed=1)), result(seed=2)
    add_records(tmp_path / NAMES[1], [bare, whole])
    read, _ = read_records(tmp_path / NAMES[1])
    assert [(each.seed, each.metrics, len(each.images)) for each in read] == [
        (1, result(seed=1).metrics, 0),
        (2, whole.metrics, len(whole.images)),
    ]
    assert [each.seed for each in read_results([tmp_path])] == [2]
    assert "1 results hold metrics and no image" in capsys.readouterr().err
    add_records(tmp_path / "bare.runs.jsonl", [bare])
    with pytest.raises(RunError, match="1 results hold metrics and no image"):
        read_results([tmp_path / "bare.runs.jsonl"])


def test_metrics_alone_take_no_place_of_a_whole_record(tmp_path: Path) -> None:
    for name in NAMES:
        add_records(tmp_path / name, [result()])
        before = (tmp_path / name).read_bytes()
        with pytest.raises(RunError, match="with every image, and metrics alone would take its place"):
            add_records(tmp_path / name, [metrics_only(result()), metrics_only(result(seed=5))])
        assert (tmp_path / name).read_bytes() == before
        with pytest.raises(RunError, match="metrics alone would take its place"):
            add_records(tmp_path / f"new_{name}", [result(), metrics_only(result())])
        assert not (tmp_path / f"new_{name}").exists()
    bare = tmp_path / "bare.runs.jsonl"
    assert add_records(bare, [metrics_only(result())]) == add_records(bare, [result()]) == 1


def test_records_of_metrics_only_can_be_recorded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "a.runs.jsonl", tmp_path / "b.runs.jsonl.xz"
    add_records(first, [metrics_only(result(seed=1)), metrics_only(result(seed=2))])
    monkeypatch.setattr("sys.argv", ["record_runs", "--to", str(second), str(first)])
    assert record_runs() == 0
    assert [each.seed for each in read_records(second)[0]] == [1, 2]
    earlier = replace(result(seed=1), ended="2020-01-01T00:00:00Z")
    add_records(tmp_path / "c.runs.jsonl", [result(seed=1)])
    add_records(tmp_path / "d.runs.jsonl", [earlier])
    sources = [str(tmp_path / name) for name in ("c.runs.jsonl", "d.runs.jsonl", "a.runs.jsonl")]
    monkeypatch.setattr("sys.argv", ["record_runs", "--to", str(tmp_path / "e.runs.jsonl"), *sources])
    assert record_runs() == 0
    kept = {each.seed: (each.ended, len(each.images)) for each in read_records(tmp_path / "e.runs.jsonl")[0]}
    assert kept == {1: (result(seed=1).ended, len(result(seed=1).images)), 2: (result(seed=2).ended, 0)}
    (tmp_path / "empty.runs.jsonl").touch()
    monkeypatch.setattr(
        "sys.argv", ["record_runs", "--to", str(tmp_path / "f.runs.jsonl"), str(tmp_path / "empty.runs.jsonl")]
    )
    with pytest.raises(RunError, match="holds no record"):
        record_runs()


def test_a_label_that_is_none_is_named_and_the_other_records_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / NAMES[0]
    add_records(path, [result(seed=0), result(seed=1)])
    first, second = (json.loads(line) for line in read_lines(path))
    first["images"][0][2] = 2
    path.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    assert [each.seed for each in read_results([path])] == [1]
    assert "line 1: not a record of a run (labels must be 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("image", {"auroc": 0.1}),
        ("image", {"auroc": None}),
        ("image", {"recall": 0.123}),
        ("image", {"anomalous": 3}),
        ("image", {"false_positive_rate": 0.999}),
        ("image", {"f1_all_anomalous": 0.01}),
        ("defects/hole", {"recall": 0.999}),
        ("defects/hole", {"auroc": 0.01}),
        ("defects/hole", {"count": 99}),
    ],
)
def test_metrics_that_a_records_own_scores_do_not_give_are_refused(
    tmp_path: Path, section: str, change: dict[str, float | None]
) -> None:
    path = tmp_path / NAMES[0]
    add_records(path, [result()])
    content = json.loads(next(read_lines(path)))
    section, _, name = section.partition("/")
    (content["metrics"][section][name] if name else content["metrics"][section]).update(change)
    path.write_text(json.dumps(content))
    with pytest.raises(
        RunError, match=f"metrics/{section}/.*{next(iter(change))} is .*, and its own scores and labels give"
    ):
        read_results([path])


def test_scores_labels_and_decisions_that_were_changed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / NAMES[0]
    add_records(path, [result()])
    whole = json.loads(next(read_lines(path)))
    flipped = str.maketrans("01", "10")
    for name, value in (
        ("scores", [-score for score in whole["scores"]]),
        ("decisions", whole["decisions"].translate(flipped)),
        ("images", [[*image[:2], 1 - image[2], *image[3:]] for image in whole["images"]]),
    ):
        path.write_text(json.dumps({**whole, name: value}))
        with pytest.raises(RunError, match=r"metrics/image/.*, and its own scores and labels give"):
            read_results([path])


def test_scores_that_rounding_made_equal_are_read(tmp_path: Path) -> None:
    """Seven digits are kept of scores, and fewer tell these apart."""
    one = result()
    scores = 1e6 + one.scores / 100
    metrics = replace(one.metrics, image=image_metrics(one.labels, scores, one.decisions))
    add_records(tmp_path / NAMES[0], [replace(one, scores=scores, metrics=metrics)])
    (read,) = read_results([tmp_path])
    assert len(set(read.scores)) < len(scores) and read.metrics.image == metrics.image
