"""Text from data becomes a name of a file, never a way to another folder."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any

import pytest
from matplotlib.figure import Figure
from report_builders import SETTINGS, result
from trust_builders import OUTSIDE, listed_defect

from radar.data.manifest import read_manifest
from radar.data.mvtec_export import write_mvtec
from radar.errors import DataError, RunError
from radar.experiment.sweep import Sweep
from radar.files import write_json
from radar.report.build import Report, table_files, write_figures, write_tables
from radar.report.style import new_figure
from radar.report.tables import table
from radar.runtime.file_names import file_name, output_name

HOSTILE = (
    *OUTSIDE, "", ".", "..", "...", " ", "a.", "a ", ".hidden.", "a\0b", "a\nb", "a\rb\tc", "\x1b[2J", "C:", "C:x", "x:stream",
    "con", "NUL.txt", "com1", "a" * 300, "ä" * 200, "\ud800", "a\u202eb", "\u2066a", "\u200b", "\ufeffa", "a|b", "a?b*c", '"', "~",
    "-rf",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_names_one_file_in_its_folder(tmp_path: Path, text: str) -> None:
    name = file_name(text)
    path = tmp_path / f"roc_{name}.csv"
    path.write_text("x")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert (tmp_path / name).parent == tmp_path and name not in ("", ".", "..")
    assert len(name.encode()) <= 100 and name.isprintable() and not set(name) & set('<>:"/\\|?*')


def test_names_stay_apart_and_usual_ones_stay_as_they_are() -> None:
    usual = ("grid", "piped_PA_BRG03_TL", "image AUROC", "unet.channels", "Kratzer, tief", "傷", "a" * 80)
    assert tuple(map(file_name, usual)) == usual
    assert len(set(map(file_name, HOSTILE))) == len(HOSTILE)
    assert len({output_name(PurePath(text)) for text in ("a/x.png", "b/x.png", "x.jpg", "X.png", "x .png")}) == 5


class Named:
    """A report whose tables and figures are called after `name`."""

    settings = SETTINGS

    def __init__(self, name: str) -> None:
        self.tables = [table(name, "", ("x",), [["1"]])]
        self.name = name

    def figures(self) -> Iterator[tuple[str, str, Figure]]:
        yield self.name, "", new_figure(1, 1)


@pytest.mark.parametrize("name", [*OUTSIDE, "a/b", "a\nb", "a" * 300])
def test_a_report_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    check_report(Named(name), tmp_path)


def test_the_name_of_a_data_set_leads_nowhere(tmp_path: Path) -> None:
    check_report(Report([result(dataset=OUTSIDE[1])], SETTINGS, []), tmp_path)


def check_report(report: Any, folder: Path) -> None:
    (out := folder / "deep" / "report").mkdir(parents=True)
    files = [*write_tables(table_files(report), out), *(path for _, path in write_figures(report, out, list))]
    assert all(path.parent == out and path.is_file() for path in files)
    assert [each.name for each in folder.iterdir()] == ["deep"]
    assert [each.name for each in (folder / "deep").iterdir()] == ["report"]


@pytest.mark.parametrize("defect", ["../../x", "/x", "a/b", "..", ".", "a\0b"])
def test_a_manifest_names_defects_by_one_word(tmp_path: Path, defect: str) -> None:
    path = tmp_path / "split.csv"
    path.write_text(
        f"path,content_hash,split,label,defect,mask,group\ngood/0.png,,train,0,,,\na.png,,test,1,{defect},,\n"
    )
    with pytest.raises(DataError, match=r"split\.csv, row 3: defect .* is no name of a folder"):
        read_manifest(path)


@pytest.mark.parametrize("column", ["path", "mask"])
@pytest.mark.parametrize("text", ["../x.png", "/etc/x.png", "a/../../x.png", "a\0.png"])
def test_a_manifest_names_files_of_its_data_set_alone(tmp_path: Path, column: str, text: str) -> None:
    cells = {"path": "a.png", "mask": "", column: text}
    path = tmp_path / "split.csv"
    path.write_text(f"path,content_hash,split,label,defect,mask,group\n{cells['path']},,test,1,,{cells['mask']},\n")
    with pytest.raises(DataError, match=f"row 2: {column} "):
        read_manifest(path)


@pytest.mark.parametrize("defect", [*OUTSIDE, "con", "a:b", "x" * 200, "Scratch", "scratch"])
def test_an_export_of_any_defect_stays_in_its_folder(tmp_path: Path, defect: str) -> None:
    """Also of a layout that reads no manifest, and is anyone's."""
    out = tmp_path / "deep" / "out"
    assert write_mvtec(listed_defect(defect), out) == 4
    assert {each.name for each in tmp_path.iterdir()} == {"deep"}
    assert {each.name for each in (tmp_path / "deep").iterdir()} == {"out"}
    assert len({str(path).casefold() for path in out.rglob("*.png")}) == 5  # a mask among them


@pytest.mark.parametrize("directory", ["../elsewhere", "/etc", "..", ".", "", "a/b"])
def test_a_sweep_looks_for_jobs_beside_itself_alone(tmp_path: Path, directory: str) -> None:
    sweep = Sweep.of(tmp_path, ["seed=0"])
    sweep.begin(["-m", "seed=0"], ["seed=0"])
    sweep.begin_job("seed=0", tmp_path / "run", "command")
    (record,) = (sweep.path / "jobs").iterdir()
    write_json(record, {"name": "seed=0", "first": 0.0, "directory": directory, "error": None})
    assert [state.state for state in sweep.states()] == ["missing"]


@pytest.mark.parametrize("verb", ["report", "compare", "status"])
def test_a_folder_may_be_called_like_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """What is there is a path."""
    monkeypatch.chdir(tmp_path)
    Path("seed=0").mkdir()
    words = {"report": ["seed=0", "--out", "x"], "compare": ["seed=0", "./seed=0"], "status": ["seed=0"]}[verb]
    command = getattr(import_module(f"radar.cli.{verb}"), verb)
    with pytest.raises(RunError, match=r"^seed=0: "):
        command(words)
