"""The blocks of README.md."""

from __future__ import annotations

from radar.report.tables_results import short_table
from scripts.pages.sections import Sections
from scripts.pages.tables import study


def sections() -> Sections:
    """By their names."""
    return {"study": short_table(study().cells)}
