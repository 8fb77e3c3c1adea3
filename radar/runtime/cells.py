"""Lines of a CSV whose cells no spreadsheet computes, and the way back."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

_OTHER_SEPARATORS = {
    ";": "a semicolon",
    "\t": "a tab",
    "|": "a vertical bar",
}  # as spreadsheets of some countries write them
_FORMULA = re.compile(r"'*[=+\-@\t\r]")  # how a text begins that a spreadsheet would compute
_NEGATIVE = re.compile(r"-\d+(\.\d+)?([eE][-+]?\d+)?", re.ASCII)  # a number, which computes nothing


def csv_line(cells: Iterable[Any]) -> str:
    """One record with its end; numbers with every digit they need, texts inert, and halves of characters, of names that are no text,
    as escapes.
    """
    row, buffer = [inert(cell) for cell in cells], io.StringIO()
    # the writer leaves a carriage return bare, at which a reader ends the line
    returns = any(isinstance(cell, str) and "\r" in cell for cell in row)
    csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL).writerow(row)
    return buffer.getvalue().encode(errors="backslashreplace").decode()


def inert(cell: Any) -> Any:
    """`cell`; of a text that a spreadsheet would take for a formula, the text behind an apostrophe, which says that it is none."""
    is_formula = isinstance(cell, str) and _FORMULA.match(cell) and not _NEGATIVE.fullmatch(cell)
    return f"'{cell}" if is_formula else cell


def original(cell: str) -> str:
    """The inverse of `inert`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class Rows(csv.DictReader):  # type: ignore[type-arg]  # not to be subscripted where it is run
    """The rows of a CSV by their columns, each cell as it was before it was made inert; `csv.Error` for quotes that do not close,
    for a column that stands twice, and for cells that something else than a comma separates.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__(lines, strict=True)
        if found := _other_separator(self.fieldnames or ()):
            raise csv.Error(f"{found} separates its cells, and a comma is expected; save it with commas")
        named = Counter(filter(None, self.fieldnames or ()))  # of an empty one nothing is asked
        for name, count in named.most_common(1):
            if count > 1:
                raise csv.Error(f"column {name!r} stands in it {count} times")

    def __next__(self) -> dict[str, str]:
        """The next one. Raises `csv.Error` where it has more or fewer cells than the header."""
        row = super().__next__()
        if None in row or None in row.values():
            raise csv.Error(f"line {self.line_num} has not as many cells as the header")
        return {name: original(cell) for name, cell in row.items()}


def _other_separator(columns: Sequence[str]) -> str:
    """What stands between the names of a header that is one name for a reader of commas, in words; empty where nothing does."""
    if len(columns) != 1:
        return ""
    return next((told for each, told in _OTHER_SEPARATORS.items() if each in columns[0]), "")
