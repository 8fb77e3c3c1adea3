"""The block of docs/report.md: what models are worth on other data sets than their own."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from radar.report.cells import Cell
from radar.report.tables_transfer import Transfers, transfer_values
from scripts.pages.sections import Sections
from scripts.pages.tables import study

WELL, USELESS = 0.95, 0.5  # of image AUROC, and of normal images called anomalous


def transfers_said(cells: Sequence[Cell], transfers: Transfers) -> Iterator[str]:
    """Per method, how many foreign models rank and decide well; nothing of a method without transfers."""
    for method in dict.fromkeys(cell.method for cell in cells):
        members = [cell for cell in cells if cell.method == method]
        aurocs = _foreign(members, transfers, "auroc")
        alarms = list(_foreign(members, transfers, "false_positive_rate").values())
        if not aurocs:
            continue
        ranking = sum(value >= WELL for value in aurocs.values())
        loud = sum(value >= USELESS for value in alarms)
        lost = [
            name
            for name in sorted({target for _, target in aurocs})
            if all(value < WELL for (_, target), value in aurocs.items() if target == name)
        ]
        yield (
            f"- {method}: {ranking} of {len(aurocs)} models of another set reach an image AUROC of {WELL} or more"
            + (f", none on {', '.join(lost)}" if lost else "")
            + f"; {loud} of {len(alarms)} call at least half of the normal images anomalous at the threshold of their own set."
        )


def _foreign(members: Sequence[Cell], transfers: Transfers, measure: str) -> dict[tuple[str, str], float]:
    """Mean over the seeds, by the set that a model was trained on and the one that it scores."""
    pairs = [(source, target) for source in members for target in members if source is not target]
    values = {
        (source.dataset, target.dataset): transfer_values(source, target, transfers, measure)[0]
        for source, target in pairs
    }
    return {names: statistics.fmean(each) for names, each in values.items() if each}


def sections() -> Sections:
    """By their names."""
    report = study()
    return {
        "transfers": "\n".join(transfers_said(report.cells, report.transfers))
        or "None of the committed transfers is of a model of the study as it is now."
    }
