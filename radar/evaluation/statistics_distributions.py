"""How far two samples of numbers lie apart: Kolmogorov–Smirnov, Wasserstein, Kullback–Leibler, overlap, AUROC."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ks_2samp, rankdata, wasserstein_distance

from radar.evaluation.metrics import Distances

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KL_ESTIMATOR = "histogram of equal-probability bins of the pooled sample, half a count added to each bin; in nats"


def separation(normal: ArrayLike, anomalous: ArrayLike, most_bins: int) -> Distances:
    """Of two non-empty samples, chance aside; in `most_bins` bins, and no more than the root of the number of values.

    KL and overlap are None where the values differ and all lie in one bin, as of fewer than four.
    """
    first, second = np.asarray(normal, dtype=np.float64).ravel(), np.asarray(anomalous, dtype=np.float64).ravel()
    edges = pooled_edges(np.concatenate([first, second]), most_bins)
    counts = np.stack([binned(first, edges), binned(second, edges)])
    found = Distances(
        ks=float(ks_2samp(first, second, method="asymp").statistic),
        wasserstein=float(wasserstein_distance(first, second)),
        auroc=exceedance(first, second),
        bins=counts.shape[1],
    )
    if is_undefined(counts.shape[1], first, second):
        return found
    return replace(
        found,
        kl_anomalous_from_normal=float(kl_divergence(counts[1], counts[0])),
        kl_normal_from_anomalous=float(kl_divergence(counts[0], counts[1])),
        overlap=float(overlap_coefficient(counts[0], counts[1])),
    )


def pooled_edges(values: Floats, most_bins: int) -> Floats:
    """Inner edges of bins that hold about equal shares of `values` (N,); fewer where values repeat, and none of them empty.

    An edge is a value, which is of the upper bin. One at the smallest value would part nothing: it moves to the next, if there is one.
    """
    bins = max(1, min(most_bins, isqrt(values.size)))
    edges: Floats = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="higher"))
    low = values.min()
    if edges.size == 0 or edges[0] > low:
        return edges
    least = np.min(values, where=values > low, initial=np.inf)  # no copy of what may be all pixels
    return np.unique(np.maximum(edges, least)) if np.isfinite(least) else edges[:0]


def is_undefined(bins: int, *samples: Floats) -> bool:
    """Whether so many bins tell nothing of samples apart though their values differ."""
    return bins < 2 and np.unique(np.concatenate(samples)).size > 1


def binned(values: Floats, edges: Floats) -> Floats:
    """Counts of `values` in the `len(edges) + 1` bins between `edges`, the outer ones open."""
    places = np.searchsorted(edges, values, side="right")
    return np.bincount(places, minlength=edges.size + 1).astype(np.float64)


def kl_divergence(counts: ArrayLike, reference: ArrayLike) -> Floats:
    """KL(counts ‖ reference) (…) in nats of histograms (…, B) over the same bins, half a count added to each bin of both."""
    first, second = (_shares(np.asarray(each, dtype=np.float64) + 0.5) for each in (counts, reference))
    return np.asarray(np.sum(first * np.log(first / second), axis=-1))


def overlap_coefficient(first: ArrayLike, second: ArrayLike) -> Floats:
    """Σ min(p, q) (…) of histograms (…, B) over the same bins, each of any total: 0 apart, 1 the same."""
    one, other = (_shares(np.asarray(each, dtype=np.float64)) for each in (first, second))
    return np.asarray(np.minimum(one, other).sum(axis=-1))


def _shares(counts: Floats) -> Floats:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def exceedance(normal: Floats, anomalous: Floats) -> float:
    """P(anomalous > normal) + P(equal) / 2: the AUROC, as an effect size."""
    ranks = rankdata(np.concatenate([normal, anomalous]))
    count = anomalous.size
    return float((ranks[normal.size :].sum() - count * (count + 1) / 2) / (count * normal.size))
