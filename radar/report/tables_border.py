"""How much of normal images' high pixels lies at their border, and what a margin or a standardised map makes of the results."""

from __future__ import annotations

from collections.abc import Sequence

from radar.report.cells import Cell
from radar.report.tables import Entry, Table, measured, number, table

_SHARES = {"test": "highest pixels of normal test images", "validation": "of held-out normals"}
_QUALITY = {
    ("image", "auroc"): "AUROC",
    ("features", "local_norm", "auroc"): "local norm's AUROC",
    ("pixel", "auroc"): "pixel AUROC",
    ("pixel", "aupro"): "AUPRO",
}


def with_border_share(cells: Sequence[Cell]) -> list[Cell]:
    """Those whose runs measured it."""
    return [cell for cell in cells if cell.values("border_share", "width")]


def border_table(cells: Sequence[Cell]) -> Table:
    """A row per method, setting and data set."""
    rows: list[Sequence[Entry | str]] = [
        [
            cell.dataset,
            cell.name,
            _border(cell),
            *(_share(cell, name) for name in ("area", *_SHARES)),
            *(measured(cell, *path) for path in _QUALITY),
        ]
        for cell in sorted(cells, key=lambda cell: (cell.dataset, cell.one.config["method"]["name"], _border(cell)))
    ]
    headings = ("data set", "method", "border", "area", *_SHARES.values(), *_QUALITY.values())
    widths = sorted({f"{width:.0f}" for cell in cells for width in cell.values("border_share", "width")})
    note = (
        f"Shares in % of what lies within {' or '.join(widths)} px of the border; area: of normal test images, or of held-out ones "
        "where there are none; highest: one in a hundred of each image's pixels, the highest by anomaly, mean over images. With "
        "scoring.border.name=margin the border's pixels stay in the map and out of the score."
    )
    return table("border", "Border: share of the highest pixels of normal images", headings, rows, note)


def _border(cell: Cell) -> str:
    border = cell.one.config["scoring"]["border"]  # of a run that has measured the border's share
    return str(border["name"]) if border["name"] == "none" else f"{border['name']}, {border['width']} px"


def _share(cell: Cell, name: str) -> Entry:
    values = cell.values("border_share", name)
    return number(100 * sum(values) / len(values) if values else None, 0)
