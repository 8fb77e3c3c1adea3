"""Do images that belong together lie on both sides of a split?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radar.data.sample import Sample

FloatArray = NDArray[np.float32]

THUMBNAIL_SIDE = 32  # px
NEAR_DUPLICATE = 0.98  # correlation of thumbnails above which two images count as one scene
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images and the correlation of their thumbnails (1 for identical files)."""

    first: Sample
    second: Sample
    correlation: float

    def __str__(self) -> str:
        return (
            f"{self.first.path} ({self.first.split}) ~ {self.second.path} ({self.second.split}), "
            f"correlation {self.correlation:.3f}"
        )


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What crosses from train or validation into test, and, weaker, from train into validation."""

    groups: tuple[str, ...]  # groups with images in more than one split
    identical: tuple[Pair, ...]  # equal content hash across train|validation and test
    near_duplicates: tuple[Pair, ...]  # across train|validation and test
    validation: tuple[Pair, ...]  # near-duplicates across train and validation

    @property
    def clean(self) -> bool:
        """Whether nothing crosses at all."""
        return not (self.groups or self.identical or self.near_duplicates or self.validation)


def find_leaks(samples: Sequence[Sample], vectors: FloatArray | None) -> LeakReport:
    """Check `samples`; `vectors` (N, D) are their `unit_vectors`, None to leave near-duplicates unlooked at."""
    near = () if vectors is None else _near_duplicates(samples, vectors)
    return LeakReport(
        groups=_crossing_groups(samples),
        identical=_identical(samples),
        near_duplicates=tuple(pair for pair in near if _reaches_test(pair)),
        validation=tuple(pair for pair in near if not _reaches_test(pair)),
    )


def unit_vectors(thumbnails: Iterable[FloatArray]) -> FloatArray:
    """Thumbnails (N, side, side) to rows (N, side²) of mean 0 and length 1: their products are correlations.

    A flat thumbnail has no pattern to compare and becomes zero, so it is nobody's near-duplicate.
    """
    rows = np.stack([thumbnail.ravel() for thumbnail in thumbnails]).astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-6), dtype=np.float32)


def near_pairs(vectors: FloatArray) -> list[tuple[int, int, float]]:
    """Index pairs (i < j) whose correlation is above NEAR_DUPLICATE, with it, in order."""
    pairs = []
    for start in range(0, len(vectors), _BLOCK):  # in blocks of rows: N × N correlations need not fit into memory
        correlations = vectors[start : start + _BLOCK] @ vectors[start:].T
        rows, columns = np.nonzero(np.triu(correlations, k=1) > NEAR_DUPLICATE)
        pairs += [
            (start + int(i), start + int(j), float(correlations[i, j])) for i, j in zip(rows, columns, strict=True)
        ]
    return pairs


def _near_duplicates(samples: Sequence[Sample], vectors: FloatArray) -> tuple[Pair, ...]:
    pairs = (Pair(samples[i], samples[j], correlation) for i, j, correlation in near_pairs(vectors))
    return tuple(pair for pair in pairs if pair.first.split != pair.second.split)


def _reaches_test(pair: Pair) -> bool:
    return (pair.first.split == "test") != (pair.second.split == "test")


def _crossing_groups(samples: Sequence[Sample]) -> tuple[str, ...]:
    splits: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        splits[sample.group].add(sample.split)
    return tuple(sorted(group for group, found in splits.items() if len(found) > 1))


def _identical(samples: Sequence[Sample]) -> tuple[Pair, ...]:
    by_hash: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_hash[sample.content_hash].append(sample)
    pairs = (
        Pair(first, second, 1.0)
        for alike in by_hash.values()
        if len(alike) > 1
        for position, first in enumerate(alike)
        for second in alike[position + 1 :]
    )
    return tuple(pair for pair in pairs if _reaches_test(pair))
