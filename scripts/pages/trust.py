"""The blocks of docs/trust.md, from kills.json, long_jobs.json, long_images.json and mutants.json."""

from __future__ import annotations

from radar.report.tables import Entry, Table, markdown
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


def long_work() -> str:
    """Jobs in one process, and images in one set."""
    jobs, images = measured("long_jobs.json"), measured("long_images.json")
    commands = {
        "data_check": "radar data check",
        "training": "radar experiment=recommended",
        "predict": "radar predict",
    }
    rows = (
        [f"`{command}`", f"{images[key]['peak_memory_mib']:,}", f"{images[key]['seconds']:,.0f}"]
        for key, command in commands.items()
    )
    return (
        f"A sweep of {jobs['jobs']:,} jobs in one process held {jobs['memory_early_mib']:,} MiB in the second tenth of its jobs and "
        f"{jobs['memory_late_mib']:,} MiB in the last. {_measured(jobs)}\n\n"
        f"{images['images']:,} drawn photos of 100 px:\n\n"
        f"{numbers(['command', 'peak memory, MiB', 'seconds'], rows)}\n\n{_measured(images)}"
    )


def mutants() -> str:
    """Lines that were changed, whether a test failed, and those that no test is about."""
    told = measured("mutants.json")
    kinds = ("killed", "timeout", "survived", "no_tests")
    rows = (
        [f"`{module.replace('.', '/')}.py`", *(f"{counts.get(kind, 0):,}" for kind in kinds)]
        for module, counts in told["modules"].items()
    )
    living = [
        tuple(
            Entry(f"`{text}`" if text else "")
            for text in (f"{each['module'].rpartition('.')[2]}.{each['function']}", each["before"], each["after"])
        )
        for each in told["living"]
    ]
    lines = markdown(Table("", "", ("function", "line", "changed to"), tuple(living), frozenset())).strip()
    total, killed = (
        sum(counts.get(kind, 0) for counts in told["modules"].values() for kind in of)
        for of in (kinds, ("killed", "timeout"))
    )
    return (
        f"{killed:,} of {total:,} mutants ({killed / total:.1%}) are killed.\n\n"
        f"{numbers(['file', 'killed', 'for ever', 'survived', 'not reached'], rows)}\n\n"
        f"Those that live:\n\n{lines}\n\n{_measured(told)}"
    )


def _measured(told: Figures) -> str:
    return f"Measured once, {told['date']}, on {told['cores']} cores ({told['machine']}): `{told['command']}`."


def sections() -> Sections:
    """By their names."""
    return {"kills": kills(), "long_work": long_work(), "mutants": mutants()}
