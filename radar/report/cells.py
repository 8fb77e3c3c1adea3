"""Cells: all seeds of one method on one data set, with marks where they are fewer than asked or on other data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from radar.evaluation.metrics import BestControl, best_control
from radar.evaluation.statistics_methods import FEW_GROUPS
from radar.report.pixels import not_ranked
from radar.report.result import Result
from radar.report.settings import changes, family, method_names, settings, shared_changes

FEWER, OTHER_DATA, LEFT_OUT, CONTROLS, MODIFIED, OLDER, FEW = "†", "‡", "§", "‖", "¶", "△", "∗"
MARKS = {
    FEWER: "fewer seeds than asked, or than the rest of the row has",
    OTHER_DATA: "measured on other data than the other methods of this data set: not comparable with them",
    LEFT_OUT: "some runs of this method on this data set read other data, as of another split, and are left out",
    CONTROLS: "of two runs of one seed the later counts, and the earlier had controls that it has not",
    MODIFIED: "some runs come from a working tree with changes that no revision holds",
    OLDER: "some records are of an older format: no scores of training and held-out normals, and the control `untrained` is RADAR's, "
    "its network untrained, whatever the method",
    FEW: f"fewer than {FEW_GROUPS} groups of a kind of image: a bootstrap over so few covers less than it says, the fewer the less",
}
DEVELOPMENT = "◆"
DEVELOPMENT_NOTE = (
    f"{DEVELOPMENT} development set: its test labels were in view when something was chosen, "
    "so its row confirms nothing."
)


@dataclass(frozen=True, eq=False)
class Cell:
    """The runs of one method on one data set, by seed."""

    dataset: str
    method: str
    results: tuple[Result, ...]
    marks: str
    not_ranked: str  # why it is not ranked with the other methods of the data set; empty where it is

    @property
    def label(self) -> str:
        """The method, with why it is not ranked."""
        return f"{self.method}, not ranked: {self.not_ranked}" if self.not_ranked else self.method

    @property
    def one(self) -> Result:
        """The run of the first seed."""
        return self.results[0]

    def values(self, *path: str) -> list[float]:
        """The metric at `path` in each run that has it."""
        return [value for value in self.by_seed(*path) if value is not None]

    def by_seed(self, *path: str) -> list[float | None]:
        """The metric at `path` in each run, None where it has none. Raises `ValueError` for a path that no run can have."""
        return [result.metrics.value(*path) for result in self.results]

    @property
    def trained(self) -> tuple[Result, ...]:
        """The runs that trained their network themselves, so that their times are those of a whole run."""
        return tuple(each for each in self.results if each.metrics.value("network", "trained_by_this_run"))

    def best_control(self, *path: str) -> BestControl | None:
        """What is to be beaten by the measure at `path`."""
        return best_control([result.metrics for result in self.results], *path)


def cells(results: Sequence[Result], seeds: int | None) -> list[Cell]:
    """Cells by data set and method. `seeds` are asked of each; None: as many as the best-covered cell has.

    Runs on several versions of the data, its masks among them, are never averaged: those on the version that most runs read count,
    and the mark says that others were left out. What masks a run read that does not tell is not asked.
    """
    names = method_names(results)
    grouped: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        grouped[result.dataset, names[result.identity]].append(result)
    reference = _reference(results)
    chosen = {key: _on_one_data(group, reference[key[0]]) for key, group in grouped.items()}
    asked, apart = seeds or max(len(group) for group in chosen.values()), not_ranked(results)
    return [
        Cell(
            dataset,
            method,
            group,
            _marks(group, grouped[dataset, method], reference[dataset], asked),
            apart.get(group[0].identity, ""),
        )
        for (dataset, method), group in sorted(chosen.items())
    ]


def cell_of(results: Sequence[Result], seeds: int) -> Cell:
    """One cell of runs whose settings are equal on one data set, however they were typed; their shortest name is the method's."""
    names, reference = method_names(results), _reference(results)[results[0].dataset]
    same = _on_one_data(results, reference)
    return Cell(
        results[0].dataset,
        min(names.values(), key=lambda name: (len(name), name)),
        same,
        _marks(same, results, reference, seeds),
        not_ranked(results).get(same[0].identity, ""),
    )


