"""The regime map: where detection works and where it breaks, from subtle to obvious and from texture to structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radar.report.cells import Cell
from radar.report.pixels import field_of
from radar.report.tables import Entry, Table, count, measured, number, of_dataset, table


@dataclass(frozen=True, eq=False)
class Regime:
    """One class of defects on one data set under one method."""

    cell: Cell
    defect: str
    images: int
    area: float | None  # median share of the image, or of its region of interest where the run had one
    contrast: float | None  # median, in standard deviations of the rest of that
    flatness: float | None  # of the data set's normal images: 1 stochastic, 0 regular
    auroc: tuple[float, ...]
    recall: tuple[float, ...]


def regimes(cells: Sequence[Cell]) -> list[Regime]:
    """Every class of every cell."""
    return [
        Regime(
            cell,
            defect,
            values.count,
            _median(cell, defect, "defect_area"),
            _median(cell, defect, "defect_contrast"),
            cell.one.metrics.data.spectral_flatness,
            tuple(cell.values("defects", defect, "auroc")),
            tuple(cell.values("defects", defect, "recall")),
        )
        for cell in cells
        for defect, values in cell.one.metrics.defects.items()
    ]


def _median(cell: Cell, defect: str, measure: str) -> float | None:
    values = [getattr(image, measure) for image in cell.one.images if image.label and image.defect == defect]
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def regime_table(found: Sequence[Regime]) -> Table:
    """One line per class of defects, data set and method."""
    rows: list[Sequence[Entry | str]] = [
        [
            of_dataset(each.cell.dataset),
            each.cell.name,
            each.defect,
            count(each.images),
            number(None if each.area is None else 100 * each.area, 2),
            number(each.contrast, 2),
            number(each.flatness, 4),
            measured(each.cell, "defects", each.defect, "auroc"),
            measured(each.cell, "defects", each.defect, "recall"),
        ]
        for each in found
    ]
    notes = (
        f"Area: median share of {field_of(each.cell.one for each in found)} under the mask. "
        "Contrast: median distance of the defect's mean brightness "
        "from that of the rest, in "
        "standard deviations of the rest. Spectral flatness of the normal training images: 1 is white noise, near 0 a "
        "regular structure.",
    )
    headings = (
        "data set",
        "method",
        "defect",
        "images",
        "area, %",
        "contrast, σ",
        "spectral flatness",
        "AUROC",
        "recall",
    )
    return table("regime", "Regime map: subtle to obvious, structure to texture", headings, rows, *notes)
