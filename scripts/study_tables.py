"""Write the tables of docs/results/tables and the short one of README.md from the records in docs/results/study,
and the ablation tables from those in docs/results/ablations.

    python -m scripts.study_tables

The records are written by `python -m scripts.record_runs --study docs/results/study RUNS…`. Nothing is trained.
"""

from __future__ import annotations

import sys
from pathlib import Path

from radar.cli.report import report_settings
from radar.files import write_text
from radar.report.build import Report, table_files
from radar.report.stored import read_results
from radar.report.tables import markdown
from radar.report.tables_results import short_table
from radar.report.tables_transfer import transfers_at
from scripts.command_line import guarded
from scripts.page_sections import page_with

REPOSITORY = Path(__file__).resolve().parent.parent
STUDY = REPOSITORY / "docs" / "results" / "study"
ABLATIONS = REPOSITORY / "docs" / "results" / "ablations"
TABLES = REPOSITORY / "docs" / "results" / "tables"
PAGE = REPOSITORY / "README.md"
WRITER = "make tables"


def study() -> Report:
    """The report of the committed records. Raises `RunError` where there are none."""
    return Report(read_results([STUDY]), report_settings([]), transfers_at([STUDY]))


def page_with_table(page: str, report: Report) -> str:
    """`page` with the part between the markers written anew."""
    return page_with(page, WRITER, {"study": markdown(short_table(report.cells)).strip()})


def ablations() -> Report:
    """The report of the committed ablations: one setting after the other, changed while the rest stays."""
    return Report(read_results([ABLATIONS]), report_settings([]), [])


def generated(report: Report) -> dict[str, str]:
    """All table files by name: those of the study, and the ablation tables of the ablations' own records."""
    files = table_files(ablations())
    return table_files(report) | {name: text for name, text in files.items() if name.startswith("ablation_")}


def main() -> int:
    """Write everything; returns the exit code."""
    report = study()
    files = generated(report)
    TABLES.mkdir(exist_ok=True)
    for stale in TABLES.glob("*"):
        if stale.name not in files:
            stale.unlink()
    for name, text in files.items():
        write_text(TABLES / name, text)
    write_text(PAGE, page_with_table(PAGE.read_text(), report))
    print(f"{len(report.results)} records, {len(files)} table files in {TABLES}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
