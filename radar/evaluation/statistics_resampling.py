"""Permutation and bootstrap over groups: images of one tile or one sheet are not independent and move together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


def ks_of_counts(counts: Floats, anomalous: Bools) -> Floats:
    """Kolmogorov–Smirnov distance between the pooled histograms of the two kinds, for each assignment of labels.

    `counts` (U, B) over ordered bins, `anomalous` (P, U) bool; returns (P,). Exact where a bin holds one distinct value,
    else taken at the edges of the bins.
    """
    second = anomalous.astype(np.float64) @ counts
    first = counts.sum(axis=0) - second
    cumulative = [np.cumsum(each, axis=1) / each.sum(axis=1, keepdims=True) for each in (first, second)]
    distances: Floats = np.abs(cumulative[0] - cumulative[1]).max(axis=1)
    return distances


def ks_permutation_p(counts: ArrayLike, units: Units, permutations: int, random: np.random.Generator) -> float:
    """Share of random assignments of labels to units whose KS distance is at least the one observed.

    `counts` (N, B) are the images' histograms over ordered bins. The observed assignment counts as one, so the result is
    in [1 / (permutations + 1), 1].
    """
    sums = units.sums(np.asarray(counts, dtype=np.float64))
    shuffled = random.permuted(np.tile(units.anomalous, (permutations, 1)), axis=1)
    drawn = ks_of_counts(sums, shuffled)
    observed = ks_of_counts(sums, units.anomalous[None])[0]
    return float((1 + np.sum(drawn >= observed - 1e-12)) / (permutations + 1))


def one_hot_ranks(values: ArrayLike) -> Floats:
    """Histograms (N, D) of single values (N,) over their D distinct values in order."""
    distinct, places = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)
    return np.eye(distinct.size)[places]


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
