"""The committed tables are what the committed results generate."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "record_runs.py"


def test_the_results_page_equals_what_the_records_generate() -> None:
    specification = importlib.util.spec_from_file_location("record_runs", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    records = script.read_records()
    assert records
    page = script.PAGE.read_text()
    assert page == script.page_with_table(page, records)
    for record in records:
        assert f"{record['metrics']['image']['auroc']:.3f}" in page
