"""Write the tables of docs/results/tables and the short one of README.md from the records in docs/results/study.

    python -m scripts.study_tables

The records are written by `python -m scripts.record_runs --study docs/results/study RUNS…`. Nothing is trained.
"""

from __future__ import annotations

import sys
from pathlib import Path

from radar.cli.report import report_settings
from radar.files import write_text
from radar.report.build import Report, table_files, write_tables
from radar.report.stored import read_results
from radar.report.tables import markdown
from radar.report.tables_results import short_table
from radar.report.tables_transfer import transfers_at
from scripts.command_line import guarded
from scripts.page_sections import page_with

REPOSITORY = Path(__file__).resolve().parent.parent
STUDY = REPOSITORY / "docs" / "results" / "study"
TABLES = REPOSITORY / "docs" / "results" / "tables"
PAGE = REPOSITORY / "README.md"
WRITER = "make tables"


def study() -> Report:
    """The report of the committed records. Raises `RunError` where there are none."""
    return Report(read_results([STUDY]), report_settings([]), transfers_at([STUDY]))


def page_with_table(page: str, report: Report) -> str:
    """`page` with the part between the markers written anew."""
    return page_with(page, WRITER, {"study": markdown(short_table(report.cells)).strip()})


def main() -> int:
    """Write everything; returns the exit code."""
    report = study()
    wanted = set(table_files(report))
    for stale in TABLES.glob("*"):
        if stale.name not in wanted:
            stale.unlink()
    write_tables(report, TABLES)
    write_text(PAGE, page_with_table(PAGE.read_text(), report))
    print(f"{len(report.results)} records, {len(wanted)} table files in {TABLES}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
