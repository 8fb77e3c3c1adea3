"""Tables of statistics: the noise hypothesis, and methods against each other on the same images and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from radar.config.schema import ReportConfig
from radar.evaluation.statistics_paired import (
    AurocComparison,
    DecisionComparison,
    SeedComparison,
    delong,
    holm,
    mcnemar_exact,
    paired_seeds,
    two_of_each,
)
from radar.evaluation.statistics_resampling import bootstrap_weights, percentile_interval, weighted_aurocs
from radar.report.cells import Cell, by_dataset
from radar.report.result import Result
from radar.report.tables import NOTHING, Entry, Table, count, interval, measured, number, p_value, table

Floats = NDArray[np.float64]
_DISTANCES = {
    "ks": "KS",
    "wasserstein": "Wasserstein",
    "kl_anomalous_from_normal": "KL(a ‖ n), nats",
    "overlap": "overlap",
}
_NOISE = {
    "pixels of the noise map": ("pixels",),
    "L2 norm of the noise map": ("l2_norm",),
    "distance from a Gaussian": ("normality", "distance_from_gaussian"),
}


def noise_table(cells: Sequence[Cell]) -> Table:
    """How far the noise predicted for normal and for anomalous images lies apart, by method, data set and timestep."""
    places = [(cell, subject, path) for cell in _predicting(cells) for subject, path in _NOISE.items()]
    compared, notes = _compared([(cell, ("noise", *path)) for cell, _, path in places])
    rows: list[Sequence[Entry | str]] = [
        [cell.dataset, cell.method, _step(cell), subject, *entries]
        for (cell, subject, _), entries in zip(places, compared, strict=True)
    ]
    headings = ("data set", "method", "t", "of", *_DISTANCES.values(), "p", "Holm p", "AUROC")
    return table("noise_distances", "The noise hypothesis: normal against anomalous", headings, rows, *notes)


def separation_table(cells: Sequence[Cell]) -> Table:
    """The same distances of features and score, of every method."""
    places = [(cell, name) for cell in cells for name in cell.one.metrics.separation]
    compared, notes = _compared([(cell, ("separation", name)) for cell, name in places])
    rows: list[Sequence[Entry | str]] = [
        [cell.dataset, cell.method, name.replace("_", " "), *entries]
        for (cell, name), entries in zip(places, compared, strict=True)
    ]
    headings = ("data set", "method", "of", *_DISTANCES.values(), "p", "Holm p", "AUROC")
    return table("separation", "Features and score: normal against anomalous", headings, rows, *notes)


def _predicting(cells: Sequence[Cell]) -> list[Cell]:
    """The cells whose method predicts noise."""
    return [cell for cell in cells if cell.one.metrics.noise is not None]


def _step(cell: Cell) -> Entry:
    step = cell.one.timestep
    return Entry(NOTHING if step is None else str(step), step)


def _compared(places: Sequence[tuple[Cell, tuple[str, ...]]]) -> tuple[list[list[Entry]], tuple[str, ...]]:
    """Distances with their p values for each cell and path, and what is to be said of them."""
    largest = [max(cell.values(*path, "p_value"), default=float("nan")) for cell, path in places]
    found = [
        [
            *(measured(cell, *path, name) for name in _DISTANCES),
            p_value(p),
            p_value(float(adjusted)),
            measured(cell, *path, "auroc"),
        ]
        for (cell, path), p, adjusted in zip(places, largest, holm(largest), strict=True)
    ]
    notes = (
        "KL divergence: histogram of equal-probability bins of the pooled sample, half a count added to each bin. "
        "Overlap in the same bins.",
        "Wasserstein in the unit of the values. p: permutation of groups of images between the labels, statistic KS; "
        "the largest of the seeds' p values, as a mean of them is none. Holm p: the same, corrected for the "
        f"{int(np.isfinite(largest).sum())} rows; where these are many, p cannot come below the level with the permutations made.",
        "AUROC: probability that an anomalous value exceeds a normal one.",
    )
    return found, notes


def moments_table(cells: Sequence[Cell]) -> Table:
    """Moments of the noise map and how Gaussian it is, for both kinds of images."""
    rows: list[Sequence[Entry | str]] = []
    for cell in _predicting(cells):
        step = _step(cell)
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
            values = [measured(cell, "noise", *path, kind) for path in paths]
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
    """All pairs of methods on one data set that share test images, two or more of each label, and at least one seed."""
    found = []
    for members in by_dataset(cells).values():
        aurocs: dict[int, Floats] = {}
        for first, second in combinations(members, 2):
            seeds = sorted({each.seed for each in first.results} & {each.seed for each in second.results})
            if seeds and first.one.test_data == second.one.test_data and two_of_each(first.one.labels):
                found.append(_pair((first, second), seeds, settings, aurocs))
    return found


def _pair(both: tuple[Cell, Cell], seeds: Sequence[int], settings: ReportConfig, aurocs: dict[int, Floats]) -> Pair:
    labels = both[0].one.labels
    sides = [[next(each for each in cell.results if each.seed == seed) for seed in seeds] for cell in both]
    scores = [np.stack([result.scores for result in side]) for side in sides]
    right = [np.mean([result.decisions == labels.astype(bool) for result in side], axis=0) > 0.5 for side in sides]
    resampled = [np.mean([_resampled(result, settings, aurocs) for result in side], axis=0) for side in sides]
    f1 = [[value for result in side if (value := result.metrics.image.f1) is not None] for side in sides]
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
                interval(*each.interval),
                interval(each.auroc.low, each.auroc.high),
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
    reach = interval(compared.low, compared.high)
    return [number(compared.difference), reach, p_value(compared.p_value), number(compared.effect, 2)]
