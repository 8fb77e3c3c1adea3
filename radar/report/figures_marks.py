"""What marks behind the names in a figure mean, as entries of its legend."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.lines import Line2D

from radar.report.cells import DEVELOPMENT, DEVELOPMENT_NOTE, MARKS


def explained(names: Iterable[str]) -> list[Line2D]:
    """An entry without a line for each mark that stands in `names`."""
    texts = "".join(names)
    told = [f"{mark} {meaning}" for mark, meaning in MARKS.items() if mark in texts]
    told += [DEVELOPMENT_NOTE] if DEVELOPMENT in texts else []
    return [Line2D([], [], linestyle="none", label=text) for text in told]
