"""Cells: all seeds of one method on one data set, with marks where they are fewer than asked or on other data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from radar.evaluation.metrics import BestControl, best_control
from radar.evaluation.statistics_methods import FEW_GROUPS
from radar.report.data_versions import DataVersion, most_read_versions, of_same_data, on_one_version
from radar.report.pixels import not_ranked
from radar.report.result import Result
from radar.report.settings import changes, family, method_names, settings, shared_changes

FEWER, OTHER_DATA, OTHER_TRAINING, LEFT_OUT, CONTROLS, MODIFIED, OLDER, FEW = "†", "‡", "⊕", "§", "‖", "¶", "△", "∗"
MARKS = {
    FEWER: "fewer seeds than asked, or than the rest of the row has",
    OTHER_DATA: "measured on other data than the other methods of this data set: not comparable with them",
    OTHER_TRAINING: "tested on the same images as other methods of this data set, and of another manifest than theirs: what differs "
    "may come from the images that it learnt from",
    LEFT_OUT: "some runs of this method on this data set read other data, as of another split, and are left out",
    CONTROLS: "of two runs of one seed the later counts, and the earlier had controls or measures of pixels that it has not",
    MODIFIED: "some runs come from a working tree with changes that no revision holds",
    OLDER: "some records are of an older format: no scores of training and held-out normals, and the control `untrained` is RADAR's, "
    "its network untrained, whatever the method",
    FEW: f"fewer than {FEW_GROUPS} groups of a kind of image: a bootstrap over so few covers less than it says, the fewer the less",
}
_OF_DATA = (OTHER_DATA, OTHER_TRAINING, LEFT_OUT)  # a number without them would pass for one of the same data as others
DEVELOPMENT = "◆"
DEVELOPMENT_NOTE = (
    f"{DEVELOPMENT} development set: its test labels were in view when something was chosen, "
    "so its row confirms nothing, nor does what pools it with others."
)


def dataset_name(dataset: str, development: Collection[str]) -> str:
    """The name of a data set as it is shown: with the mark of a development set where it is one of those."""
    return f"{dataset} {DEVELOPMENT}" if dataset in development else dataset


def pooled_name(text: str, datasets: Iterable[str], development: Collection[str]) -> str:
    """What is called of what pools data sets: with the mark of a development set where any of them is one."""
    return text if set(development).isdisjoint(datasets) else f"{text} {DEVELOPMENT}"


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
    def name(self) -> str:
        """The label with the marks of the data that its runs read, for places that have no column of marks."""
        marks = "".join(mark for mark in _OF_DATA if mark in self.marks)
        return f"{self.label} {marks}" if marks else self.label

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
        """The runs that trained the shared network themselves."""
        return tuple(each for each in self.results if each.metrics.value("network", "trained_by_this_run"))

    @property
    def timed(self) -> tuple[Result, ...]:
        """The runs whose times of every stage are their own as far as records tell: those that trained the shared network themselves,
        and all of a method without it, whose own fit may have come from the store."""
        return tuple(
            each for each in self.results if each.metrics.network is None or each.metrics.network.trained_by_this_run
        )

    def best_control(self, *path: str) -> BestControl | None:
        """What is to be beaten by the measure at `path`."""
        return best_control([result.metrics for result in self.results], *path)


def cells(
    results: Sequence[Result], seeds: int | None, most_read: Mapping[str, DataVersion] | None = None
) -> list[Cell]:
    """Cells by data set and method. `seeds` are asked of each; None: as many as the best-covered cell has. `most_read` are the
    versions of the data that they are compared with; None: those that most of `results` read.

    Runs on several versions of the data, its masks among them, are never averaged: those on the version that most runs read count, of
    equally many the later, and the mark says that others were left out. What masks a run read that does not tell is not asked.
    """
    names = method_names(results)
    grouped: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        grouped[result.dataset, names[result.identity]].append(result)
    reference = most_read or most_read_versions(results)
    chosen = {key: on_one_version(group, reference[key[0]]) for key, group in grouped.items()}
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
    names, reference = method_names(results), most_read_versions(results)[results[0].dataset]
    same = on_one_version(results, reference)
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
    reference = most_read_versions(results)
    apart = not_ranked([result for result in results if any(choose(result) for choose in chosen.values())])
    found: dict[str, dict[str, Cell]] = {}
    for name, choose in chosen.items():
        grouped: dict[str, list[Result]] = defaultdict(list)
        for result in filter(choose, results):
            grouped[result.dataset].append(result)
        found[name] = {}
        for dataset, group in grouped.items():
            same = on_one_version(group, reference[dataset])
            marks = _marks(same, group, reference[dataset], len(same))
            found[name][dataset] = Cell(dataset, name, same, marks, apart.get(same[0].identity, ""))
    return found


def main_cells(all_cells: Sequence[Cell]) -> list[Cell]:
    """One cell per family and data set, for tables that compare methods; the others are points of ablations. What is not ranked, as it
    saw other pixels or colours, is a family of its own.

    It is the setting that most data sets have, of those the one with most runs, of those the one of which least was typed; on a data
    set without it, the one with most runs. One on the data that most runs of the data set read, tested on and learnt from, goes before
    others, which it is marked to leave out. It is named by what all settings of its family share where nothing else was typed for it,
    and else as it is.
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
                    OTHER_TRAINING not in cell.marks,
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
    others = any(not of_same_data(cell.one, one) for cell in group)
    marks = best.marks + LEFT_OUT * others
    return "".join(mark for mark in MARKS if mark in marks)


def _marks(group: Sequence[Result], of_all: Sequence[Result], reference: DataVersion, asked: int) -> str:
    told = {result.masks for result in of_all} - {None}
    is_tested = reference.is_tested(group[0])
    found = {
        FEWER: len(group) < asked,
        OTHER_DATA: not is_tested,
        OTHER_TRAINING: is_tested and group[0].data != reference.data,
        LEFT_OUT: len({(result.test_data, result.data) for result in of_all}) > 1 or len(told) > 1,
        CONTROLS: _has_lost_measures(group, of_all),
        MODIFIED: any(result.environment["git_modified"] for result in group),
        OLDER: any(result.is_older for result in group),
    }
    return "".join(mark for mark, holds in found.items() if holds)


def _has_lost_measures(group: Sequence[Result], of_all: Sequence[Result]) -> bool:
    """Whether a run that a later one of its seed and data stands for has controls, or measures of pixels, that the later has not."""
    kept = {result.seed: result for result in group}
    return any(
        set(result.metrics.controls) - set(kept[result.seed].metrics.controls)
        or (result.metrics.pixel is not None and kept[result.seed].metrics.pixel is None)
        for result in of_all
        if result.seed in kept and result.ended < kept[result.seed].ended and of_same_data(result, group[0])
    )


def by_dataset(all_cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Cells of each data set."""
    grouped: dict[str, list[Cell]] = defaultdict(list)
    for cell in all_cells:
        grouped[cell.dataset].append(cell)
    return dict(grouped)


def on_common_data(members: Sequence[Cell]) -> list[Cell]:
    """Those that were tested on what most runs of their data set were tested on; all, where none was."""
    return [cell for cell in members if OTHER_DATA not in cell.marks] or list(members)


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
