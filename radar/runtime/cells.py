"""Cells of a CSV that no spreadsheet computes, and the way back."""

from __future__ import annotations

import csv
import re
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r]")  # how a text begins that a spreadsheet would compute


def inert(cell: Any) -> Any:
    """`cell`; of a text that a spreadsheet would take for a formula, the text behind an apostrophe, which says that it is none."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def original(cell: str) -> str:
    """The inverse of `inert`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class Rows(csv.DictReader):  # type: ignore[type-arg]  # not to be subscripted where it is run
    """The rows of a CSV by their columns, each cell as it was before it was made inert."""

    def __next__(self) -> dict[Any, Any]:
        """The next one."""
        return {name: original(cell) if isinstance(cell, str) else cell for name, cell in super().__next__().items()}
