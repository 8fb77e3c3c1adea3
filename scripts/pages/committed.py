"""What the repository holds of measurements, read once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from radar.files import read_lines
from radar.report.records import read_records
from radar.report.result import Result

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
RESULTS = DOCS / "results"
STUDY = RESULTS / "study.runs.jsonl.xz"
METHODS = RESULTS / "methods.runs.jsonl.xz"
ABLATIONS = RESULTS / "ablations.runs.jsonl.xz"
PARTS_CHANGED = RESULTS / "parts_changed.runs.jsonl.xz"
TRIED = RESULTS / "tried.runs.jsonl.xz"
BORDER = RESULTS / "border.runs.jsonl.xz"

Figures = dict[str, Any]


@cache
def recorded(path: Path) -> tuple[Result, ...]:
    """Every record of a file, those of metrics only too. Raises `ValueError` where one cannot be read."""
    results, errors = read_records(path)
    if errors:
        raise ValueError("; ".join(errors))
    return tuple(sorted(results, key=lambda result: (result.dataset, result.name)))


@cache
def measured(name: str) -> Figures:
    """One JSON file of docs/results."""
    found: Figures = json.loads((RESULTS / name).read_text())
    return found


@cache
def rows_of(name: str) -> tuple[Figures, ...]:
    """Every record of a JSONL file of docs/results."""
    return tuple(json.loads(line) for line in read_lines(RESULTS / name))


def when_and_where(results: Iterable[Result]) -> str:
    """The days on which `results` ended, so that old rows say so, and the devices that trained and scored them."""
    shown = list(results)
    days = sorted({each.ended[:10] for each in shown})
    period = "" if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    devices = Counter(str(each.environment.get("device", "unknown device")) for each in shown)
    return f"{period} on {', '.join(f'{name} ({count} runs)' for name, count in sorted(devices.items()))}"
