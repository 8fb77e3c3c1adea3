"""The committed pages are what the committed records generate, and the records stay few and small."""

from __future__ import annotations

from types import ModuleType

import pytest

from scripts import methods_page, performance_page, quality_page, results_page, study_tables
from scripts.page_sections import page_with
from scripts.record_runs import RESULTS


@pytest.mark.parametrize("script", [results_page, performance_page, quality_page, methods_page])
def test_a_page_equals_what_the_records_generate(script: ModuleType) -> None:
    page = script.PAGE.read_text()
    assert page == page_with(page, script.WRITER, script.sections())


def test_the_tables_equal_what_the_records_generate() -> None:
    report = study_tables.study()
    assert study_tables.TABLES.read_text() == study_tables.generated(report)
    page = study_tables.PAGE.read_text()
    assert page == page_with(page, study_tables.WRITER, study_tables.sections(report))


def test_the_results_are_few_and_small() -> None:
    files = list(RESULTS.rglob("*"))
    assert all(file.is_file() for file in files)
    assert len(files) <= 12
    assert sum(file.stat().st_size for file in files) <= 1_500_000
