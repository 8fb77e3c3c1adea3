"""What a person reads on the terminal."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from radar.evaluation.comparable import comparable
from radar.evaluation.metrics import BorderMetrics, Metrics, Quality, best_control, value_at
from radar.runtime.terminal import printable

_LEAST_WIDTH, _WIDTH = 20, 80  # columns
_UNBOUNDED = 100_000  # columns
_LEAST_FOLDED = 12  # columns of text that a table folds in a narrow terminal


class PlainConsole(Console):
    """A console to which every text is text: names of files and of defects hold no markup and steer no terminal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.width < _LEAST_WIDTH:  # of a terminal that does not say how wide it is: rich would print nothing
            self.width = _WIDTH

    def on_broken_pipe(self) -> None:
        """Raise what a plain print raises where nobody reads any more, which is no failure; rich would end the process."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def print_table(self, table: Table) -> None:
        """A table of which nothing is cut: text folds, numbers (columns that stand right) and what does not wrap keep their width, and
        lines that are too long all the same are left to the terminal.
        """
        widths = [_widths(column) for column in table.columns]
        natural = Measurement.get(self, self.options.update_width(_UNBOUNDED), table).maximum
        between = natural - sum(wide for _, wide in widths)
        if natural > self.width:  # where rich would cut numbers, and leave whole columns out
            narrowed = _narrowed(widths, self.width - between)
            for column, width in zip(table.columns, narrowed, strict=True):
                column.width, column.overflow = width, "fold"
            table.width = max(self.width, between + sum(narrowed))
        self.print(table, crop=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Of what is printed and of every cell of a table."""
        return super().render_str(printable(text, keep="\n"), **{**options, "markup": False, "emoji": False})


def _widths(column: Column) -> tuple[int, int]:
    """The least width that a table's column may have, and what it would have alone."""
    header, *cells = (printable(str(text), keep="\n") for text in (column.header, *column.cells))
    numbers = max((cell_len(line) for cell in cells for line in cell.splitlines()), default=0)
    alone = max(numbers, *(cell_len(line) for line in header.splitlines()), 0)
    if column.no_wrap:
        return alone, alone
    if column.justify == "right":
        return max(numbers, *map(cell_len, header.split()), 0), alone
    return min(alone, max(column.min_width or 0, _LEAST_FOLDED)), alone


def _narrowed(widths: Sequence[tuple[int, int]], room: int) -> list[int]:
    """Widths of columns that together fit `room`, where their least ones do; the widest give way first."""
    for most in range(max(wide for _, wide in widths), 0, -1):
        found = [max(narrow, min(wide, most)) for narrow, wide in widths]
        if sum(found) <= room:
            return found
    return [narrow for narrow, _ in widths]


# what fits a terminal of 80 columns; metrics.json has the rest
_IMAGE = {"auroc": "AUROC", "f1": "F1", "precision": "precision", "recall": "recall", "average_precision": "AP"}
_PIXEL = {"auroc": "pixel AUROC", "aupro": "AUPRO"}
_EXPLAINED = {
    "AUROC": "how often a defective photo scores above a good one (0.5: guessing)",
    "precision": "the share of rejected photos that are defective (0 where none is rejected)",
    "recall": "the share of defective photos that are rejected",
    "F1": "both in one (harmonic mean)",
    "AP": "precision over all thresholds (average)",
    "pixel AUROC": "AUROC of pixels",
    "AUPRO": "how much of each defect's area is marked at few false pixels",
}


def glossary(metrics: Metrics) -> str:
    """One line that explains the names of a run's measures and of its controls."""
    told = [
        f"{name}: {text}" for name, text in _EXPLAINED.items() if name not in _PIXEL.values() or _has_pixel(metrics)
    ]
    controls = ["rows with ·: what simple means reach on the same photos"] if metrics.controls else []
    return "; ".join((*told, *controls))


def _has_pixel(metrics: Metrics) -> bool:
    return metrics.value("pixel", "auroc") is not None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{comparable(value):z.3f}"


