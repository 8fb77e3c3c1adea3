"""Tables as values, and their three texts: Markdown, LaTeX (booktabs) and CSV."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import starmap, zip_longest

from radar.evaluation.comparable import comparable
from radar.report.cells import DEVELOPMENT, DEVELOPMENT_NOTE, FEWER, MARKS, Cell, dataset_name, mean, spread
from radar.runtime.cells import csv_line
from radar.runtime.terminal import printable

NOTHING = "–"
SMALLEST_P = 0.001  # that is told; smaller ones are told as a bound
_WHOLE = 2**53  # from here on floats leave whole numbers out
_ROWS_PER_PAGE = 45  # of a LaTeX table


@dataclass(frozen=True)
class Entry:
    """What one place of a table shows; `value` sorts it, `runs` are where it comes from."""

    text: str
    value: float | None = None
    runs: tuple[str, ...] = ()
    # that it names or pools, as no text tells: classes and methods may be called like a data set
    datasets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows below headings; text columns stand left, `numeric` ones right."""

    name: str  # of its files
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    numeric: frozenset[int]
    notes: tuple[str, ...] = ()
    # per heading the data set that it begins with; empty: none does
    measured_on: tuple[str | None, ...] = ()


def table(
    name: str,
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[Entry | str]],
    *notes: str,
    measured_on: Sequence[str | None] = (),
) -> Table:
    """A table whose strings are text, whose columns with a value anywhere are numeric, and whose marks are explained."""
    entries = tuple(tuple(Entry(each) if isinstance(each, str) else each for each in row) for row in rows)
    numeric = frozenset(
        column for column in range(len(headings)) if any(row[column].value is not None for row in entries)
    )
    texts = "".join(entry.text for row in entries for entry in row)
    explained = tuple(f"{mark} {meaning}" for mark, meaning in MARKS.items() if mark in texts)
    return Table(name, title, tuple(headings), entries, numeric, (*notes, *explained), tuple(measured_on))


def marked(content: Table, development: Collection[str]) -> Table:
    """The table with a mark at every name of these data sets in its headings and rows, and at what pools them; and what it means."""

    def entry(plain: Entry) -> Entry:
        is_free = set(development).isdisjoint(plain.datasets)
        return plain if is_free else replace(plain, text=f"{plain.text} {DEVELOPMENT}")

    def heading(text: str, dataset: str | None) -> str:
        """Of a data set, or of a measure on it: `grid: AUROC`."""
        return text if dataset is None else dataset_name(dataset, development) + text.removeprefix(dataset)

    rows = tuple(tuple(map(entry, row)) for row in content.rows)
    headings = tuple(starmap(heading, zip_longest(content.headings, content.measured_on)))
    notes = (
        content.notes if (headings, rows) == (content.headings, content.rows) else (*content.notes, DEVELOPMENT_NOTE)
    )
    return replace(content, headings=headings, rows=rows, notes=notes)


def untitled(headings: Sequence[str], rows: Sequence[Sequence[Entry | str]]) -> Table:
    """A table whose title the page's own text gives."""
    return table("", "", headings, rows)


def of_dataset(name: str) -> Entry:
    """The name of a data set, which is marked where it is a development set."""
    return Entry(name, datasets=(name,))


def number(value: float | None, digits: int = 3) -> Entry:
    """A plain number."""
    if value is None or not math.isfinite(value):
        return Entry(NOTHING)
    return Entry(f"{comparable(value):z.{digits}f}", value)


def count(value: float) -> Entry:
    """A whole number."""
    return Entry(f"{value:z,.0f}", value)


def interval(low: float, high: float) -> Entry:
    """Both ends; nothing where there is none."""
    return Entry(f"{low:z.3f} … {high:z.3f}" if math.isfinite(low + high) else NOTHING)


def over_seeds(values: Sequence[float], digits: int = 3, runs: Sequence[str] = ()) -> Entry:
    """Mean ± standard deviation over seeds; the mean alone of one seed."""
    if not values:
        return Entry(NOTHING)
    deviation = spread(values)
    text = f"{comparable(mean(values)):z.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")
    return Entry(text, mean(values), tuple(runs))


