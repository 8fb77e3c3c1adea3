"""What marks behind the names in a figure mean, as entries of its legend."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from matplotlib.lines import Line2D

from radar.report.cells import MARKS

_WIDTH = 44  # characters of a line


def explained(names: Iterable[str]) -> list[Line2D]:
    """An entry without a line for each mark that stands in `names`."""
    texts = "".join(names)
    told = [f"{mark} {meaning}" for mark, meaning in MARKS.items() if mark in texts]
    return [Line2D([], [], linestyle="none", label=textwrap.fill(text, _WIDTH)) for text in told]
