"""Parts of a page that a command writes, between two comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from radar.report.tables import Entry, Table, markdown, table


def page_with(page: str, writer: str, sections: Mapping[str, Table | str]) -> str:
    """`page` with what stands between each section's markers written anew by `writer`.

    A section is a table, or Markdown, by the name of its place. Raises `ValueError` where a marker is missing.
    """
    for name, section in sections.items():
        text = section if isinstance(section, str) else markdown(section).strip()
        begin, end = f"<!-- {name}: written by {writer} -->", f"<!-- end of {name} -->"
        head, found, rest = page.partition(begin)
        _, ended, tail = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"the page lacks {begin} or {end}; put them where the part belongs")
        page = f"{head}{begin}\n\n{text}\n\n{end}{tail}"
    return page


def untitled(headings: Sequence[str], rows: Sequence[Sequence[Entry | str]]) -> Table:
    """A table whose title the page's own text gives."""
    return table("", "", headings, rows)
