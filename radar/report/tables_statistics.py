"""Tables of statistics: the noise hypothesis, methods against each other on the same images and seeds, ranks over data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from radar.config import ReportConfig
from radar.evaluation.statistics_paired import (
    AurocComparison,
    DecisionComparison,
    SeedComparison,
    delong,
    holm,
    mcnemar_exact,
    paired_seeds,
)
from radar.evaluation.statistics_ranks import RankComparison, compare_ranks
from radar.evaluation.statistics_resampling import bootstrap_weights, percentile_interval, weighted_aurocs
from radar.report.cells import Cell, by_dataset, mean
from radar.report.stored import Result
from radar.report.tables import NOTHING, Entry, Table, count, number, over_seeds, p_value, table

Floats = NDArray[np.float64]
_DISTANCES = {"ks": "KS", "wasserstein": "Wasserstein", "kl_anomalous_from_normal": "KL(a ‖ n), nats", "overlap": "overlap",
              "p_value": "p"}  # fmt: skip
_SUBJECTS = {
    "pixels of the noise map": ("pixels",),
    "L2 norm of the noise map": ("l2_norm",),
    "distance from a Gaussian": ("normality", "distance_from_gaussian"),
    "global norm": ("features", "global_norm"),
    "local norm": ("features", "local_norm"),
    "score": ("features", "score"),
}


def noise_table(cells: Sequence[Cell]) -> Table:
    """How far the noise predicted for normal and for anomalous images lies apart, by method, data set and timestep."""
    rows: list[Sequence[Entry | str]] = []
    for cell in cells:
        runs = [result.name for result in cell.results]
        step = Entry(str(cell.one.config["timestep"]["value"]), cell.one.config["timestep"]["value"])
        for subject, path in _SUBJECTS.items():
            values = [over_seeds(cell.values("noise", *path, name), runs=runs) for name in _DISTANCES]
            auroc = over_seeds(cell.values("noise", *path, "auroc"), runs=runs)
            rows.append([cell.dataset, cell.method, step, subject, *values, auroc])
    notes = (
        "KL divergence: histogram of equal-probability bins of the pooled sample, half a count added to each bin. "
        "Overlap in the same bins.",
        "Wasserstein in the unit of the values. p: permutation of groups of images between the labels, statistic KS; mean over seeds.",
        "AUROC: probability that an anomalous value exceeds a normal one.",
    )
    headings = ("data set", "method", "t", "of", *_DISTANCES.values(), "AUROC")
    return table("noise_distances", "The noise hypothesis: normal against anomalous", headings, rows, *notes)


def moments_table(cells: Sequence[Cell]) -> Table:
    """Moments of the noise map and how Gaussian it is, for both kinds of images."""
    rows: list[Sequence[Entry | str]] = []
    for cell in cells:
        runs = [result.name for result in cell.results]
        step = Entry(str(cell.one.config["timestep"]["value"]), cell.one.config["timestep"]["value"])
        for kind in ("normal", "anomalous"):
            paths: list[tuple[str, ...]] = [
                ("moments", name) for name in ("mean", "standard_deviation", "skewness", "excess_kurtosis")
            ]
            paths += [
                ("normality", "distance_from_gaussian"),
                ("normality", "rejected_share"),
                ("image_correlation",),
                ("l2_norm",),
            ]
            values = [over_seeds(cell.values("noise", *path, kind), runs=runs) for path in paths]
            rows.append([cell.dataset, cell.method, step, kind, *values])
    notes = (
        "Means over images. Distance from a Gaussian: Lilliefors' statistic of all pixels of an image. Rejected: "
        "share of images for which the "
        "test of D'Agostino and Pearson rejects normality at its level, on pixels thinned so far that neighbours "
        "hardly depend on each other.",
    )
    headings = ("data set", "method", "t", "images", "mean", "standard deviation", "skewness", "excess kurtosis",
                "distance from a Gaussian", "rejected", "correlation with the image", "L2 norm")  # fmt: skip
    return table("noise_moments", "Moments and normality of the predicted noise", headings, rows, *notes)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two methods on the same test images over the same seeds."""

    dataset: str
    first: Cell
    second: Cell
    seeds: tuple[int, ...]
    auroc: AurocComparison
    interval: tuple[float, float]  # of the AUROC difference, by bootstrap over groups
    decisions: DecisionComparison
    f1: SeedComparison | None  # None for one seed


def pairs(cells: Sequence[Cell], settings: ReportConfig) -> list[Pair]:
    """All pairs of methods on one data set that share test images with both labels and at least one seed."""
    found = []
    for members in by_dataset(cells).values():
        aurocs: dict[int, Floats] = {}
        for first, second in combinations(members, 2):
            seeds = sorted({each.seed for each in first.results} & {each.seed for each in second.results})
            if seeds and first.one.test_data == second.one.test_data and 0 < first.one.labels.mean() < 1:
                found.append(_pair((first, second), seeds, settings, aurocs))
    return found


