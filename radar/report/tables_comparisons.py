"""Methods, or runs, against each other on the same images and seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from radar.config.verbs import ReportConfig
from radar.evaluation.statistics_methods import (
    FEW_GROUPS,
    MethodComparison,
    compare_methods,
    groups_of_kinds,
)
from radar.evaluation.statistics_paired import SeedComparison, holm, paired_seeds, tests_made, two_of_each
from radar.evaluation.statistics_resampling import bootstrap_weights, percentile_interval, weighted_aurocs
from radar.percent import percent_as_set
from radar.report.cells import FEW, Cell, by_dataset
from radar.report.result import Result
from radar.report.tables import NOTHING, Entry, Table, bounded_p, count, interval, number, of_dataset, p_value, table

Floats = NDArray[np.float64]
TEST_HEADINGS = ("groups", "Δ AUROC", "bootstrap interval", "AUROC p", "only first : only second right", "decisions p")


@dataclass(frozen=True, eq=False)
class Compared:
    """Two methods on the same test images over the same seeds."""

    groups: tuple[int, int]  # with normal and with anomalous images
    tests: MethodComparison
    interval: tuple[float, float]  # of the AUROC difference, by bootstrap over groups


class Comparer:
    """Compares runs on the same images, which all share the resamples of their groups."""

    def __init__(self, settings: ReportConfig) -> None:
        self._settings = settings
        self._aurocs: dict[int, Floats] = {}

    def compare(self, first: Sequence[Result], second: Sequence[Result]) -> Compared:
        """Two methods by a run each for every seed, in the order of the seeds."""
        one, settings = first[0], self._settings
        scores = [np.stack([result.scores for result in side]) for side in (first, second)]
        right = [_right(side) for side in (first, second)]
        aurocs = [np.mean([self._resampled(result) for result in side], axis=0) for side in (first, second)]
        tests = compare_methods(
            one.labels,
            one.groups,
            (scores[0], scores[1]),
            (right[0], right[1]),
            permutations=settings.permutations,
            seed=settings.seed,
        )
        reach = percentile_interval(aurocs[1] - aurocs[0], settings.level)
        return Compared(groups_of_kinds(one.labels, one.groups), tests, reach)

    def _resampled(self, result: Result) -> Floats:
        if id(result) not in self._aurocs:
            random = np.random.default_rng(self._settings.seed)
            weights = bootstrap_weights(result.labels, result.groups, self._settings.resamples, random)
            self._aurocs[id(result)] = weighted_aurocs(result.labels, result.scores, weights)
        return self._aurocs[id(result)]


def _right(side: Sequence[Result]) -> NDArray[np.bool_]:
    """Images (N,) that more than half of the seeds decide right."""
    shares = np.mean([result.decisions == result.labels.astype(bool) for result in side], axis=0)
    return np.asarray(shares > 0.5)


def tests_shown(compared: Compared, adjusted: tuple[float, float], alpha: float) -> list[Entry]:
    """Below `TEST_HEADINGS`, with the p values of AUROC and decisions as they are `adjusted` for their number."""
    tests = compared.tests
    few = FEW if min(compared.groups) < FEW_GROUPS else ""
    return [
        Entry(f"{compared.groups[0]} + {compared.groups[1]}{few}"),
        number(tests.difference),
        interval(*compared.interval),
        bounded_p(adjusted[0], tests.auroc.smallest, alpha),
        Entry(f"{tests.only_first_right} : {tests.only_second_right}"),
        bounded_p(adjusted[1], tests.decisions.smallest, alpha),
    ]


def notes_on_tests(settings: ReportConfig) -> tuple[str, ...]:
    """What `tests_shown` are."""
    return (
        f"Groups: those with normal + those with anomalous images (of one part, sheet, tile or strip). Intervals at "
        f"{percent_as_set(settings.level)}%, by bootstrap of whole groups ({settings.resamples:,} resamples).",
        "p of AUROC and decisions: where every image is its own group, DeLong and McNemar (exact). Where a group holds several, "
        "both would take them as independent; there the two methods' scores of whole groups are swapped, all ways where these are "
        f"few, else {settings.permutations:,}; a dash where one group alone differs. (≥ x): no smaller p can come out, as so few "
        "groups differ.",
    )


@dataclass(frozen=True, eq=False)
class Pair:
    """Two methods on one data set."""

    dataset: str
    first: Cell
    second: Cell
    seeds: tuple[int, ...]
    compared: Compared
    f1: SeedComparison | None  # None for one seed


def pairs(cells: Sequence[Cell], settings: ReportConfig) -> list[Pair]:
    """All pairs of methods on one data set that saw the same pixels and colours and share test images, two or more of each label,
    and at least one seed."""
    found = []
    for members in by_dataset(cells).values():
        comparer = Comparer(settings)
        for first, second in combinations(members, 2):
            seeds = sorted({each.seed for each in first.results} & {each.seed for each in second.results})
            same = (first.one.test_data, first.not_ranked) == (second.one.test_data, second.not_ranked)
            if seeds and same and two_of_each(first.one.labels):
                found.append(_pair(first, second, seeds, comparer, settings.level))
    return found


def _pair(first: Cell, second: Cell, seeds: Sequence[int], comparer: Comparer, level: float) -> Pair:
    sides = [[next(each for each in cell.results if each.seed == seed) for seed in seeds] for cell in (first, second)]
    f1 = [[value for result in side if (value := result.metrics.image.f1) is not None] for side in sides]
    over_seeds = paired_seeds(f1[0], f1[1], level) if len(seeds) > 1 else None
    return Pair(first.dataset, first, second, tuple(seeds), comparer.compare(*sides), over_seeds)


def pair_table(found: Sequence[Pair], settings: ReportConfig) -> Table:
    """Second minus first, with corrected p values."""
    tests = [each.compared.tests for each in found]
    aurocs, decisions = holm([each.auroc.p_value for each in tests]), holm([each.decisions.p_value for each in tests])
    rows: list[Sequence[Entry | str]] = [
        [
            of_dataset(each.dataset),
            each.first.name,
            each.second.name,
            count(len(each.seeds)),
            *tests_shown(each.compared, (float(auroc), float(decided)), settings.alpha),
            *_seed_entries(each.f1),
        ]
        for each, auroc, decided in zip(found, aurocs, decisions, strict=True)
    ]
    headings = ("data set", "first", "second", "seeds", *TEST_HEADINGS, "Δ F1", "t interval", "paired t p", "effect")
    notes = (
        "Second minus first, of methods that saw the same pixels and colours. Δ AUROC is that of the mean over seeds; an image counts "
        "as right where more than half of the seeds decide it right.",
        *notes_on_tests(settings),
        f"These p values are Holm-corrected for the comparisons of their column that could be made: {tests_made(aurocs)} of AUROC, "
        f"{tests_made(decisions)} of decisions.",
        "Paired t over seeds, uncorrected, of F1; effect: mean difference over the standard deviation of the differences. "
        "Three seeds have little power: a large p is no proof of equality.",
    )
    return table("comparisons", "Methods against each other", headings, rows, *notes)


def _seed_entries(compared: SeedComparison | None) -> list[Entry]:
    if compared is None:
        return [Entry(NOTHING)] * 4
    if math.isnan(compared.p_value):
        return [number(compared.difference), *[Entry(NOTHING)] * 3]
    reach = interval(compared.low, compared.high)
    return [number(compared.difference), reach, p_value(compared.p_value), number(compared.effect, 2)]
