"""Is one method better than another on the same images? The tests that these images allow.

Where every image is its own group, DeLong's test of the AUROCs and McNemar's of the decisions. Both take images as independent and
reject far too often where several show one part, so there the two methods' scores of whole groups are swapped instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from radar.evaluation.statistics_paired import delong, mcnemar_exact

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
FEW_GROUPS = 10  # of a kind of image: with fewer, a bootstrap over groups covers less than it says


@dataclass(frozen=True, slots=True)
class Tested:
    """A two-sided p value, and the smallest that the images could have given; both NaN where they can tell nothing."""

    p_value: float
    smallest: float


@dataclass(frozen=True, slots=True)
class MethodComparison:
    """Second method against first on the same images; `grouped`: by swaps of whole groups."""

    grouped: bool
    difference: float  # of the mean AUROCs over seeds
    auroc: Tested
    only_first_right: int
    only_second_right: int
    decisions: Tested


def are_grouped(groups: Sequence[str]) -> bool:
    """Whether a group holds more than one image."""
    return len(set(groups)) < len(groups)


def groups_of_kinds(labels: ArrayLike, groups: Sequence[str]) -> tuple[int, int]:
    """How many groups have normal images, and how many anomalous ones; `labels` (N,) 0 / 1, `groups` (N,)."""
    names, truth = np.asarray(groups), np.asarray(labels).astype(np.bool_)
    return np.unique(names[~truth]).size, np.unique(names[truth]).size


def compare_methods(
    labels: ArrayLike,
    groups: Sequence[str],
    scores: tuple[Floats, Floats],
    right: tuple[Bools, Bools],
    *,
    permutations: int,
    seed: int,
) -> MethodComparison:
    """Compare two methods by their `scores` (S, N) over S seeds and by whether they decide `right` (N,).

    `labels` (N,) 0 / 1 with one of each at least, `groups` (N,).
    """
    first, second = right
    counts = mcnemar_exact(first, second)
    contributions = auroc_contributions(labels, *scores)
    if are_grouped(groups):
        random = np.random.default_rng(seed)
        auroc = swapped(contributions, groups, permutations, random)
        decisions = swapped(second.astype(np.float64) - first, groups, permutations, random)
    else:
        auroc = Tested(delong(labels, *scores, 0.95).p_value, 0.0)
        decisions = Tested(counts.p_value, 0.0)
    return MethodComparison(
        are_grouped(groups),
        float(contributions.sum()),
        auroc,
        counts.only_first_right,
        counts.only_second_right,
        decisions,
    )


def auroc_contributions(labels: ArrayLike, first: Floats, second: Floats) -> Floats:
    """What each image (N,) adds to AUROC(second) − AUROC(first), the mean over the seeds of scores (S, N): the sum is the difference.

    Scores count by their ranks within the method and seed. To swap the two methods' ranks of some images turns the signs of just
    their terms: the rank of an anomalous image is placed among those of the normal images under both methods, and the other way
    round, so a term does not depend on which images are swapped.
    """
    truth = np.asarray(labels).astype(np.bool_)
    terms = [_terms(truth, rankdata(one), rankdata(other)) for one, other in zip(first, second, strict=True)]
    return np.asarray(np.mean(terms, axis=0))


def _terms(truth: Bools, first: Floats, second: Floats) -> Floats:
    pairs = 2 * truth.sum() * (~truth).sum()
    found = np.empty(truth.size)
    for kind, sign in ((True, 1), (False, -1)):
        others = np.concatenate([first[truth != kind], second[truth != kind]])
        found[truth == kind] = sign * (_above(second[truth == kind], others) - _above(first[truth == kind], others))
    return np.asarray(found / pairs)


def _above(values: Floats, others: Floats) -> Floats:
    """How many of `others` (M,) each of `values` (N,) exceeds; equal ones count half."""
    ordered = np.sort(others)
    places = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(places / 2)


def swapped(contributions: Floats, groups: Sequence[str], permutations: int, random: np.random.Generator) -> Tested:
    """Test that `contributions` (N,) to a difference sum to no more than they do where whole `groups` (N,) change the sign.

    All sign patterns of the groups that contribute are gone through where they are at most `permutations`, else that many are drawn;
    the observed one is among them. It and its opposite always count, so k groups allow no p below 2 / 2ᵏ: one group tells nothing,
    and where none contributes p is 1.
    """
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=contributions)
    sums = sums[np.abs(sums) > 1e-12]
    if sums.size == 0:
        return Tested(1.0, 0.0)
    if sums.size == 1:
        return Tested(float("nan"), float("nan"))
    if 2 ** (sums.size - 1) <= permutations:
        signs = np.array([(1, *rest) for rest in product((1, -1), repeat=sums.size - 1)])
    else:
        drawn = random.choice((1, -1), size=(permutations, sums.size))
        signs = np.concatenate([np.ones((1, sums.size), dtype=np.int64), drawn])
    reached = np.abs(signs @ sums) >= abs(sums.sum()) - 1e-12
    return Tested(float(reached.mean()), 1.0 / len(signs))