def _pair(both: tuple[Cell, Cell], seeds: Sequence[int], settings: ReportConfig, aurocs: dict[int, Floats]) -> Pair:
    labels = both[0].one.labels
    sides = [[next(each for each in cell.results if each.seed == seed) for seed in seeds] for cell in both]
    scores = [np.stack([result.scores for result in side]) for side in sides]
    right = [np.mean([result.decisions == labels.astype(bool) for result in side], axis=0) > 0.5 for side in sides]
    resampled = [np.mean([_resampled(result, settings, aurocs) for result in side], axis=0) for side in sides]
    f1 = [[result.metrics["image"]["f1"] for result in side] for side in sides]
    return Pair(
        both[0].dataset,
        *both,
        tuple(seeds),
        delong(labels, scores[0], scores[1], settings.level),
        percentile_interval(resampled[1] - resampled[0], settings.level),
        mcnemar_exact(right[0], right[1]),
        paired_seeds(f1[0], f1[1], settings.level) if len(seeds) > 1 else None,
    )


def _resampled(result: Result, settings: ReportConfig, known: dict[int, Floats]) -> Floats:
    """AUROCs under the resamples that all runs on the same images share."""
    if id(result) not in known:
        random = np.random.default_rng(settings.seed)
        weights = bootstrap_weights(result.labels, result.groups, settings.resamples, random)
        known[id(result)] = weighted_aurocs(result.labels, result.scores, weights)
    return known[id(result)]


def pair_table(found: Sequence[Pair], settings: ReportConfig) -> Table:
    """Second minus first, with corrected p values."""
    adjusted = [
        holm([each.auroc.p_value for each in found]),
        holm([each.decisions.p_value for each in found]),
    ]
    rows: list[Sequence[Entry | str]] = []
    for index, each in enumerate(found):
        rows.append(
            [
                each.dataset,
                each.first.method,
                each.second.method,
                count(len(each.seeds)),
                number(each.auroc.difference),
                Entry(f"{each.interval[0]:.3f} … {each.interval[1]:.3f}"),
                Entry(f"{each.auroc.low:.3f} … {each.auroc.high:.3f}"),
                p_value(float(adjusted[0][index])),
                Entry(f"{each.decisions.only_first_right} : {each.decisions.only_second_right}"),
                p_value(float(adjusted[1][index])),
                *_seed_entries(each.f1),
            ]
        )
    headings = ("data set", "first", "second", "seeds", "Δ AUROC", "bootstrap interval", "DeLong interval", "DeLong p",
                "only first : only second right", "McNemar p", "Δ F1", "t interval", "paired t p", "effect")  # fmt: skip
    notes = (
        f"Second minus first. Intervals at {settings.level:.0%}. Δ AUROC is that of the mean over seeds; the "
        f"bootstrap draws whole groups of "
        f"images ({settings.resamples:,} resamples), DeLong takes images as independent.",
        f"p values of DeLong and McNemar are Holm-corrected for the {len(found)} comparisons of the column. An image "
        f"counts as right where more "
        "than half of the seeds decide it right.",
        "Paired t over seeds, uncorrected, of F1; effect: mean difference over the standard deviation of the differences. "
        "Three seeds have little power: a large p is no proof of equality.",
    )
    return table("comparisons", "Methods against each other", headings, rows, *notes)


def _seed_entries(compared: SeedComparison | None) -> list[Entry]:
    if compared is None:
        return [Entry(NOTHING)] * 4
    interval = Entry(f"{compared.low:.3f} … {compared.high:.3f}")
    return [number(compared.difference), interval, p_value(compared.p_value), number(compared.effect, 2)]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Mean ranks of the methods that every counted data set has."""

    measure: str
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    compared: RankComparison


def rankings(cells: Sequence[Cell], alpha: float) -> list[Ranking]:
    """By AUROC and by F1; nothing where fewer than two methods share two data sets."""
    grouped = by_dataset(cells)
    everywhere = [
        method
        for method in dict.fromkeys(cell.method for cell in cells)
        if sum(any(cell.method == method for cell in members) for members in grouped.values()) > 1
    ]
    found = []
    for key, measure in (("auroc", "AUROC"), ("f1", "F1")):
        rows, datasets = [], []
        for dataset, members in grouped.items():
            values = {cell.method: mean(cell.values("image", key)) for cell in members if cell.values("image", key)}
            if all(method in values for method in everywhere):
                rows.append([values[method] for method in everywhere])
                datasets.append(dataset)
        if len(everywhere) > 1 and len(rows) > 1:
            found.append(Ranking(measure, tuple(everywhere), tuple(datasets), compare_ranks(rows, alpha)))
    return found


def rank_table(found: Sequence[Ranking], alpha: float) -> Table:
    """Mean ranks with the critical difference."""
    rows: list[Sequence[Entry | str]] = [
        [
            each.measure,
            method,
            number(float(rank), 2),
            count(each.compared.datasets),
            number(each.compared.critical_difference, 2),
            p_value(each.compared.p_value),
        ]
        for each in found
        for method, rank in sorted(zip(each.methods, each.compared.ranks, strict=True), key=lambda pair: pair[1])
    ]
    notes = (
        f"1 is the best. Ranks closer than the critical difference (Nemenyi, α = {alpha}) are not told apart. p: "
        f"Friedman's test in Iman and "
        "Davenport's form, for three methods or more. Means over seeds are ranked; data sets count alike.",
    )
    headings = ("measure", "method", "mean rank", "data sets", "critical difference", "Friedman p")
    return table("ranks", "Ranks over data sets", headings, rows, *notes)
