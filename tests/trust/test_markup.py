"""Text of users is text: in figures, on terminals, in spreadsheets."""

from __future__ import annotations

import csv
import html
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from rich.table import Table

from radar.cli.printing import PlainConsole
from radar.data.manifest import manifest_text, read_manifest
from radar.data.sample import Sample
from radar.files import read_csv, write_csv
from radar.report.figures import PanelRow, feature_scatter, panel_figure, save_figure
from radar.report.style import new_figure
from radar.report.tables import Entry, csv_text, markdown
from radar.report.tables import table as result_table
from radar.runtime.prediction import COLUMNS, Prediction, csv_line
from radar.runtime.terminal import printable

TEXTS = (
    "$", "$$", "a$b_$", r"$\frac{$", "$x^2$", "_hidden", "^", "\\", "[bold]", "[/]", "[link=x]y", ":warning:", "{x}", "%s", "\x1b[2J",
    "\x07", "a\nb", "a\tb", "\0", "\ud800", "\u202e", "\u2028", "傷", "é", "👩‍🔬", "<b>", "&amp;", "|", "`", "=cmd|' /C calc'!A0", "",
)  # fmt: skip
FORMULAS = ("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''=1", "=cmd|' /C calc'!A0", "-scratch.png")


@pytest.mark.parametrize("text", TEXTS)
def test_a_figure_shows_any_text(tmp_path: Path, text: str) -> None:
    """Where a text stands in all of its places: title, axis, tick, legend, label of a row."""
    figure = new_figure(3, 2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], label=text)
    axes.set_title(text)
    axes.set_xlabel(text)
    axes.set_xticks([0, 1], [text, text])
    axes.set_yscale("log")
    axes.legend(loc="upper left") if text.strip("_") == text != "" else None
    for ending in ("png", "pdf", "svg"):
        save_figure(figure, tmp_path / f"x.{ending}")
        assert (tmp_path / f"x.{ending}").stat().st_size > 1000


def test_the_figures_of_a_run_take_names_literally(tmp_path: Path) -> None:
    title = "\n".join(text for text in TEXTS if "\n" not in text)
    row = PanelRow(np.zeros((8, 8)), None, np.zeros((8, 8)), None, title)
    save_figure(panel_figure([row]), tmp_path / "panels.png")
    points, defects = np.random.default_rng(0).random((len(TEXTS), 2)), list(TEXTS)
    labels, splits = np.ones(len(TEXTS), dtype=int), ["test"] * len(TEXTS)
    names = ("$x_", "y$$")
    figure = feature_scatter(points, labels=labels, defects=defects, splits=splits, axis_labels=names, boundary=None)
    save_figure(figure, tmp_path / "scatter.png")
    assert figure.axes[0].get_xlabel() == "$x_"


@pytest.mark.parametrize("text", TEXTS)
def test_a_terminal_shows_any_text_and_is_not_steered(text: str) -> None:
    console = PlainConsole(file=(out := io.StringIO()), width=200)
    table = Table("heading", title=text)
    table.add_row(text)
    console.print(table)
    console.print(text)
    shown = out.getvalue()
    assert not set(shown) & set("\x1b\x07\0\u202e\u2028\ud800")
    assert printable(text, keep="\n").splitlines()[:1] == [] or printable(text).split("\\n")[0].strip() in shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "gbk", "utf-8"])
def test_no_encoding_of_a_terminal_fails_a_command(encoding: str) -> None:
    code = (
        "from radar.runtime.exit_codes import guarded\nfrom radar.errors import RunError\n"
        "from radar.cli.printing import PlainConsole\n"
        "def command():\n    PlainConsole().print('0 – 1 · × 傷 ∗')\n    print('≥ 傷')\n"
        "    raise RunError('傷: \\x1b[2J is\\nnot there')\n"
        "raise SystemExit(guarded(command, 'radar'))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, env={"PYTHONIOENCODING": encoding, "PATH": ""}
    )
    assert answer.returncode == 3
    assert len(answer.stderr.splitlines()) == 1 and b"\x1b" not in answer.stderr and b"Traceback" not in answer.stderr


@pytest.mark.parametrize("text", FORMULAS)
def test_no_spreadsheet_computes_a_name_and_none_is_changed(tmp_path: Path, text: str) -> None:
    write_csv(path := tmp_path / "scores.csv", ("path", "score"), [[text, -0.5]])
    (stored,) = list(csv.DictReader(path.open(newline="")))
    assert stored["path"][0] == "'" and stored["score"] == "-0.5"
    assert read_csv(path, "")[1] == [{"path": text, "score": "-0.5"}]


@pytest.mark.parametrize("number", ["-0.104167", "-5", "-1e-07", "-2.5E+3"])
def test_a_negative_number_stays_one_for_whoever_reads_the_table(tmp_path: Path, number: str) -> None:
    """A spreadsheet's mean leaves texts out."""
    texts = [number, f"'{number}", f"''{number}", f"{number} px", f"{number}+1", f"={number}"]
    write_csv(path := tmp_path / "scores.csv", ("value",), [[text] for text in texts])
    stored = [row["value"] for row in csv.DictReader(path.open(newline=""))]
    assert stored == [number, *(f"'{text}" for text in texts[1:])]
    assert [row["value"] for row in read_csv(path, "")[1]] == texts
    table = csv_text(result_table("t", "", ["x"], [[Entry("down", float(number))]]))
    (row,) = csv.DictReader(table.splitlines())
    assert float(row["x (value)"]) == float(number)


def test_a_manifest_and_predictions_keep_names_that_begin_like_formulas(tmp_path: Path) -> None:
    sample = Sample(path="=1.png", content_hash="", split="test", label=1, defect="-x", mask="+m.png", group="@g")
    (path := tmp_path / "split.csv").write_text(manifest_text([sample]))
    assert "'=1.png" in path.read_text() and read_manifest(path) == (sample,)
    said = Prediction(**{**dict.fromkeys(COLUMNS), "path": "=1.png", "regions": ()})
    assert csv_line(said).startswith("'=1.png,")


@pytest.mark.parametrize(
    "text", [*TEXTS, "<img src=x onerror=alert(1)>", "a*b*c", "~~x~~", "[x](javascript:y)", "_a_b_", "<!-- x", "a\\*b"]
)
def test_a_cell_of_a_markdown_table_shows_any_text(text: str) -> None:
    row = markdown(result_table("t", "", ["x", "y"], [[text, "z"]])).splitlines()[2]
    found = MarkdownIt("commonmark").enable("table").render(f"| x | y |\n| --- | --- |\n{row}\n")
    shown, beside = re.findall(r"<td>(.*?)</td>", found)
    assert (html.unescape(shown), beside) == (printable(text).strip(), "z")
    assert "<" not in shown
