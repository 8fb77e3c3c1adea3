"""What others report: figures that are quoted, each with its source, from two files beside this one."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from radar.report.result import Result
from radar.report.settings import key_of
from radar.runtime.numbers import number

DECISIONS = ("accuracy", "precision", "recall", "f1")


@dataclass(frozen=True)
class Published:
    """One figure row out of the literature, and what tells runs on its data set from those on others of that name."""

    dataset: str
    layout: str
    category: str | None
    # overrides, of a set whose layout and category any folder may have; none where these two tell it
    chosen_by: tuple[str, ...]
    method: str
    values: dict[str, float | None]
    source: str

    def is_of(self, result: Result) -> bool:
        """Whether a run is on this data set; not, where it does not say how its own was chosen and that has to tell it."""
        dataset = result.config["dataset"]
        told = result.dataset, dataset.get("layout"), dataset.get("category")
        chosen = not self.chosen_by or _choice(result.command.overrides) in self.chosen_by
        return chosen and told == (self.dataset, self.layout, self.category)


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
            row["layout"],
            row["category"] or None,
            tuple(row["chosen_by"].split()),
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


def _choice(overrides: Sequence[str]) -> str | None:
    """The override that chose the data set: the last of the group's own, which win, else the last experiment."""
    by_key = {key_of(text): text for text in overrides}
    return by_key.get("dataset", by_key.get("experiment"))


def _rows(name: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(files("radar.report").joinpath(name).read_text(encoding="utf-8").splitlines())