def seeds_of(cell: Cell) -> Entry:
    """How many seeds a cell has, with its marks."""
    return Entry(f"{len(cell.results)}{cell.marks}", len(cell.results))


def measured(cell: Cell, *path: str, digits: int = 3) -> Entry:
    """The metric at `path` over the seeds that have it, marked where they are fewer than the cell's."""
    return _told_by_some(cell, cell.by_seed(*path), digits)


def learning(cell: Cell) -> Entry:
    """Seconds of all that was learnt, the shared network and a method's own fitting, over the seeds that know them, marked alike."""
    return _told_by_some(cell, [result.metrics.learning_seconds for result in cell.results], digits=1)


def _told_by_some(cell: Cell, values: Sequence[float | None], digits: int) -> Entry:
    """The values of the cell's seeds, with the runs that have one, marked where others have none."""
    having = {result.name: value for result, value in zip(cell.results, values, strict=True) if value is not None}
    shown = over_seeds(list(having.values()), digits, tuple(having))
    return replace(shown, text=shown.text + FEWER) if 0 < len(having) < len(cell.results) else shown


MEMORY_NOTE = (
    "Memory is that of the stage when it was made: the peak of the whole process, and its growth above what was there when the stage "
    "began. Of jobs that share a process, memory that earlier ones freed is in the peak and not in the growth; with "
    "sweep.isolated=true each job has its own. A dash: of a run that did not measure it."
)
_MEMORY = {"host": "peak memory of", "host_growth": "growth in", "device": "peak GPU memory of"}


def memory_columns(cells: Sequence[Cell], *stages: str) -> dict[str, tuple[str, ...]]:
    """Headings, each with the path of its metric: of every stage the peak and its growth, of the host and of a GPU where any of
    `cells` measured it."""
    columns = {f"{what} {stage}, MiB": ("memory", stage, name) for stage in stages for name, what in _MEMORY.items()}
    return {heading: path for heading, path in columns.items() if any(cell.values(*path) for cell in cells)}


def memory_notes(headings: Iterable[str]) -> tuple[str, ...]:
    """What a table with these headings is to say of memory."""
    return (MEMORY_NOTE,) if any(heading.startswith(tuple(_MEMORY.values())) for heading in headings) else ()


def p_value(value: float | None) -> Entry:
    """A probability, with small ones as a bound."""
    if value is None or not math.isfinite(value):
        return Entry(NOTHING)
    return Entry(f"< {SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}", value)


def bounded_p(value: float | None, smallest: float, alpha: float) -> Entry:
    """A probability with the smallest that could have come out, where that is above `alpha` so that nothing can be told."""
    shown = p_value(value)
    if shown.value is None or not smallest > alpha:
        return shown
    return replace(shown, text=f"{shown.text} (≥ {smallest:.3f})")


def markdown(content: Table) -> str:
    """The table with its title, where it has one, and notes."""
    rule = ["---:" if column in content.numeric else "---" for column in range(len(content.headings))]
    lines = [list(content.headings), rule, *([entry.text for entry in row] for row in content.rows)]
    body = "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
    notes = "".join(f"\n- {note}" for note in content.notes)
    title = f"**{content.title}**\n\n" if content.title else ""
    return f"{title}{body}\n" + (f"{notes}\n" if notes else "")


_MARKUP = re.compile(
    r"`[^`]*`|([\\`*\[\]~|]|<(?=[A-Za-z/!?])|&(?=[A-Za-z#])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))"
)  # code, which stays as it is but for |; else what Markdown would not show


def _cell(text: str) -> str:
    """`text` with everything that Markdown reads otherwise, but for code between backticks, as the project's own pages have it."""

    def shown(found: re.Match[str]) -> str:
        return f"\\{found[1]}" if found[1] else found[0].replace("|", "\\|")

    return _MARKUP.sub(shown, printable(text))