def chosen_cells(
    results: Sequence[Result], chosen: Mapping[str, Callable[[Result], bool]]
) -> dict[str, dict[str, Cell]]:
    """By the names of `chosen`, and then by data set, one cell of the runs that are chosen, marked like any other.

    Cells of a data set are compared with the test data that most of all its `results` read, and ranked on the pixels that most of
    the chosen saw.
    """
    reference = _reference(results)
    apart = not_ranked([result for result in results if any(choose(result) for choose in chosen.values())])
    found: dict[str, dict[str, Cell]] = {}
    for name, choose in chosen.items():
        grouped: dict[str, list[Result]] = defaultdict(list)
        for result in filter(choose, results):
            grouped[result.dataset].append(result)
        found[name] = {}
        for dataset, group in grouped.items():
            same = _on_one_data(group, reference[dataset])
            marks = _marks(same, group, reference[dataset], len(same))
            found[name][dataset] = Cell(dataset, name, same, marks, apart.get(same[0].identity, ""))
    return found


def main_cells(all_cells: Sequence[Cell]) -> list[Cell]:
    """One cell per family and data set, for tables that compare methods; the others are points of ablations. What is not ranked, as it
    saw other pixels or colours, is a family of its own.

    It is the setting that most data sets have, of those the one with most runs, of those the one of which least was typed; on a data
    set without it, the one with most runs. One on the data that most runs of the data set read goes before others, which it is marked
    to leave out. It is named by what all settings of its family share where nothing else was typed for it, and else as it is.
    """
    families: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in all_cells:
        families[family(cell.one), cell.not_ranked].append(cell)
    chosen = []
    for (name, _), members in families.items():
        shared = shared_changes([result for cell in members for result in cell.results])
        named = ", ".join([name, *shared])
        coverage = Counter(cell.method for cell in members)
        runs = Counter(dict.fromkeys(coverage, 0))
        for cell in members:
            runs[cell.method] += len(cell.results)
        least = {
            method: -min(len(changes(cell.one)) for cell in members if cell.method == method) for method in coverage
        }
        base = max(sorted(coverage), key=lambda method: (coverage[method], runs[method], least[method]))
        for group in by_dataset(members).values():
            best = max(
                group,
                key=lambda cell: (
                    OTHER_DATA not in cell.marks,
                    cell.method == base,
                    len(cell.results),
                    least[cell.method],
                ),
            )
            plain = any(changes(result) == shared for result in best.results)
            method = named if best.method == base and plain else best.method
            chosen.append(replace(best, method=method, marks=_marks_among(best, group)))
    return sorted(chosen, key=lambda cell: (cell.dataset, cell.method))


def _marks_among(best: Cell, group: Sequence[Cell]) -> str:
    """Those of the cell that stands for a group, which says so where others of the group read other data."""
    one = best.one
    others = any(not _is_of_same_data(cell.one, one) for cell in group)
    marks = best.marks + LEFT_OUT * others
    return "".join(mark for mark in MARKS if mark in marks)


class TestData(NamedTuple):
    """Digits of test images with their labels, and of their masks; None where no run tells those."""

    images: str
    masks: str | None

    def is_of(self, result: Result) -> bool:
        """Whether the run read these images, and these masks as far as both tell."""
        return result.test_data == self.images and (None in (self.masks, result.masks) or result.masks == self.masks)


def _reference(results: Sequence[Result]) -> dict[str, TestData]:
    """The test data that most runs on each data set read; of equally many, the later."""
    by_set: dict[str, list[Result]] = defaultdict(list)
    for result in sorted(results, key=lambda result: result.ended, reverse=True):
        by_set[result.dataset].append(result)
    return {dataset: _most_read(members) for dataset, members in by_set.items()}


