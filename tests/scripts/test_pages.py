"""The committed pages are what the committed records generate, and the records are small, and all of them shown."""

from __future__ import annotations

import pytest

from scripts.pages.__main__ import texts
from scripts.pages.committed import RESULTS, ROOT
from scripts.pages.sections import by_hand, page_with

BLOCK = "<!-- a: written by make tables -->\n\nold\n\n<!-- end of a -->"


def test_every_page_is_what_the_records_generate():
    for path, text in texts().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.relative_to(ROOT)}: run `make tables`"


def test_the_results_are_small_and_each_is_read_by_what_writes_a_page():
    files = list(RESULTS.rglob("*"))
    assert all(file.is_file() for file in files)
    assert sum(file.stat().st_size for file in files) <= 1_500_000
    sources = "".join(
        path.read_text() for place in ("scripts/pages", "radar/report") for path in (ROOT / place).glob("*.py")
    )
    unread = [file.name for file in files if file.name != "tables.md" and file.name.partition(".")[0] not in sources]
    assert not unread


def test_a_block_is_written_anew_and_the_rest_stays():
    page = f"before\n\n{BLOCK}\n\nafter"
    assert page_with(page, {"a": "new"}) == page.replace("old", "new")
    assert page_with(page_with(page, {"a": "new"}), {"a": "new"}) == page.replace("old", "new")
    assert by_hand(page).split() == ["before", "after"]
    assert by_hand(page).count("\n") == page.count("\n")


@pytest.mark.parametrize(
    "page",
    [
        "nothing",
        BLOCK + BLOCK,
        BLOCK.replace(" a", " b"),
        BLOCK + "<!-- end of b -->",
        BLOCK + BLOCK.replace(" a", " b"),
    ],
)
def test_a_block_that_is_missing_unknown_or_there_twice_is_named(page):
    with pytest.raises(ValueError, match="<!-- a: written by make tables -->"):
        page_with(page, {"a": ""})
