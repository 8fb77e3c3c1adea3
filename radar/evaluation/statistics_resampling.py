"""Permutation and bootstrap over groups: images of one tile, sheet or strip are not independent and move together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Units:
    """What is resampled: groups of images, a group with both labels being two of them.

    `of_image` (N,) is each image's unit, `anomalous` (U,) each unit's label.
    """

    of_image: Integers
    anomalous: Bools

    @staticmethod
    def of(labels: ArrayLike, groups: Sequence[str]) -> Units:
        """The units of images with `labels` (N,) 0 / 1 in `groups` (N,)."""
        truth = np.asarray(labels).astype(np.bool_)
        names = [f"{int(label)} {group}" for label, group in zip(truth, groups, strict=True)]
        _, first, of_image = np.unique(names, return_index=True, return_inverse=True)
        return Units(of_image, truth[first])

    def sums(self, values: Floats) -> Floats:
        """Sums (U, B) by unit of one row per image (N, B)."""
        total = np.zeros((self.anomalous.size, values.shape[1]))
        np.add.at(total, self.of_image, values)
        return total

    def assignments(self, permutations: int, random: np.random.Generator) -> Bools:
        """Assignments (P, U) of the labels to the units, the observed one first.

        All distinct ones where they are at most `permutations`; else that many drawn ones beside the observed one.
        """
        if self.distinct <= permutations:
            rows = np.zeros((self.distinct, self.anomalous.size), dtype=np.bool_)
            for row, places in zip(rows, combinations(range(self.anomalous.size), self.anomalous.sum()), strict=True):
                row[list(places)] = True
            first = int(np.flatnonzero((rows == self.anomalous).all(axis=1))[0])
            return np.roll(rows, -first, axis=0)
        drawn = random.permuted(np.tile(self.anomalous, (permutations, 1)), axis=1)
        return np.concatenate([self.anomalous[None], drawn])

    @property
    def distinct(self) -> int:
        """How many assignments there are."""
        return comb(self.anomalous.size, int(self.anomalous.sum()))

    @property
    def smallest_p(self) -> float:
        """No permutation of a distance between both kinds gives less: where they have equally many units, an assignment and its
        opposite are equally far apart."""
        alike = 2 if 2 * int(self.anomalous.sum()) == self.anomalous.size else 1
        return alike / self.distinct


def two_kinds(counts: Floats, anomalous: Bools) -> tuple[Floats, Floats]:
    """Histograms (P, B) of the normal and of the anomalous units' sums (U, B), for each assignment (P, U)."""
    second = anomalous.astype(np.float64) @ counts
    return counts.sum(axis=0) - second, second


def ks_of_counts(first: Floats, second: Floats) -> Floats:
    """Kolmogorov–Smirnov distances (P,) between pairs of histograms (P, B) over ordered bins.

    Exact where a bin holds one distinct value, else taken at the edges of the bins.
    """
    return np.asarray(np.abs(_cumulative(first) - _cumulative(second)).max(axis=1))


def wasserstein_of_counts(first: Floats, second: Floats, positions: Floats) -> Floats:
    """First-order Wasserstein distances (P,) between pairs of histograms (P, B) of bins at ascending `positions` (B,)."""
    apart = np.abs(_cumulative(first) - _cumulative(second))
    return np.asarray(apart[:, :-1] @ np.diff(positions))


def _cumulative(counts: Floats) -> Floats:
    return np.asarray(np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True))


def permutation_p(distances: Floats) -> float:
    """Share of `distances` (P,) of the assignments that are at least the first, which is the observed one's."""
    return float(np.mean(distances >= distances[0] - 1e-12))


def bootstrap_weights(labels: ArrayLike, groups: Sequence[str], resamples: int, random: np.random.Generator) -> Floats:
    """How often each image is in each resample, (R, N): whole units drawn with replacement, as many of each label as there are."""
    units = Units.of(labels, groups)
    drawn = np.zeros((resamples, units.anomalous.size))
    for kind in (False, True):
        members = np.flatnonzero(units.anomalous == kind)
        if members.size:
            drawn[:, members] = random.multinomial(
                members.size, np.full(members.size, 1 / members.size), size=resamples
            )
    weights: Floats = drawn[:, units.of_image]
    return weights


def weighted_aurocs(labels: ArrayLike, scores: ArrayLike, weights: Floats) -> Floats:
    """AUROCs (R,) of scores (N,) under each row of `weights` (R, N)."""
    truth, values = np.asarray(labels).astype(np.bool_), np.asarray(scores, dtype=np.float64)
    anomalous, normal = values[truth][:, None], values[~truth][None]
    exceeds = (anomalous > normal) + 0.5 * (anomalous == normal)
    first, second = weights[:, truth], weights[:, ~truth]
    aurocs: Floats = ((first @ exceeds) * second).sum(axis=1) / (first.sum(axis=1) * second.sum(axis=1))
    return aurocs


def percentile_interval(values: ArrayLike, level: float) -> tuple[float, float]:
    """The central interval that holds `level` of `values` (R,)."""
    tail = (1 - level) / 2
    low, high = np.quantile(np.asarray(values, dtype=np.float64), [tail, 1 - tail])
    return float(low), float(high)
