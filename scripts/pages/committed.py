"""What the repository holds of measurements, read once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from radar.files import read_lines
from radar.report.result import Result
from radar.report.stored import read_results

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
RESULTS = DOCS / "results"
STUDY = RESULTS / "study.runs.jsonl.xz"
METHODS = RESULTS / "methods.runs.jsonl.xz"
ABLATIONS = RESULTS / "ablations.runs.jsonl.xz"
BORDER = RESULTS / "border.runs.jsonl.xz"
SWEEPS = RESULTS / "sweeps.jsonl.xz"

Figures = dict[str, Any]


@cache
def recorded(path: Path) -> tuple[Result, ...]:
    """Every record of a file."""
    return tuple(read_results([path]))


@cache
def measured(name: str) -> Figures:
    """One JSON file of docs/results."""
    found: Figures = json.loads((RESULTS / name).read_text())
    return found


@cache
def rows_of(name: str) -> tuple[Figures, ...]:
    """Every record of a JSONL file of docs/results."""
    return tuple(json.loads(line) for line in read_lines(RESULTS / name))


def dates(results: Iterable[Result]) -> str:
    """The days on which `results` ended, so that old rows say so."""
    days = sorted({each.ended[:10] for each in results})
    return "" if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
