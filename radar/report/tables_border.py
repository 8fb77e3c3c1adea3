"""How much of normal images' high pixels lies at their border, and what a margin or a standardised map makes of the results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from radar.report.cells import FEWER, Cell, cells
from radar.report.data_versions import most_read_versions
from radar.report.result import Result
from radar.report.settings import method_names
from radar.report.tables import Entry, Table, measured, number, of_dataset, table

_SHARES = {"test": "highest pixels of normal test images", "validation": "of held-out normals"}
_QUALITY = {
    ("image", "auroc"): "AUROC",
    ("features", "local_norm", "auroc"): "local norm's AUROC",
    ("pixel", "auroc"): "pixel AUROC",
    ("pixel", "aupro"): "AUPRO",
}


def border_cells(results: Sequence[Result], seeds: int | None) -> list[Cell]:
    """Cells of the runs that measured it, of each width by themselves, so that no mean is over shares of different borders and no run
    stands for one that looked at another. `seeds` are asked of each; None: as many as the best-covered cell of all runs has.
    """
    asked = seeds or max((len(cell.results) for cell in cells(results, None)), default=0)
    names, most_read = method_names(results), most_read_versions(results)
    by_width = defaultdict[float, list[Result]](list)
    for result in results:
        if (width := result.metrics.value("border_share", "width")) is not None:
            by_width[width].append(result)
    found = [cell for same in by_width.values() for cell in cells(same, asked, most_read)]
    return [replace(cell, method=names[cell.one.identity]) for cell in found]


def border_table(members: Sequence[Cell]) -> Table:
    """A row per method, setting, data set and width within which runs counted."""
    rows: list[Sequence[Entry | str]] = [
        [
            of_dataset(cell.dataset),
            cell.name,
            _seeds(cell),
            _border(cell),
            number(_width(cell), 0),
            *(_share(cell, name) for name in ("area", *_SHARES)),
            *(measured(cell, *path) for path in _QUALITY),
        ]
        for cell in sorted(members, key=_place)
    ]
    headings = ("data set", "method", "seeds", "border", "within, px", "area", *_SHARES.values(), *_QUALITY.values())
    note = (
        "Shares in % of what lies within so many px of the border as `evaluation.border` says; all means are over the seeds that were "
        "measured so. Area: of normal test images, or of held-out ones where there are none; highest: one in a hundred of each "
        "image's pixels, the highest by anomaly, mean over images. With scoring.border.name=margin the border's pixels stay in the "
        "map and out of the score."
    )
    return table("border", "Border: share of the highest pixels of normal images", headings, rows, note)


def _seeds(cell: Cell) -> Entry:
    """How many, and whether the method has more; marks of the cell's data stand behind its name."""
    return Entry(f"{len(cell.results)}{FEWER if FEWER in cell.marks else ''}", len(cell.results))


def _place(cell: Cell) -> tuple[str, str, str, float]:
    return cell.dataset, cell.one.config["method"]["name"], _border(cell), _width(cell)


def _width(cell: Cell) -> float:
    """In pixels, one for all runs of the cell."""
    return cell.values("border_share", "width")[0]


def _border(cell: Cell) -> str:
    border = cell.one.config["scoring"]["border"]  # of a run that has measured the border's share
    return str(border["name"]) if border["name"] == "none" else f"{border['name']}, {border['width']} px"


def _share(cell: Cell, name: str) -> Entry:
    values = cell.values("border_share", name)
    return number(100 * sum(values) / len(values) if values else None, 0)
