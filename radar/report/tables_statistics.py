"""Tables of the noise hypothesis, and of how far features and score of normal and of anomalous images lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from radar.evaluation.statistics_chance import CHANCE_LEVEL
from radar.evaluation.statistics_paired import holm, tests_made
from radar.evaluation.statistics_resampling import Units
from radar.report.cells import Cell, mean
from radar.report.tables import NOTHING, Entry, Table, bounded_p, measured, of_dataset, p_value, table

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
DISTANCE_HEADINGS = {name: f"{shown} (chance: mean, limit)" for name, shown in _DISTANCES.items()}
CHANCE_NOTE = (
    "Chance: the distance where whole groups of images change the label at random, its mean and the limit that one permutation in "
    "twenty passes (of the overlap: falls below), a dash where permutations are too few for one to be so rare; a dash alone where "
    "runs did not measure it. Of few images KL is large and the overlap small by chance alone. Of pixels, p and the chance of KS and "
    "Wasserstein are of distances between histograms of up to 500 bins of equal shares of all pixels, of which KS is a little smaller "
    "than that of the pixels themselves, which stands beside it."
)


def noise_table(cells: Sequence[Cell], alpha: float) -> Table:
    """How far the noise predicted for normal and for anomalous images lies apart, by method, data set and timestep."""
    places = [(cell, subject, path) for cell in _predicting(cells) for subject, path in _NOISE.items()]
    compared, notes = _compared([(cell, ("noise", *path)) for cell, _, path in places], alpha)
    rows: list[Sequence[Entry | str]] = [
        [of_dataset(cell.dataset), cell.name, _step(cell), subject, *entries]
        for (cell, subject, _), entries in zip(places, compared, strict=True)
    ]
    headings = ("data set", "method", "t", "of", *DISTANCE_HEADINGS.values(), "p", "Holm p", "AUROC")
    return table("noise_distances", "The noise hypothesis: normal against anomalous", headings, rows, *notes)


def separation_table(cells: Sequence[Cell], alpha: float) -> Table:
    """The same distances of features and score, of every method."""
    places = [(cell, name) for cell in cells for name in cell.one.metrics.separation]
    compared, notes = _compared([(cell, ("separation", name)) for cell, name in places], alpha)
    rows: list[Sequence[Entry | str]] = [
        [of_dataset(cell.dataset), cell.name, name.replace("_", " "), *entries]
        for (cell, name), entries in zip(places, compared, strict=True)
    ]
    headings = ("data set", "method", "of", *DISTANCE_HEADINGS.values(), "p", "Holm p", "AUROC")
    return table("separation", "Features and score: normal against anomalous", headings, rows, *notes)


def _predicting(cells: Sequence[Cell]) -> list[Cell]:
    """The cells whose method predicts noise."""
    return [cell for cell in cells if cell.one.metrics.noise is not None]


def _step(cell: Cell) -> Entry:
    step = cell.one.timestep
    return Entry(NOTHING if step is None else str(step), step)


def _compared(
    places: Sequence[tuple[Cell, tuple[str, ...]]], alpha: float
) -> tuple[list[list[Entry]], tuple[str, ...]]:
    """Distances with their p values for each cell and path, and what is to be said of them."""
    largest = [max(cell.values(*path, "p_value"), default=float("nan")) for cell, path in places]
    found = [
        [
            *(beside_chance(cell, path, name) for name in _DISTANCES),
            bounded_p(p, smallest_p(cell), alpha),
            p_value(float(adjusted)),
            measured(cell, *path, "auroc"),
        ]
        for (cell, path), p, adjusted in zip(places, largest, holm(largest), strict=True)
    ]
    notes = (
        "KL divergence: histogram of equal-probability bins of the pooled sample, half a count added to each bin. "
        "Overlap in the same bins. Of fewer than four values that are not all equal there is one bin, and neither is told.",
        CHANCE_NOTE,
        "Wasserstein in the unit of the values. p: permutation of groups of images between the labels, statistic KS; "
        "the largest of the seeds' p values, as a mean of them is none; (≥ x): no smaller one can come out with so few groups. "
        "Holm p: the same, corrected for the "
        f"{tests_made(largest)} rows; where these are many, p cannot come below the level with the permutations made.",
        "AUROC: probability that an anomalous value exceeds a normal one.",
    )
    return found, notes


def beside_chance(cell: Cell, path: Sequence[str], name: str) -> Entry:
    """A distance, and its mean and limit by chance."""
    shown = measured(cell, *path, name)
    average, limit = (mean(cell.values(*path, "chance", name, each)) for each in ("mean", "limit"))
    if shown.value is None:
        return shown
    if not np.isfinite([average, limit]).all():
        return replace(shown, text=f"{shown.text} ({NOTHING})")
    told = f"{limit:z.3f}" if smallest_p(cell) <= 1 - CHANCE_LEVEL else NOTHING
    return replace(shown, text=f"{shown.text} ({average:z.3f}, {told})")


def smallest_p(cell: Cell) -> float:
    """No permutation of the test images' groups gives less, nor do so many as were drawn where there are more."""
    units = Units.of(cell.one.labels, cell.one.groups)
    drawn = cell.one.config.get("evaluation", {}).get("noise", {}).get("permutations", units.distinct)
    return units.smallest_p if units.distinct <= drawn else max(units.smallest_p, 1 / (drawn + 1))


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
            rows.append([of_dataset(cell.dataset), cell.name, step, kind, *values])
    notes = (
        "Means over images. Distance from a Gaussian: Lilliefors' statistic of all pixels of an image. Rejected: "
        "share of images for which the "
        "test of D'Agostino and Pearson rejects normality at its level, on pixels thinned so far that neighbours "
        "hardly depend on each other; of images that have eight such pixels, a dash where none has.",
    )
    headings = ("data set", "method", "t", "images", "mean", "standard deviation", "skewness", "excess kurtosis",
                "distance from a Gaussian", "rejected", "correlation with the image", "L2 norm")  # fmt: skip
    return table("noise_moments", "Moments and normality of the predicted noise", headings, rows, *notes)
