"""Write the table of docs/results.md anew from the records of the first runs on real images.

python -m scripts.results_page
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from radar.evaluation.metrics import Quality, value_at
from radar.files import write_text
from radar.report.result import Result
from radar.report.settings import family
from radar.report.stored import read_results
from radar.report.tables import NOTHING, Entry, Table, number
from scripts.command_line import guarded
from scripts.page_sections import page_with, untitled
from scripts.record_runs import DOCS, RESULTS

PAGE = DOCS / "results.md"
WRITER = "scripts/results_page.py"
RECORDS = RESULTS / "first.runs.jsonl.xz"
_PATHS = {
    "AUROC": ("image", "auroc"),
    "F1": ("image", "f1"),
    "precision": ("image", "precision"),
    "recall": ("image", "recall"),
    "false positive rate": ("image", "false_positive_rate"),
    "AUROC of local norm": ("features", "local_norm", "auroc"),
    "pixel AUROC": ("pixel", "auroc"),
    "AUPRO": ("pixel", "aupro"),
}


def results_table(results: Sequence[Result]) -> Table:
    """One block per run, oldest first: its controls and the trivial decision stand below it."""
    rows: list[list[Entry | str]] = []
    for each in sorted(results, key=lambda result: result.ended):
        steps = f"{each.config['training']['max_steps']:,} steps"
        name = f"**{each.dataset}, {family(each)}, {steps}, t = {each.timestep}, seed {each.seed}**"
        rows.append([*_row(name, each.metrics), number(each.metrics.value("seconds", "training"), 0)])
        rows += [[*_row(f"· {control}", values), NOTHING] for control, values in each.metrics.controls.items()]
        trivial = number(each.metrics.image.f1_all_anomalous)
        rows.append(["· all called anomalous", NOTHING, trivial, *[NOTHING] * (len(_PATHS) - 1)])
    return untitled(["run", *_PATHS, "training, s"], rows)


def _row(name: str, measured: Quality) -> list[Entry | str]:
    return [name, *(number(value_at(measured, *path)) for path in _PATHS.values())]


def sections() -> dict[str, Table]:
    """The table from what is stored, by the name of its place in the page."""
    return {"table": results_table(read_results([RECORDS]))}


def main() -> int:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    write_text(PAGE, page_with(PAGE.read_text(), WRITER, sections()))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