def csv_text(content: Table) -> str:
    """Headings and texts, then the number behind each numeric column and the runs behind each row."""
    numeric = sorted(content.numeric)
    lines = [[*content.headings, *(f"{content.headings[column]} (value)" for column in numeric), "runs"]]
    for row in content.rows:
        values = [exact_text(row[column].value) for column in numeric]
        runs = sorted({run for entry in row for run in entry.runs})
        lines.append([*(entry.text for entry in row), *values, " ".join(runs)])
    return "".join(map(csv_line, lines))


def exact_text(value: float | None) -> str:
    """With every digit that it holds, a whole number as one; empty without any."""
    if value is None:
        return ""
    exact = float(value)  # NumPy's own numbers name their type
    return str(int(value)) if exact.is_integer() and abs(exact) < _WHOLE else repr(exact)


_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "–": "--", "−": "$-$", "†": r"$\dagger$",
    "‡": r"$\ddagger$", "⊕": r"$\oplus$", "§": r"\S{}", "¶": r"\P{}", "△": r"$\triangle$",
    "<": r"\textless{}", ">": r"\textgreater{}", "·": r"$\cdot$", "→": r"$\to$",
    "α": r"$\alpha$", "σ": r"$\sigma$", "‖": r"$\Vert$", "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$", "Δ": r"$\Delta$",
    "²": r"$^2$", "\u00a0": "~", "…": r"\ldots{}", "ε": r"$\varepsilon$", "ü": r'\"u', "š": r"\v{s}", 
    "∗": r"$\ast$", "◆": r"$\diamond$", "|": r"\textbar{}", "√": r"$\surd$",
}  # fmt: skip


def latex_escaped(text: str) -> str:
    """`text` with everything that TeX reads otherwise."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def latex(content: Table) -> str:
    """A booktabs tabular in a table environment; needs \\usepackage{booktabs} and, for wide ones, graphicx.

    A table that is longer than a page goes on in further ones, with the notes below the last.
    """
    parts = [content.rows[start : start + _ROWS_PER_PAGE] for start in range(0, len(content.rows), _ROWS_PER_PAGE)]
    pages = []
    for index, rows in enumerate(parts or [()]):
        caption = latex_escaped(content.title) + (" (continued)" if index else "")
        label = "" if index else rf"\label{{tab:{content.name}}}"
        pages.append(
            _latex_page(content, rows, caption + label, content.notes if index == max(len(parts) - 1, 0) else ())
        )
    return "\n".join(pages)


def _latex_page(content: Table, rows: Sequence[Sequence[Entry]], caption: str, notes: Sequence[str]) -> str:
    columns = "".join("r" if column in content.numeric else "l" for column in range(len(content.headings)))
    lines = [" & ".join(latex_escaped(entry.text) for entry in row) + r" \\" for row in rows]
    shown = r"\\ ".join(rf"\footnotesize {latex_escaped(note)}" for note in notes)
    return "\n".join(
        [
            r"\begin{table}", r"\centering", rf"\caption{{{caption}}}",
            r"\resizebox{\linewidth}{!}{%", rf"\begin{{tabular}}{{{columns}}}", r"\toprule",
            " & ".join(latex_escaped(heading) for heading in content.headings) + r" \\", r"\midrule", *lines, r"\bottomrule",
            r"\end{tabular}}", *([rf"\par\smallskip\parbox{{\linewidth}}{{{shown}}}"] if notes else []), r"\end{table}", "",
        ]
    )  # fmt: skip


def latex_document(tables: Sequence[Table]) -> str:
    """A document that holds all tables, to be compiled or to copy from."""
    body = "\n\\clearpage\n".join(latex(each) for each in tables)
    packages = "\n".join(rf"\usepackage{{{each}}}" for each in ("booktabs", "graphicx"))
    return f"\\documentclass{{article}}\n\\usepackage[utf8]{{inputenc}}\n{packages}\n\\begin{{document}}\n{body}\\end{{document}}\n"
