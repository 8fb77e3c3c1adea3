"""The block of docs/photos.md, from kill_watch.json."""

from __future__ import annotations

from scripts.pages.committed import measured
from scripts.pages.performance import numbers
from scripts.pages.sections import Sections


def watch() -> str:
    """What was watched under kill -9, and what became of it."""
    told = measured("kill_watch.json")
    head = [
        "watched by",
        "photos",
        "lines",
        "kills",
        "before a first line",
        "MiB, first quarter",
        "MiB, last quarter",
        "seconds",
    ]
    rows = (
        [
            f"`{name}`",
            *(f"{each[key]:,}" for key in ("photos", "lines", "kills", "kills_before_a_line")),
            *(f"{each[key]:.0f}" for key in ("mib_first_quarter", "mib_last_quarter", "seconds")),
        ]
        for name, each in told["watches"].items()
    )
    return (
        f"{numbers(head, rows)}\n\nEvery photo has exactly one line. Memory: at most, resident; the median of starts that wrote a "
        "line, while a quarter of the photos was done or left. Seconds hold all starts. Measured once, "
        f"{told['date']}, on {told['cores']} cores ({told['machine']}): `{told['command']}`."
    )


def sections() -> Sections:
    """By their names."""
    return {"watch": watch()}
