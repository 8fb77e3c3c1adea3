"""The blocks of docs/trust.md, from kills.json and long_jobs.json."""

from __future__ import annotations

from scripts.pages.committed import Figures, measured
from scripts.pages.performance import numbers
from scripts.pages.sections import Sections


def kills() -> str:
    """Commands that were killed, and what became of them."""
    told = measured("kills.json")
    head = [
        "command",
        "kills",
        "while it ran",
        "half-written, read as whole",
        "lost, or other bytes",
        "seconds undisturbed",
    ]
    keys = ("kills", "hit", "half_written", "lost_or_other")
    rows = (
        [f"`{name}`", *(f"{each[key]:,}" for key in keys), f"{each['seconds']:.1f}"]
        for name, each in told["commands"].items()
    )
    return f"{numbers(head, rows)}\n\n{_measured(told)}"


def long_jobs() -> str:
    """Jobs in one process."""
    jobs = measured("long_jobs.json")
    return (
        f"A sweep of {jobs['jobs']:,} jobs in one process held {jobs['memory_early_mib']:,} MiB in the second tenth of its jobs and "
        f"{jobs['memory_late_mib']:,} MiB in the last. {_measured(jobs)}"
    )


def _measured(told: Figures) -> str:
    return f"Measured once, {told['date']}, on {told['cores']} cores ({told['machine']}): `{told['command']}`."


def sections() -> Sections:
    """By their names."""
    return {"kills": kills(), "long_jobs": long_jobs()}
