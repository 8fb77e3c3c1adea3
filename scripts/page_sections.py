"""Parts of a page that a command writes, between two comments."""

from __future__ import annotations

from collections.abc import Mapping


def page_with(page: str, writer: str, sections: Mapping[str, str]) -> str:
    """`page` with what stands between each section's markers written anew by `writer`.

    A section is Markdown by the name of its place. Raises `ValueError` where a marker is missing.
    """
    for name, text in sections.items():
        begin, end = f"<!-- {name}: written by {writer} -->", f"<!-- end of {name} -->"
        head, found, rest = page.partition(begin)
        _, ended, tail = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"the page lacks {begin} or {end}; put them where the part belongs")
        page = f"{head}{begin}\n\n{text}\n\n{end}{tail}"
    return page
