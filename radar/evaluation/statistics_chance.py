"""What distances between two kinds of images are by chance alone: their distribution when whole groups change the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radar.evaluation.metrics import Chance, ChanceDistances
from radar.evaluation.statistics_distributions import (
    binned,
    is_undefined,
    kl_divergence,
    overlap_coefficient,
    pooled_edges,
)
from radar.evaluation.statistics_resampling import (
    Units,
    ks_of_counts,
    permutation_p,
    two_kinds,
    wasserstein_of_counts,
)

Floats = NDArray[np.float64]
CHANCE_LEVEL = 0.95  # of the permutations, the share that the limit is not passed by
_PIXEL_BINS = 500  # of pooled pixels, whose counts permutations add up


@dataclass(frozen=True, eq=False)
class Histograms:
    """One histogram per image, `counts` (N, B) over ordered bins, whose values lie at `positions` (B,); and `coarse` (N, b), that
    over the bins of the KL divergence and the overlap."""

    counts: Floats
    positions: Floats
    coarse: Floats


def histograms_of_values(values: ArrayLike, most_bins: int) -> Histograms:
    """Of one value per image (N,): a bin for each of its distinct values."""
    flat = np.asarray(values, dtype=np.float64)
    distinct, places = np.unique(flat, return_inverse=True)
    return Histograms(np.eye(distinct.size)[places], distinct, _coarse(list(flat[:, None]), most_bins))


def histograms_of_pixels(values: Sequence[Floats], most_bins: int) -> Histograms:
    """Of many values per image, N of (V,): bins of equal shares of all, each at the mean of its values."""
    pooled = np.concatenate(values)
    edges = pooled_edges(pooled, _PIXEL_BINS)
    counts = np.stack([binned(each, edges) for each in values])
    places = np.searchsorted(edges, pooled, side="right")
    sums = np.bincount(places, weights=pooled, minlength=edges.size + 1)
    filled = counts.sum(axis=0) > 0
    return Histograms(counts[:, filled], sums[filled] / counts.sum(axis=0)[filled], _coarse(values, most_bins))


def _coarse(values: Sequence[Floats], most_bins: int) -> Floats:
    edges = pooled_edges(np.concatenate(values), most_bins)
    return np.stack([binned(each, edges) for each in values])


def by_chance(
    histograms: Histograms, units: Units, permutations: int, random: np.random.Generator
) -> tuple[float, ChanceDistances]:
    """The p value of the KS distance between both kinds, and every distance under the permutations of the units' labels.

    The observed assignment is one of them, so p is in [1 / (permutations + 1), 1], and exact where the distinct ones are at most
    `permutations`.
    """
    assigned = units.assignments(permutations, random)
    first, second = two_kinds(units.sums(histograms.counts), assigned)
    normal, anomalous = two_kinds(units.sums(histograms.coarse), assigned)
    one_bin = is_undefined(normal.shape[-1], histograms.positions)
    ks = ks_of_counts(first, second)
    chance = ChanceDistances(
        ks=_chance(ks),
        wasserstein=_chance(wasserstein_of_counts(first, second, histograms.positions)),
        kl_anomalous_from_normal=None if one_bin else _chance(kl_divergence(anomalous, normal)),
        kl_normal_from_anomalous=None if one_bin else _chance(kl_divergence(normal, anomalous)),
        overlap=None if one_bin else _chance(overlap_coefficient(normal, anomalous), falls=True),
    )
    return permutation_p(ks), chance


def _chance(distances: Floats, *, falls: bool = False) -> Chance:
    limit = np.quantile(distances, 1 - CHANCE_LEVEL if falls else CHANCE_LEVEL)
    return Chance(float(distances.mean()), float(limit))
