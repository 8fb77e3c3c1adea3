"""The committed tables are what the committed results generate."""

from __future__ import annotations

import pytest

from scripts import performance_page, study_tables
from scripts.record_runs import PAGE, page_with_table, read_records


def test_the_results_page_equals_what_the_records_generate() -> None:
    records = read_records()
    assert records
    page = PAGE.read_text()
    assert page == page_with_table(page, records)
    for record in records:
        assert f"{record['metrics']['image']['auroc']:.3f}" in page


def test_the_performance_page_equals_what_the_figures_generate() -> None:
    page = performance_page.PAGE.read_text()
    assert page == performance_page.page_with_tables(page)
    assert all(f"<!-- {name} -->" in page for name in performance_page.TABLES)


def test_the_committed_tables_equal_what_the_committed_records_generate() -> None:
    if not any(study_tables.STUDY.glob("*.json")):
        assert not study_tables.TABLES.exists()
        pytest.skip("no record of the study is committed yet")
    report = study_tables.study()
    wanted = study_tables.generated(report)
    assert {path.name for path in study_tables.TABLES.iterdir()} == wanted.keys()
    for name, text in wanted.items():
        assert (study_tables.TABLES / name).read_text() == text, name
    page = study_tables.PAGE.read_text()
    assert page == study_tables.page_with_table(page, report)