def _most_read(results: Sequence[Result]) -> TestData:
    images = Counter(each.test_data for each in results).most_common(1)[0][0]
    masks = Counter(each.masks for each in results if each.test_data == images and each.masks is not None)
    return TestData(images, masks.most_common(1)[0][0] if masks else None)


def _on_one_data(group: Sequence[Result], reference: TestData) -> tuple[Result, ...]:
    """The group's runs on one version of the data, one for each seed: the latest."""
    latest_first = sorted(group, key=lambda each: each.ended, reverse=True)
    test = reference if any(reference.is_of(result) for result in group) else _most_read(latest_first)
    same = [result for result in group if test.is_of(result)]
    whole = Counter(result.data for result in same).most_common(1)[0][0]
    latest: dict[int, Result] = {}
    for result in sorted((each for each in same if each.data == whole), key=lambda each: each.ended):
        latest[result.seed] = result
    return tuple(latest[seed] for seed in sorted(latest))


def _marks(group: Sequence[Result], of_all: Sequence[Result], reference: TestData, asked: int) -> str:
    told = {result.masks for result in of_all} - {None}
    found = {
        FEWER: len(group) < asked,
        OTHER_DATA: not reference.is_of(group[0]),
        LEFT_OUT: len({(result.test_data, result.data) for result in of_all}) > 1 or len(told) > 1,
        CONTROLS: _has_lost_controls(group, of_all),
        MODIFIED: any(result.environment["git_modified"] for result in group),
        OLDER: any(result.is_older for result in group),
    }
    return "".join(mark for mark, holds in found.items() if holds)


def _has_lost_controls(group: Sequence[Result], of_all: Sequence[Result]) -> bool:
    """Whether a run that a later one of its seed and data stands for has controls that the later has not."""
    kept = {result.seed: result for result in group}
    return any(
        set(result.metrics.controls) - set(kept[result.seed].metrics.controls)
        for result in of_all
        if result.seed in kept and result.ended < kept[result.seed].ended and _is_of_same_data(result, group[0])
    )


def _is_of_same_data(one: Result, other: Result) -> bool:
    """Whether two runs read the same images, learnt from and tested on, and the same masks as far as both tell."""
    same = (one.test_data, one.data) == (other.test_data, other.data)
    return same and (None in (one.masks, other.masks) or one.masks == other.masks)


def by_dataset(all_cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Cells of each data set."""
    grouped: dict[str, list[Cell]] = defaultdict(list)
    for cell in all_cells:
        grouped[cell.dataset].append(cell)
    return dict(grouped)


def without_shared_images(grouped: Mapping[str, Sequence[Cell]]) -> dict[str, Sequence[Cell]]:
    """`grouped` without data sets that show images of another one: two splits of the same images are no two witnesses.

    Of such data sets that with most cells stays, of equal ones the first by name.
    """
    kept: dict[str, Sequence[Cell]] = {}
    seen: set[str] = set()
    for dataset, members in sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0])):
        shown = {image.content_hash for image in members[0].one.images}
        if seen.isdisjoint(shown):
            kept[dataset] = members
        seen |= shown
    return dict(sorted(kept.items()))


def differing_settings(all_cells: Sequence[Cell]) -> dict[str, list[str]]:
    """Methods whose settings differ between data sets, with the keys: a row of a table is then not one setting."""
    grouped: dict[str, list[Cell]] = defaultdict(list)
    for cell in all_cells:
        grouped[cell.method].append(cell)
    found = {}
    for method, members in grouped.items():
        rows = [settings(cell.one) for cell in members]
        keys = sorted({key for row in rows for key in row if not key.startswith("dataset.")})
        differing = [key for key in keys if len({repr(row.get(key)) for row in rows}) > 1]
        if differing:
            found[method] = differing
    return found


def mean(values: Sequence[float]) -> float:
    """Mean; NaN of nothing."""
    return float(np.mean(values)) if len(values) else float("nan")


def spread(values: Sequence[float]) -> float | None:
    """Standard deviation over seeds (n − 1); None for fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
