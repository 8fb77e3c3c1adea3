"""What others report: figures that are quoted, each with its source, from two files beside this one."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from radar.runtime.numbers import number

DECISIONS = ("accuracy", "precision", "recall", "f1")


@dataclass(frozen=True)
class Published:
    """One figure row out of the literature."""

    dataset: str
    method: str
    values: dict[str, float | None]
    source: str


@dataclass(frozen=True)
class Citation:
    """One figure that a text quotes."""

    value: float
    unit: str
    source: str


def published() -> list[Published]:
    """What the paper reports, as fractions."""
    return [
        Published(
            row["dataset"],
            row["method"],
            {key: number(row[key]) if row[key] else None for key in DECISIONS},
            row["source"],
        )
        for row in _rows("published.csv")
    ]


def cited(name: str) -> Citation:
    """The figure of that name in cited.csv. Raises `KeyError`."""
    found = {row["name"]: Citation(number(row["value"]), row["unit"], row["source"]) for row in _rows("cited.csv")}
    return found[name]


def _rows(name: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(files("radar.report").joinpath(name).read_text(encoding="utf-8").splitlines())
