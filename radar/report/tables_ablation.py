"""Ablations: what one setting does while all others stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from radar.report.cells import Cell, cells
from radar.report.result import Result
from radar.report.settings import family
from radar.report.settings_units import REFERENCE, follows, units
from radar.report.tables import Entry, Table, count, measured, over_seeds, table


@dataclass(frozen=True, eq=False)
class Ablation:
    """Cells of one family on one data set that differ in one setting or config group (and what follows it), ordered by value."""

    dataset: str
    family: str
    key: str
    followers: tuple[str, ...]
    reference: str  # of a config group: what its value `reference` stands for; empty for a single setting
    fixed: str  # the other settings that vary elsewhere in the family
    values: tuple[Any, ...]
    cells: tuple[Cell, ...]

    @property
    def numeric(self) -> bool:
        """Whether the values lie on an axis."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)


def ablations(results: Sequence[Result], seeds: int | None) -> list[Ablation]:
    """Every series of two or more values of one setting, others equal. Of equally good series the longest comes first."""
    grouped: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        grouped[result.dataset, family(result)].append(result)
    found: list[Ablation] = []
    for (dataset, name), members in sorted(grouped.items()):
        found += _of_family(dataset, name, members, seeds)
    return found


def _of_family(dataset: str, name: str, members: Sequence[Result], seeds: int | None) -> list[Ablation]:
    varying = units(members)
    found = []
    for place, unit in enumerate(varying):
        if any(follows(unit, earlier) and follows(earlier, unit) for earlier in varying[:place]):
            continue  # it has been shown as what follows that one
        behind = [other for other in varying if other is not unit and follows(other, unit)]
        others = [other for other in varying if other is not unit and other not in behind]
        followers = tuple(key for each in (unit, *behind) for key in each.keys if key != unit.name)
        series: dict[tuple[str, ...], list[tuple[Any, Result]]] = defaultdict(list)
        for index, result in enumerate(members):
            fixed = tuple(f"{other.name} = {other.values[index]}" for other in others)
            series[fixed].append((unit.values[index], result))
        for fixed, group in sorted(series.items(), key=lambda item: (-len(item[1]), item[0])):
            by_value: dict[Any, list[Result]] = defaultdict(list)
            for value, result in group:
                by_value[value].append(result)
            if len(by_value) > 1:
                ordered = sorted(by_value, key=_place)
                asked = seeds or max(len({result.seed for result in each}) for each in by_value.values())
                row = tuple(_cell(by_value[value], asked) for value in ordered)
                told = ", ".join(fixed)
                found.append(Ablation(dataset, name, unit.name, followers, unit.reference, told, tuple(ordered), row))
    return found


def _place(value: Any) -> tuple[int, float, str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (0, float(value), "") if number else (1, float(value != REFERENCE), str(value))


def _cell(group: Sequence[Result], seeds: int) -> Cell:
    (one,) = cells(group, seeds)
    return one


def ablation_tables(results: Sequence[Result], seeds: int | None) -> list[Table]:
    """One table for each setting that varies, over all families and data sets."""
    by_key: dict[str, list[Ablation]] = defaultdict(list)
    for each in ablations(results, seeds):
        by_key[each.key].append(each)
    return [_table(key, members) for key, members in by_key.items()]


def _table(key: str, members: Sequence[Ablation]) -> Table:
    rows = [_row(each, value, cell) for each in members for value, cell in zip(each.values, each.cells, strict=True)]
    followers = sorted({follower for each in members for follower in each.followers})
    notes = [
        "Δ L2 norm: mean L2 norm of the noise map of anomalous minus that of normal images, the strength of the signal.",
        "Structure left: size of the correlation between a normal image and its noise map, 0 where no structure of it is left.",
        *([f"Settings that follow {key}: {', '.join(followers)}"] if followers else []),
        *sorted(
            {f"{each.dataset}, {each.family}: {REFERENCE} is {each.reference}" for each in members if each.reference}
        ),
    ]
    headings = ("data set", "method", "held fixed", key, "seeds", "AUROC", "F1", "precision", "recall", "false positive rate",
                "pixel AUROC", "Δ L2 norm", "structure left", "parameters", "training, s",
                "peak memory of the process, MiB")  # fmt: skip
    return table(f"ablation_{key.replace('.', '_')}", f"Ablation: {key}", headings, rows, *notes)


def _row(ablation: Ablation, value: Any, cell: Cell) -> list[Entry | str]:
    image = [measured(cell, "image", name) for name in ("auroc", "f1", "precision", "recall", "false_positive_rate")]
    trained = cell.trained
    shown = Entry(str(value), float(value)) if ablation.numeric else Entry(str(value))
    return [
        ablation.dataset,
        ablation.family,
        ablation.fixed,
        shown,
        Entry(f"{len(cell.results)}{cell.marks}", len(cell.results)),
        *image,
        measured(cell, "pixel", "auroc"),
        measured(cell, "noise", "l2_norm", "difference"),
        measured(cell, "noise", "image_correlation", "normal"),
        count(cell.one.metrics.parameters),
        measured(cell, "seconds", "training", digits=1),
        over_seeds([result.metrics.peak_memory_mib for result in trained], 0, [result.name for result in trained]),
    ]


def curve(ablation: Ablation, *path: str) -> tuple[list[Any], np.ndarray, np.ndarray]:
    """Values of the setting, and mean and standard deviation over seeds of the metric at `path`; cells without it are left out."""
    kept = [
        (value, cell.values(*path))
        for value, cell in zip(ablation.values, ablation.cells, strict=True)
        if cell.values(*path)
    ]
    means = np.array([np.mean(values) for _, values in kept])
    spreads = np.array([np.std(values, ddof=1) if len(values) > 1 else 0.0 for _, values in kept])
    return [value for value, _ in kept], means, spreads
