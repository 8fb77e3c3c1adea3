"""`radar report`: tables, figures and one page from stored results; nothing is trained."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from radar.compose.settings import verb_settings
from radar.config.schema import ReportConfig
from radar.errors import RunError
from radar.files import write_text
from radar.report.build import Report, write_figures, write_tables
from radar.report.html import page
from radar.report.stored import read_results
from radar.report.tables_transfer import transfers_at

PAGE = "report.html"


def report(arguments: Sequence[str]) -> int:
    """Run `radar report`; returns the exit code."""
    parser = argparse.ArgumentParser("radar report", description="Tables, figures and one page from stored results.")
    parser.add_argument("paths", nargs="*", help="run directories, records, folders of them; key=value of conf/report")
    parser.add_argument("--out", type=Path, required=True, help="folder that the report is written to")
    parsed = parser.parse_intermixed_args(arguments)
    overrides = [each for each in parsed.paths if "=" in each]
    paths = [Path(each) for each in parsed.paths if each not in overrides]
    if not paths:
        raise RunError("radar report: nothing to report on; name run directories, records, or folders of them")
    content = Report(read_results(paths), report_settings(overrides), transfers_at(paths))
    tables = write_tables(content, parsed.out / "tables")
    figures = write_figures(content, parsed.out / "figures")
    write_text(parsed.out / PAGE, page(content, figures))
    print(f"{len(content.results)} runs, {len(tables)} table files, {len(figures)} figures: {parsed.out / PAGE}")
    return 0


def report_settings(overrides: Sequence[str]) -> ReportConfig:
    """conf/report/default.yaml with `overrides`. Raises `ConfigError`."""
    return verb_settings(ReportConfig, "report", overrides)
