"""The blocks of docs/photos.md, from kill_watch.json and real_drift.json."""

from __future__ import annotations

from radar.deploy.monitor import MEASURES
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


def drift() -> str:
    """Streams of real photos, and how long after a change of the light each chart left its limits."""
    told = measured("real_drift.json")
    head = ["stream", "photos", "light changes at", *MEASURES, "called defective before the alarm", "in all"]
    rows = (
        [
            each["stream"],
            str(each["photos"]),
            "–" if each["changed"] is None else str(each["changed"]),
            *(_alarm(each[measure], each["changed"]) for measure in MEASURES),
            str(each["defective_before_alarm"]),
            str(each["defective"]),
        ]
        for each in told["rows"]
    )
    where = f"on {told['cores']} cores ({told['machine']})"
    return f"{numbers(head, rows)}\n\nMeasured once, {told['date']}, {where}: `{told['command']}`."


def _alarm(alarm: int | None, changed: int | None) -> str:
    """In photos after the change, where there was one."""
    if alarm is None:
        return "–"
    return f"false, at {alarm}" if changed is None or alarm < changed else f"{alarm - changed} later"


def sections() -> Sections:
    """By their names."""
    return {"watch": watch(), "drift": drift()}
