"""What a person reads on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

_IMAGE = ("auroc", "f1", "precision", "recall", "accuracy", "average_precision", "f1_max_oracle")
_HEADINGS = {"auroc": "AUROC", "f1": "F1", "average_precision": "AP", "f1_max_oracle": "F1-max (oracle)"}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _row(name: str, metrics: dict[str, Any], pixel: bool) -> list[str]:
    cells = [name, *(_number(metrics["image"][measure]) for measure in _IMAGE)]
    if pixel:
        cells += [_number(metrics["pixel"][measure]) for measure in ("auroc", "aupro")]
    return cells


def results_table(name: str, metrics: dict[str, Any]) -> Table:
    """The run's test metrics, with the controls and the trivial decision below."""
    pixel = metrics["pixel"] is not None and metrics["pixel"]["auroc"] is not None
    table = Table(title=f"{name}: test images", title_justify="left", caption_justify="left")
    headings = ["", *(_HEADINGS.get(measure, measure) for measure in _IMAGE), *(["pixel AUROC", "AUPRO"] if pixel else [])]
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left")
    table.add_row(*_row("RADAR", metrics, pixel), style="bold")
    for control, values in metrics["controls"].items():
        table.add_row(*_row(f"control: {control}", values, pixel))
    blank = [""] * (len(headings) - 3)
    table.add_row("all called anomalous", "", _number(metrics["image"]["f1_all_anomalous"]), *blank)
    features = ", ".join(f"{feature} {_number(values['auroc'])}" for feature, values in metrics["features"].items())
    times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in metrics["seconds"].items())
    table.caption = f"AUROC of the features alone: {features}\n{metrics['parameters']:,} parameters; {times}"
    return table


def print_outcome(console: Console, name: str, metrics: dict[str, Any], directory: str, *, reused: bool) -> None:
    """The table, and where everything else lies."""
    console.print(results_table(name, metrics))
    console.print(f"{'Done before, reused' if reused else 'Results'}: {directory}", soft_wrap=True, highlight=False)
