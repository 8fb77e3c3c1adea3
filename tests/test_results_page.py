"""The committed tables are what the committed results generate."""

from __future__ import annotations

from scripts import performance_page
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
