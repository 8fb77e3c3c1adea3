"""Blocks of a page that `make tables` writes: what stands between two comments that name it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from radar.report.tables import Table, markdown

Sections = Mapping[str, Table | str]
"""What stands in a page's blocks, by their names: a table, or Markdown."""

_BLOCK = re.compile(
    r"<!-- (?P<name>[^:>]+): written by make tables -->(?P<text>.*?)<!-- end of (?P=name) -->", re.DOTALL
)


def page_with(page: str, sections: Sections) -> str:
    """`page` with its blocks written anew. Raises `ValueError` where page and `sections` do not have the same blocks, each once."""
    found = [block["name"] for block in _BLOCK.finditer(page)]
    if sorted(found) != sorted(sections) or page.count("<!-- end of ") != len(found):
        wanted = ", ".join(f"<!-- {name}: written by make tables --> … <!-- end of {name} -->" for name in sections)
        raise ValueError(f"the page has the blocks {found}; give it each of these once: {wanted}")
    return _BLOCK.sub(lambda block: _block(block["name"], sections[block["name"]]), page)


def by_hand(page: str) -> str:
    """`page` without the text of its blocks; every line stays where it was."""
    return _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), page)


def _block(name: str, section: Table | str) -> str:
    text = section if isinstance(section, str) else markdown(section)
    return f"<!-- {name}: written by make tables -->\n\n{text.strip()}\n\n<!-- end of {name} -->"
