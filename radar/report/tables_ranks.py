"""Ranks of methods over data sets, on the largest block of cells that is whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from radar.evaluation.statistics_ranks import RankComparison, compare_ranks
from radar.report.cells import (
    OTHER_DATA,
    OTHER_TRAINING,
    Cell,
    by_dataset,
    mean,
)
from radar.report.shared_images import NO_SHARED_IMAGE, without_shared_images
from radar.report.tables import Entry, Table, count, number, p_value, table


@dataclass(frozen=True, eq=False)
class Ranking:
    """Mean ranks of `methods` over `datasets`, each of which has them all."""

    measure: str
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    compared: RankComparison
    without_common_seed: tuple[tuple[str, str, str], ...]  # data set, and two of its methods whose runs share no seed


def rankings(cells: Sequence[Cell], alpha: float) -> list[Ranking]:
    """By AUROC and by F1; nothing where fewer than two methods share two data sets.

    Cells on other data, tested on or learnt from, and of other pixels or colours are left out, and of data sets that are no witnesses
    of their own one counts.
    """
    apart = {OTHER_DATA, OTHER_TRAINING}
    comparable = [cell for cell in cells if apart.isdisjoint(cell.marks) and not cell.not_ranked]
    grouped = without_shared_images(by_dataset(comparable))
    found = []
    for key, measure in (("auroc", "AUROC"), ("f1", "F1")):
        values = {
            dataset: {cell.method: mean(cell.values("image", key)) for cell in members if cell.values("image", key)}
            for dataset, members in grouped.items()
        }
        methods, datasets = _largest_block({dataset: frozenset(row) for dataset, row in values.items()})
        if len(methods) > 1 and len(datasets) > 1:
            rows = [[values[dataset][method] for method in methods] for dataset in datasets]
            apart_in_seeds = _without_common_seed([cell for dataset in datasets for cell in grouped[dataset]], methods)
            found.append(Ranking(measure, methods, datasets, compare_ranks(rows, alpha), apart_in_seeds))
    return found


def _without_common_seed(cells: Sequence[Cell], methods: Collection[str]) -> tuple[tuple[str, str, str], ...]:
    """Of each data set the first two of `methods` whose runs share no seed, so that what differs may be the seeds'."""
    found: dict[str, tuple[str, str, str]] = {}
    for members in by_dataset([cell for cell in cells if cell.method in methods]).values():
        for one, other in combinations(members, 2):
            if {each.seed for each in one.results}.isdisjoint(each.seed for each in other.results):
                found.setdefault(one.dataset, (one.dataset, one.method, other.method))
    return tuple(found.values())


def _largest_block(methods: Mapping[str, frozenset[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Methods and data sets, two or more of each, that have every cell, and most cells; of equal ones that of most data sets.

    `methods` are those of each data set. A largest block has all methods that its data sets share, so intersections suffice.
    """
    shared: set[frozenset[str]] = set()
    for each in methods.values():
        shared |= {each, *(each & other for other in shared)}
    blocks = [
        (tuple(sorted(some)), tuple(dataset for dataset, each in methods.items() if some <= each)) for some in shared
    ]
    blocks = [block for block in blocks if min(map(len, block)) > 1]
    return min(blocks, key=lambda block: (-len(block[0]) * len(block[1]), -len(block[1]), block), default=((), ()))


def rank_table(found: Sequence[Ranking], cells: Sequence[Cell], alpha: float) -> Table:
    """Mean ranks with the critical difference, and which of `cells` saw too much or too little to be ranked."""
    rows: list[Sequence[Entry | str]] = [
        [
            each.measure,
            method,
            number(float(rank), 2),
            replace(count(each.compared.datasets), datasets=each.datasets),
            number(each.compared.critical_difference, 2),
            p_value(each.compared.p_value),
        ]
        for each in found
        for method, rank in sorted(zip(each.methods, each.compared.ranks, strict=True), key=lambda pair: float(pair[1]))
    ]
    notes = (
        f"1 is the best. Ranks closer than the critical difference (Nemenyi, α = {alpha}) are not told apart. p: Friedman's "
        "test, exact for few methods and data sets, else in Iman and Davenport's form; for three methods or more. Means over "
        "seeds are ranked; data sets count alike.",
        "Where not every method has every data set, the largest block of cells is ranked that is whole; cells on other data, and of "
        "methods that saw other pixels or colours than most, are left out, and of data sets that share images one counts; "
        f"{NO_SHARED_IMAGE}.",
        *(f"{each.measure}: {len(each.methods)} methods on {', '.join(each.datasets)}" for each in found),
        *dict.fromkeys(
            f"{dataset}: no seed of {one} is one of {other}, so a difference may come from the seeds"
            for each in found
            for dataset, one, other in each.without_common_seed
        ),
        *(f"{cell.dataset}: {cell.label}" for cell in cells if cell.not_ranked),
    )
    headings = ("measure", "method", "mean rank", "data sets", "critical difference", "Friedman p")
    return table("ranks", "Ranks over data sets", headings, rows, *notes)
