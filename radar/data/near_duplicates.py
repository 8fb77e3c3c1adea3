"""Which images show nearly the same: by the correlation of small grey thumbnails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from radar.data.decoding import FloatArray
from radar.data.layouts.layout import Layout
from radar.data.preprocessing import thumbnail
from radar.data.threads import in_threads
from radar.progress import Report

NEAR_DUPLICATE = 0.98  # correlation of thumbnails above which two images count as one scene
THUMBNAIL_SIDE = 32  # px
_BLOCK = 2048


class ThumbnailVectors:
    """Unit vectors of thumbnails, decoded once for the split rule and the leak check together."""

    def __init__(self, layout: Layout, progress: Report | None) -> None:
        self._layout, self._progress = layout, progress
        self._thumbnails: dict[str, FloatArray] = {}

    def __call__(self, paths: Sequence[str]) -> FloatArray:
        """Rows (N, D) in the order of `paths`."""
        new = [path for path in paths if path not in self._thumbnails]
        self._thumbnails.update(zip(new, in_threads(self._thumbnail, new, "comparing", self._progress), strict=True))
        return unit_vectors(self._thumbnails[path] for path in paths)

    def _thumbnail(self, path: str) -> FloatArray:
        return thumbnail(self._layout.pixels(path), THUMBNAIL_SIDE)


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
    for start, correlations in _above_diagonal(vectors):
        rows, columns = np.nonzero(correlations > NEAR_DUPLICATE)
        pairs += [
            (start + int(i), start + int(j), float(correlations[i, j])) for i, j in zip(rows, columns, strict=True)
        ]
    return pairs


def near_another(vectors: FloatArray) -> int:
    """How many rows have one that is so near, in memory for a block of correlations, however many pairs there are."""
    near = np.zeros(len(vectors), dtype=bool)
    for start, correlations in _above_diagonal(vectors):
        above = correlations > NEAR_DUPLICATE
        near[start : start + len(above)] |= above.any(axis=1)
        near[start:] |= above.any(axis=0)
    return int(near.sum())


def _above_diagonal(vectors: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Correlations of a block of rows with all from its first on, 0 but for those that come later; N × N need not fit into memory."""
    for start in range(0, len(vectors), _BLOCK):
        yield start, np.triu(vectors[start : start + _BLOCK] @ vectors[start:].T, k=1)
