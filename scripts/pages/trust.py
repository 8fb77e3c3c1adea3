"""The blocks of docs/trust.md, each from a file of its own in docs/results."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby, takewhile

from scripts.covered import share
from scripts.long_work import LIMIT
from scripts.mutants import KILLED
from scripts.pages.committed import Figures, measured, rows_of
from scripts.pages.performance import numbers
from scripts.pages.sections import Sections

_FEWEST = 3  # packages that are named
_LONGEST = 100  # characters of a line that a mutant changes


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


def kill_page() -> str:
    """The page's server, killed, and what became of what it had answered for."""
    told = measured("kill_page.json")
    return (
        f"{told['kills']:,} kills, {told['asked']:,} of them while a verdict or a threshold was being stored, and "
        f"{told['answered']:,} requests that were answered. In the end {told['verdicts']:,} verdicts and {told['thresholds']:,} "
        f"thresholds were there. Lost, half-written or never asked for: {told['wrong']:,}. {_measured(told)}"
    )


def attacks() -> str:
    """What was found by who had the README and SECURITY.md alone, an attack a row."""
    told: tuple[Figures, ...] = rows_of("attacks.jsonl")
    head = [
        "day",
        "revision",
        "minutes",
        "attempts",
        "code run",
        "written elsewhere",
        "silently wrong",
        "tracebacks",
        "hangs",
    ]
    keys = ("attempts", "code_run", "written_elsewhere", "silently_wrong", "tracebacks", "hangs")
    rows = (
        [each["date"], f"`{each['revision']}`", f"{each['minutes']}", *(f"{each[key]:,}" for key in keys)]
        for each in told
    )
    return numbers(head, rows)


def long_jobs() -> str:
    """Jobs in one process."""
    jobs = measured("long_jobs.json")
    return (
        f"A sweep of {jobs['jobs']:,} jobs in one process held {jobs['memory_early_mib']:,} MiB in the second tenth of its jobs and "
        f"{jobs['memory_late_mib']:,} MiB in the last. {_measured(jobs)}"
    )


def long_images() -> str:
    """Many images: what each command takes."""
    told = measured("long_images.json")
    commands = {"data_check": "radar data check", "training": "radar", "predict": "radar predict"}
    rows = (
        [f"`{command}`", f"{told[name]['seconds']:,.0f}", f"{told[name]['peak_memory_mib']:,}"]
        for name, command in commands.items()
    )
    table = numbers([f"command, on {told['images']:,} photos", "seconds", "peak memory, MiB"], rows)
    above = [f"`{command}`" for name, command in commands.items() if told[name]["peak_memory_mib"] > LIMIT]
    said = f"{', '.join(above)} takes more" if above else "none takes more"
    return f"{table}\n\n{LIMIT:,} MiB are allowed; {said}. {_measured(told)}"


def branches() -> str:
    """How many branches the tests take, and the packages of which they take fewest."""
    told = measured("branches.json")
    shares = sorted((share(counts), package) for package, counts in told["packages"].items())
    fewest = ", ".join(f"`{package}` ({part:.1%})" for part, package in shares[:_FEWEST])
    return (
        f"{told['covered_branches']:,} of {told['num_branches']:,} branches are taken, {share(told):.1%}; the smallest shares are "
        f"those of {fewest}. {_measured(told)}"
    )


def mutants() -> str:
    """Modules with their mutants, and the lines of those that no test kills."""
    told = measured("mutants.json")
    counts = {f"`{module}`": _counted(statuses) for module, statuses in told["modules"].items()}
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    head = ["module", "mutants", "killed", "alive", "not reached by tests"]
    rows = [[name, *(f"{each:,}" for each in row)] for name, row in counts.items()]
    made, killed, *others = total
    share = f"{killed:,} ({killed / made:.1%})"
    rows.append(["all", f"{made:,}", share, *(f"{each:,}" for each in others)])
    return f"{numbers(head, rows)}\n\n{_measured(told)}\n\n{_living(told['living'])}"


def _counted(statuses: dict[str, int]) -> list[int]:
    """Of one module: all mutants, those killed, those alive, those that no test reaches."""
    made, missed = sum(statuses.values()), statuses.get("no_tests", 0)
    killed = sum(statuses.get(status, 0) for status in KILLED)
    return [made, killed, made - killed - missed, missed]


def _living(mutants: list[Figures]) -> str:
    """The changed lines by module, in a list that opens."""
    if not mutants:
        return "None lives."
    lines: list[str] = []
    for module, each in groupby(mutants, key=lambda mutant: mutant["module"]):
        lines += [f"- `{module}`", *_changes(each)]
    said = f"{len(mutants):,} live. Where a line computes the same before and after its change, no test can tell."
    return "\n".join(
        [said, "", "<details><summary>The lines of those that live</summary>", "", *lines, "", "</details>"]
    )


def _changes(mutants: Iterable[Figures]) -> Iterable[str]:
    for mutant in mutants:
        before, after = mutant["before"], mutant["after"]
        place = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
        yield f"  - `{mutant['function']}`: {_code(_around(before, place))} → {_code(_around(after, place))}"


def _around(line: str, place: int) -> str:
    """At most so much of a line as is shown, with what stands at `place`."""
    if len(line) <= _LONGEST:
        return line
    shown = _LONGEST - 2  # and an ellipsis at either end
    start = max(0, min(place - shown // 2, len(line) - shown))
    stop = start + shown
    return f"{'…' if start else ''}{line[start:stop]}{'…' if stop < len(line) else ''}"


def _code(line: str) -> str:
    """A code span of any line: fenced by more backticks than it has in a row."""
    if not line:
        return "nothing"
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"`{line}`" if fence == "`" else f"{fence} {line} {fence}"


def _measured(told: Figures) -> str:
    return f"Measured once, {told['date']}, on {told['cores']} cores ({told['machine']}): `{told['command']}`."


def sections() -> Sections:
    """By their names."""
    return {
        "kills": kills(),
        "kill_page": kill_page(),
        "attacks": attacks(),
        "long_jobs": long_jobs(),
        "long_images": long_images(),
        "mutants": mutants(),
        "branches": branches(),
    }
