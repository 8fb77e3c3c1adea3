"""Write docs/results/tables.md and the short table of README.md from the records of the study, and of the ablations.

    python -m scripts.study_tables

`radar report docs/results/study.runs.jsonl.xz --out FOLDER` writes the same tables as LaTeX and CSV. Nothing is trained.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from radar.cli.report import report_settings
from radar.files import write_text
from radar.report.build import TABLES_PAGE, Report, tables_page
from radar.report.stored import read_results
from radar.report.tables import Table
from radar.report.tables_ablation import ablation_tables
from radar.report.tables_results import short_table
from radar.report.tables_transfer import transfers_at
from scripts.command_line import guarded
from scripts.page_sections import page_with
from scripts.record_runs import RESULTS

STUDY = RESULTS / "study.runs.jsonl.xz"
ABLATIONS = RESULTS / "ablations.runs.jsonl.xz"
TABLES = RESULTS / TABLES_PAGE
PAGE = Path(__file__).resolve().parent.parent / "README.md"
WRITER = "make tables"


def study() -> Report:
    """The report of the committed records. Raises `RunError` where there are none."""
    return Report(read_results([STUDY]), report_settings([]), transfers_at([STUDY]))


def generated(report: Report) -> str:
    """The page: the study's tables, then those of one setting after the other, changed while the rest stays."""
    ablations = ablation_tables(read_results([ABLATIONS]), report.settings.seeds)
    return tables_page([*report.tables, *ablations])


def sections(report: Report) -> dict[str, Table]:
    """The short table, by the name of its place in README.md."""
    return {"study": short_table(report.cells)}


def main() -> int:
    """Write everything; returns the exit code."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    report = study()
    write_text(TABLES, generated(report))
    write_text(PAGE, page_with(PAGE.read_text(), WRITER, sections(report)))
    print(f"{len(report.results)} records: {TABLES}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
