"""docs/results/tables.md: the report of the study, and the ablations of one setting at a time."""

from __future__ import annotations

from functools import cache

from radar.cli.report import report_settings
from radar.report.build import TABLES_PAGE, Report, tables_page
from radar.report.tables import marked
from radar.report.tables_ablation import ablation_tables
from radar.report.tables_transfer import transfers_at
from scripts.pages.committed import ABLATIONS, RESULTS, STUDY, recorded
from scripts.pages.sets import DEVELOPMENT

TABLES = RESULTS / TABLES_PAGE


@cache
def study() -> Report:
    """The report of the study's records. Raises `RunError` where there are none."""
    settings = report_settings([f"development=[{','.join(DEVELOPMENT)}]"])
    return Report(recorded(STUDY), settings, transfers_at([STUDY]))


def text() -> str:
    """The whole page."""
    report = study()
    ablations = ablation_tables(recorded(ABLATIONS), report.settings.seeds)
    return tables_page([*report.tables, *(marked(each, DEVELOPMENT) for each in ablations)])
