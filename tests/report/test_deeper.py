"""Of what lies in folders of a folder nothing is read, and how much there is, is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from report_builders import result

from radar.errors import RunError
from radar.report.deeper import told_deeper
from radar.report.records import add_records
from radar.report.stored import read_results

RECORDS = "some.runs.jsonl"


def _run(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "status.json").write_text('{"state": "running"}')


def _records(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    add_records(folder / RECORDS, [result(dataset=folder.name)])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        pytest.param(lambda top: None, "", id="nothing"),
        pytest.param(lambda top: _run(top / "run"), "", id="a run of the folder"),
        pytest.param(lambda top: _run(top / "run" / "sub" / "run"), "1 run or file of records lies deeper", id="a run"),
        pytest.param(lambda top: _records(top / "a" / "b" / "c"), "1 run or file", id="records, far below"),
        pytest.param(
            lambda top: [_run(top / "sub" / name) for name in "xy"] + [_records(top / "sub")], "3 runs or", id="several"
        ),
        pytest.param(lambda top: [_run(top / name / "run") for name in ("cache", "sweeps", ".old")], "", id="no runs"),
        pytest.param(lambda top: [_run(top / "run"), _run(top / "run" / "kept" / "run")], "", id="inside of a run"),
    ],
)
def test_what_lies_deeper_is_counted(tmp_path: Path, make: Callable[[Path], object], told: str) -> None:
    top = tmp_path / "top"
    top.mkdir()
    make(top)
    assert told_deeper(top, [top]).startswith(told) and bool(told_deeper(top, [top])) == bool(told)


def test_links_are_not_followed(tmp_path: Path) -> None:
    top, other = tmp_path / "top", tmp_path / "other"
    _run(other / "sub" / "run")
    top.mkdir()
    (top / "link").symlink_to(other)
    assert told_deeper(top, [top]) == ""


def test_a_report_tells_what_it_does_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (tmp_path, tmp_path / "sub", *(tmp_path / "many" / name for name in "abc")):
        _records(place)
    assert len(read_results([tmp_path])) == 1
    first = f"{tmp_path / 'many' / 'a'} {tmp_path / 'many' / 'b'} {tmp_path / 'many' / 'c'} …"
    assert capsys.readouterr().err.endswith(
        f"note: {tmp_path}: 4 runs or files of records lie deeper, not read; name the folder, too: {first}\n"
    )
    assert len(read_results([tmp_path, tmp_path / "sub", *(tmp_path / "many" / name for name in "abc")])) == 5
    assert capsys.readouterr().err == ""
    with pytest.raises(
        RunError, match="many: no done run and no record is here; 3 runs or files of records lie deeper"
    ):
        read_results([tmp_path / "many"])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{top}", "{here}/sub"),
        ("{here}", "{top}/sub"),
        ("{top}", "{top}/../top/sub"),
        ("{top}/sub/..", "{top}/sub"),
        ("{top}", "{link}/sub"),
        ("{link}", "{top}/sub/x"),
        ("{top}", "{top}/link_to_x"),
    ],
)
def test_what_is_read_by_another_spelling_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    top, link = tmp_path / "top", tmp_path / "link"
    _run(top / "sub" / "x")
    link.symlink_to(top)
    (top / "link_to_x").symlink_to(top / "sub" / "x")
    monkeypatch.chdir(tmp_path)
    spelt = {"top": str(top), "here": "top", "link": str(link)}
    paths = [Path(each.format(**spelt)) for each in (first, second)]
    assert told_deeper(paths[0], paths[:1]) != ""
    assert told_deeper(paths[0], paths) == ""