def _row(name: str, metrics: Quality, pixel: bool) -> list[str]:
    cells = [name, *(_number(value_at(metrics, "image", measure)) for measure in _IMAGE)]
    if pixel:
        cells += [_number(value_at(metrics, "pixel", measure)) for measure in _PIXEL]
    return cells


def results_table(name: str, method: str, metrics: Metrics) -> Table:
    """The run's test metrics, with the controls and the trivial decision below."""
    pixel = _has_pixel(metrics)
    table = Table(
        title=f"{name}: test images", title_justify="left", caption_justify="left", box=SIMPLE, padding=(0, 1, 0, 0)
    )
    headings = ["", *_IMAGE.values(), *(_PIXEL.values() if pixel else ())]
    for heading in headings:
        table.add_column(heading.replace(" ", "\n"), justify="right" if heading else "left")
    table.add_row(*_row(method, metrics, pixel), style="bold")
    for control, values in metrics.controls.items():
        table.add_row(*_row(f"· {control}", values, pixel))
    blank = [""] * (len(headings) - 3)
    table.add_row("· all anomalous", "", _number(metrics.image.f1_all_anomalous), *blank)
    return table


def print_verdict(console: Console, lines: Sequence[str]) -> None:
    """What was found, in words."""
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False, style="bold")


def print_outcome(
    console: PlainConsole, name: str, method: str, metrics: Metrics, directory: str, *, reused: bool
) -> None:
    """The table, what it cost, and where everything else lies."""
    features = ", ".join(f"{feature} {_number(values.auroc)}" for feature, values in metrics.features.items())
    times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in metrics.seconds.items())
    console.print_table(results_table(name, method, metrics))
    told = "".join(
        f"{measure} over its best control ({best.name}): {best.gain:+z.3f}; "
        for measure, level in (("AUROC", "image"), ("pixel AUROC", "pixel"))
        if (best := best_control([metrics], level, "auroc")) is not None
    )
    border = metrics.border_share
    glow = None if border is None else border.test
    for line in (
        *filter(None, [told.removesuffix("; ")]),
        *([] if border is None or glow is None else [_border_line(border, glow)]),
        f"AUROC of the features alone: {features}",
        f"{metrics.parameters:,} parameters; {times}",
        f"{'Done before, reused (--force runs it again)' if reused else 'Results'}: {directory}",
        f"New photos: radar predict {shlex.quote(directory)} PHOTOS --out results --overlays",
    ):
        console.print(line, soft_wrap=True, highlight=False)


def _border_line(border: BorderMetrics, share: float) -> str:
    where = f"Outermost {border.width} px of maps"
    return f"{where}: {share:.0%} of the highest pixels of normal test images, on {border.area:.0%} of their area"


def sweep_table(rows: Sequence[tuple[str, Metrics | None, str]]) -> Table:
    """One row per job: what tells it from the others, its main metrics, the name of its directory."""
    table = Table(title="All jobs", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("job")
    for heading in ("AUROC", "F1", "pixel AUROC"):
        table.add_column(heading, justify="right")
    table.add_column("directory", no_wrap=True)
    for name, metrics, directory in rows:
        values = [
            None if metrics is None else metrics.value(*path)
            for path in (("image", "auroc"), ("image", "f1"), ("pixel", "auroc"))
        ]
        table.add_row(name, *map(_number, values), directory)
    return table


def best_of(rows: Sequence[tuple[str, Metrics | None, str]]) -> tuple[float, str, str] | None:
    """The smallest loss on held-out normals among the jobs of a search, its job and its directory; None where no job tells one."""
    losses = [
        (metrics.validation_loss, name, directory)
        for name, metrics, directory in rows
        if metrics is not None and metrics.validation_loss is not None
    ]
    return min(losses, default=None)


def print_best(console: Console, rows: Sequence[tuple[str, Metrics | None, str]]) -> None:
    """The job of a search with the smallest loss on held-out normals."""
    best = best_of(rows)
    if best is None:
        console.print("No job has a validation_loss, so none is the best", soft_wrap=True, highlight=False)
        return
    loss, name, directory = best
    console.print(f"Smallest validation_loss {loss:.4f}: {name}", soft_wrap=True, highlight=False)
    console.print(f"Its directory: {directory}", soft_wrap=True, highlight=False)
