"""Ablations: what one setting does while all others stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from radar.report.cells import Cell, cell_of
from radar.report.result import Result
from radar.report.settings import family, shared_changes
from radar.report.settings_units import REFERENCE, Series, chooses_data, left_out, place, series
from radar.report.tables import Entry, Table, count, measured, memory_columns, memory_notes, of_dataset, seeds_of, table


@dataclass(frozen=True, eq=False)
class Ablation:
    """Cells of one family on one data set that differ in one setting or config group alone, ordered by value."""

    dataset: str
    family: str
    key: str
    reference: str  # of a config group: what its option `reference` stands for; empty where there is none
    fixed: str  # the other settings that vary elsewhere in the family
    values: tuple[Any, ...]
    shown: tuple[str, ...]  # what the values are called
    cells: tuple[Cell, ...]

    @property
    def numeric(self) -> bool:
        """Whether the values lie on an axis."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)


def ablations(results: Sequence[Result], seeds: int | None) -> list[Ablation]:
    """Every series of two or more values of one setting, all else equal. Of equally good series the longest comes first."""
    return [
        _ablation(dataset, name, each, seeds)
        for (dataset, name), members in _by_family(results).items()
        for each in series(members)
    ]


def _by_family(results: Sequence[Result]) -> dict[tuple[str, str], list[Result]]:
    """By data set and family, which is named with what all its results change."""
    grouped: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        grouped[result.dataset, family(result)].append(result)
    named = {
        (dataset, ", ".join([name, *shared_changes(members)])): members for (dataset, name), members in grouped.items()
    }
    return dict(sorted(named.items()))


def _ablation(dataset: str, name: str, found: Series, seeds: int | None) -> Ablation:
    asked = seeds or max(len({result.seed for result in point.results}) for point in found.points)
    row = tuple(cell_of(point.results, asked) for point in found.points)
    values, shown = zip(*((point.value, point.shown) for point in found.points), strict=True)
    return Ablation(dataset, name, found.name, found.reference, found.fixed, values, shown, row)


def ablation_tables(results: Sequence[Result], seeds: int | None) -> list[Table]:
    """One table for each setting that varies, over all families and data sets."""
    by_key: dict[str, list[Ablation]] = defaultdict(list)
    for each in ablations(results, seeds):
        by_key[each.key].append(each)
    return [_table(key, members, _left_out(key, results)) for key, members in by_key.items()]


def _left_out(key: str, results: Sequence[Result]) -> list[str]:
    found = {place: left_out(series(members), members, key) for place, members in _by_family(results).items()}
    return [
        f"{dataset}, {name}: {number} runs with another {key} differ elsewhere, too, and are left out."
        for (dataset, name), number in found.items()
        if number
    ]


def _table(key: str, members: Sequence[Ablation], left: Sequence[str]) -> Table:
    cells = [cell for each in members for cell in each.cells]
    memory = memory_columns(cells, "training")
    # the training is the shared network's, of which a method without it would seem to have learnt in no time
    fitting = ["own fitting, s"] if any(cell.one.metrics.network is None for cell in cells) else []
    rows = [
        [
            *_row(each, value, shown, cell),
            *(measured(cell, "cost", "fit_seconds", digits=1) for _ in fitting),
            *(measured(cell, *path, digits=0) for path in memory.values()),
        ]
        for each in members
        for value, shown, cell in zip(each.values, each.shown, each.cells, strict=True)
    ]
    notes = [
        _equal(key),
        "Δ L2 norm: mean L2 norm of the noise map of anomalous minus that of normal images, the strength of the signal.",
        "Structure left: size of the correlation between a normal image and its noise map, 0 where no structure of it is left.",
        *sorted(
            {f"{each.dataset}, {each.family}: {REFERENCE} is {each.reference}" for each in members if each.reference}
        ),
        *_seeds_differ(members),
        *left,
        *memory_notes(memory),
    ]
    headings = ("data set", "method", "held fixed", key, "seeds", "AUROC", "F1", "precision", "recall", "false positive rate",
                "pixel AUROC", "Δ L2 norm", "structure left", "parameters", "training, s", *fitting, *memory)  # fmt: skip
    return table(f"ablation_{key.replace('.', '_')}", f"Ablation: {key}", headings, rows, *notes)


def _equal(key: str) -> str:
    """What the rows of a series share."""
    if chooses_data(key):
        return (
            "In a row's series everything else is equal: every other setting, preset and test images, and seeds but where a note says "
            "so. What was learnt from follows from the setting."
        )
    return "In a row's series everything else is equal: every other setting, preset and data, and seeds but where a note says so."


def _seeds_differ(members: Sequence[Ablation]) -> list[str]:
    """A note for each series whose rows have other seeds: trained otherwise, they differ by chance, too."""
    notes = []
    for each in members:
        seeds = [", ".join(str(result.seed) for result in cell.results) for cell in each.cells]
        if len(set(seeds)) > 1:
            told = "; ".join(f"{shown}: {own}" for shown, own in zip(each.shown, seeds, strict=True))
            fixed = f", {each.fixed}" if each.fixed else ""
            notes.append(f"{each.dataset}, {each.family}{fixed}: rows are of other seeds, which differ, too ({told}).")
    return notes


def _row(ablation: Ablation, value: Any, shown: str, cell: Cell) -> list[Entry | str]:
    image = [measured(cell, "image", name) for name in ("auroc", "f1", "precision", "recall", "false_positive_rate")]
    return [
        of_dataset(ablation.dataset),
        ablation.family,
        ablation.fixed,
        Entry(shown, float(value) if ablation.numeric else None),
        seeds_of(cell),
        *image,
        measured(cell, "pixel", "auroc"),
        measured(cell, "noise", "l2_norm", "difference"),
        measured(cell, "noise", "image_correlation", "normal"),
        count(cell.one.metrics.parameters),
        measured(cell, "seconds", "training", digits=1),
    ]


def value_names(members: Sequence[Ablation]) -> dict[str, str]:
    """What every value of several series of one setting is called, in one order for all of them; by the value's `repr`."""
    known = {
        repr(value): (value, shown) for each in members for value, shown in zip(each.values, each.shown, strict=True)
    }
    return {name: shown for name, (_, shown) in sorted(known.items(), key=lambda item: place(*item[1]))}


def curve(ablation: Ablation, *path: str) -> tuple[list[Any], np.ndarray, np.ndarray]:
    """Values of the setting, and mean and standard deviation over seeds of the metric at `path`. Cells without it are left out."""
    kept = [
        (value, cell.values(*path))
        for value, cell in zip(ablation.values, ablation.cells, strict=True)
        if cell.values(*path)
    ]
    means = np.array([np.mean(values) for _, values in kept])
    spreads = np.array([np.std(values, ddof=1) if len(values) > 1 else 0.0 for _, values in kept])
    return [value for value, _ in kept], means, spreads
