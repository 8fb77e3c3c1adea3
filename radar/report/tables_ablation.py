"""Ablations: what one setting does while all others stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from radar.report.cells import Cell, at, cells
from radar.report.settings import axes, family, settings
from radar.report.stored import Result
from radar.report.tables import Entry, Table, count, over_seeds, table


@dataclass(frozen=True, eq=False)
class Ablation:
    """Cells of one family on one data set that differ in one setting (and what follows it), in the order of its values."""

    dataset: str
    family: str
    key: str
    followers: tuple[str, ...]
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
    varying = axes(members)
    found = []
    for key, together in varying.items():
        others = [other for other in varying if other != key]
        series: dict[tuple[str, ...], list[Result]] = defaultdict(list)
        for result in members:
            values = settings(result)
            series[tuple(f"{other} = {values.get(other)}" for other in others)].append(result)
        for fixed, group in sorted(series.items(), key=lambda item: -len(item[1])):
            by_value: dict[Any, list[Result]] = defaultdict(list)
            for result in group:
                by_value[settings(result).get(key)].append(result)
            if len(by_value) > 1:
                ordered = sorted(by_value, key=_place)
                asked = seeds or max(len({result.seed for result in each}) for each in by_value.values())
                row = tuple(_cell(by_value[value], asked) for value in ordered)
                followers = tuple(each for each in together if each != key)
                found.append(Ablation(dataset, name, key, followers, ", ".join(fixed), tuple(ordered), row))
    return found


def _place(value: Any) -> tuple[int, float, str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (0, float(value), "") if number else (1, 0.0, str(value))


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
    ]
    headings = ("data set", "method", "held fixed", key, "seeds", "AUROC", "F1", "precision", "recall", "false positive rate",
                "pixel AUROC", "Δ L2 norm", "structure left", "parameters", "training, s", "peak memory, MiB")  # fmt: skip
    return table(f"ablation_{key.replace('.', '_')}", f"Ablation: {key}", headings, rows, *notes)


def _row(ablation: Ablation, value: Any, cell: Cell) -> list[Entry | str]:
    runs = [result.name for result in cell.results]
    image = [
        over_seeds(cell.values("image", name), runs=runs)
        for name in ("auroc", "f1", "precision", "recall", "false_positive_rate")
    ]
    trained = [result for result in cell.results if at(result.metrics, "network", "trained_by_this_run")]
    shown = Entry(str(value), float(value)) if ablation.numeric else Entry(str(value))
    return [
        ablation.dataset,
        ablation.family,
        ablation.fixed,
        shown,
        Entry(f"{len(cell.results)}{cell.marks}", len(cell.results)),
        *image,
        over_seeds(cell.values("pixel", "auroc"), runs=runs),
        over_seeds(cell.values("noise", "l2_norm", "difference"), runs=runs),
        over_seeds(cell.values("noise", "image_correlation", "normal"), runs=runs),
        count(cell.one.metrics["parameters"]),
        over_seeds(cell.values("seconds", "training"), 1, runs),
        over_seeds([result.metrics["peak_memory_mib"] for result in trained], 0, runs),
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
