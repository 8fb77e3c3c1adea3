"""How well defects are found pixel by pixel: pixel AUROC, pixel average precision and AUPRO, all exact.

Only the scores of defective pixels need their order kept: between two of them every curve is flat, so it is enough to
count the normal pixels above and at each distinct defective score. Normal pixels are therefore sorted in place, with no
index and no second copy: 4 bytes a pixel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radar.errors import DataError
from radar.evaluation.typed_sections import Share

EIGHT_CONNECTED = np.ones((3, 3), dtype=np.int_)

PixelItem = (
    tuple[NDArray[np.floating], NDArray[np.bool_] | None, int]
    | tuple[NDArray[np.floating], NDArray[np.bool_] | None, int, NDArray[np.bool_] | None]
)


@dataclass(frozen=True, slots=True)
class PixelMetrics:
    """Pixel-level measures, each in [0, 1]; `None` where no pixel is defective (or none is normal).

    `aupro` is the area under the per-region overlap against the false positive rate up to
    `false_positive_rate_limit`, divided by that limit. `images` were measured; `empty_masks` defective ones, whose mask
    is empty or missing, were left out as a whole.
    """

    auroc: Share | None
    average_precision: Share | None
    aupro: Share | None
    false_positive_rate_limit: Share
    images: int
    empty_masks: int
    regions: int
    defective_pixels: int
    normal_pixels: int


@dataclass(slots=True)
class _Pool:
    """The pixels of all measured images: chunks of one image each."""

    normal: list[NDArray[np.float32]] = field(default_factory=list)
    defective: list[NDArray[np.float32]] = field(default_factory=list)
    weights: list[NDArray[np.float64]] = field(default_factory=list)  # 1 / area of the pixel's region
    images: int = 0
    empty_masks: int = 0
    regions: int = 0


@dataclass(frozen=True, slots=True)
class _Counts:
    """What lies at each of K distinct defective scores, from high to low."""

    defective: NDArray[np.int64]  # (K,) defective pixels with exactly this score
    overlap: NDArray[np.float64]  # (K,) sum of their weights: what they add to the overlap of all regions
    normal_above: NDArray[np.int64]  # (K,) normal pixels with a higher score
    normal_from: NDArray[np.int64]  # (K,) normal pixels with this score or a higher one
    normal_total: int


def pixel_metrics(
    maps: Sequence[NDArray[np.floating]], masks: Sequence[NDArray[np.bool_] | None], labels: Sequence[int], limit: float
) -> PixelMetrics:
    """Measure N anomaly maps that are all in memory; arguments are the columns of `pixel_metrics_of`."""
    if not len(maps) == len(masks) == len(labels):
        raise DataError(f"{len(maps)} maps, {len(masks)} masks and {len(labels)} labels: give one of each per image")
    return pixel_metrics_of(zip(maps, masks, labels, strict=True), limit)


def pixel_metrics_of(items: Iterable[PixelItem], limit: float) -> PixelMetrics:
    """Measure anomaly maps that are drawn one at a time, so that a caller may upsample each as it is asked for.

    Each item is (map (H, W) float, higher is more anomalous; mask (H, W) bool, True on a defect, or `None`; label 0 or
    1) and, where there is one, a region of interest (H, W) bool, outside which no pixel counts. H and W may differ between images.
    Scores are compared as float32. `limit` in (0, 1] is the false positive rate up to which AUPRO integrates. Raises `DataError`
    naming the image's position where an item or `limit` is wrong.
    """
    if not 0.0 < limit <= 1.0:
        raise DataError(f"false positive rate limit is {limit}; it must lie in (0, 1]")
    pool = _Pool()
    for position, (scores, mask, label, *region) in enumerate(items):
        _add(pool, position, np.asarray(scores), mask, int(label), inside=region[0] if region else None)
    defective_pixels = sum(chunk.size for chunk in pool.defective)
    normal_pixels = sum(chunk.size for chunk in pool.normal)
    counts = _count(pool) if defective_pixels and normal_pixels else None
    return PixelMetrics(
        auroc=_auroc(counts) if counts else None,
        average_precision=_average_precision(counts) if counts else None,
        aupro=_aupro(counts, limit) if counts else None,
        false_positive_rate_limit=limit,
        images=pool.images,
        empty_masks=pool.empty_masks,
        regions=pool.regions,
        defective_pixels=defective_pixels,
        normal_pixels=normal_pixels,
    )


def _add(
    pool: _Pool,
    position: int,
    scores: NDArray[np.floating],
    mask: NDArray[np.bool_] | None,
    label: int,
    *,
    inside: NDArray[np.bool_] | None,
) -> None:
    """Add one image to the pool, or count it where it is defective and nothing says where. Of a defect that lies wholly outside the
    region of interest, what lies inside is as normal as elsewhere.
    """
    marked = mask is not None and bool(np.any(mask))
    _check(position, scores, mask, label, marked)
    if label == 1 and not marked:
        pool.empty_masks += 1
        return
    pool.images += 1
    values = scores.astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"image {position}: its anomaly map holds NaN or infinity; mend the model that gave it")
    if inside is not None:
        if inside.shape != values.shape:
            raise DataError(f"image {position}: map {values.shape} and region of interest {inside.shape} differ")
        _add_inside(pool, values, np.zeros_like(inside) if mask is None else mask, inside)
    elif mask is None or not marked:
        pool.normal.append(values.ravel())
    else:
        _add_marked(pool, values, mask, ~mask)


def _add_inside(pool: _Pool, values: NDArray[np.float32], mask: NDArray[np.bool_], inside: NDArray[np.bool_]) -> None:
    """Add the pixels of one image that lie inside its region."""
    marked = mask & inside
    if marked.any():
        _add_marked(pool, values, marked, inside & ~mask)
    else:
        pool.normal.append(values[inside])


def _add_marked(pool: _Pool, values: NDArray[np.float32], mask: NDArray[np.bool_], normal: NDArray[np.bool_]) -> None:
    """Add the defective and the normal pixels of one image."""
    regions, count = ndimage.label(mask, structure=EIGHT_CONNECTED)
    region_of_pixel = regions[mask]
    pool.normal.append(values[normal])
    pool.defective.append(values[mask])
    pool.weights.append((1.0 / np.maximum(np.bincount(region_of_pixel), 1))[region_of_pixel])
    pool.regions += int(count)


def _check(
    position: int, scores: NDArray[np.floating], mask: NDArray[np.bool_] | None, label: int, marked: bool
) -> None:
    """Raise `DataError` where one image's map, mask and label do not fit together."""
    if label not in (0, 1):
        raise DataError(f"image {position}: label is {label}; it must be 0 (normal) or 1 (anomalous)")
    if scores.ndim != 2:
        raise DataError(f"image {position}: anomaly map has shape {scores.shape}; it must be (H, W)")
    if mask is not None and mask.dtype != np.bool_:
        raise DataError(f"image {position}: mask is {mask.dtype}; it must be bool, True on a defect")
    if mask is not None and mask.shape != scores.shape:
        raise DataError(
            f"image {position}: map {scores.shape} and mask {mask.shape} differ; bring the map to the mask's size"
        )
    if label == 0 and marked:
        raise DataError(f"image {position}: labelled normal, but its mask marks a defect; mend the label or the mask")


def _count(pool: _Pool) -> _Counts:
    """Order the defective scores and count the normal ones about each; empties the pool's chunks as it goes."""
    normal = _drain(pool.normal)
    normal.sort()
    scores, weights = np.concatenate(pool.defective), np.concatenate(pool.weights)
    order = np.argsort(scores)[::-1]
    scores, weights = scores[order], weights[order]
    starts = np.flatnonzero(np.concatenate(([True], scores[1:] != scores[:-1])))
    distinct = scores[starts]
    return _Counts(
        defective=np.diff(starts, append=scores.size),
        overlap=np.add.reduceat(weights, starts),
        normal_above=normal.size - np.searchsorted(normal, distinct, side="right"),
        normal_from=normal.size - np.searchsorted(normal, distinct, side="left"),
        normal_total=normal.size,
    )


def _drain(chunks: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """All chunks in one array, each freed once copied: about one copy in memory at a time. The order is not kept."""
    pooled = np.empty(sum(chunk.size for chunk in chunks), dtype=np.float32)
    filled = 0
    while chunks:
        chunk = chunks.pop()
        pooled[filled : filled + chunk.size] = chunk
        filled += chunk.size
    return pooled


def _auroc(counts: _Counts) -> float:
    """Share of (defective, normal) pairs in the right order, a tie counting one half."""
    normal_outranked = counts.normal_total - (counts.normal_above + counts.normal_from) / 2
    return float(np.dot(counts.defective, normal_outranked) / (counts.defective.sum() * counts.normal_total))


def _average_precision(counts: _Counts) -> float:
    """Sum over thresholds of the gain in recall times the precision there, as scikit-learn defines it."""
    found = np.cumsum(counts.defective)
    precision = found / (found + counts.normal_from)
    return min(1.0, float(np.dot(counts.defective, precision) / found[-1]))


def _aupro(counts: _Counts, limit: float) -> float:
    """Area under the per-region overlap up to the false positive rate `limit`, divided by `limit`."""
    rate, overlap = _overlap_curve(counts)
    inside = int(np.searchsorted(rate, limit, side="right"))
    overlap_at_limit = float(overlap[inside - 1])
    if inside < overlap.size:
        step = (limit - rate[inside - 1]) / (rate[inside] - rate[inside - 1])
        overlap_at_limit += float(step * (overlap[inside] - overlap[inside - 1]))
    area = np.trapezoid(np.append(overlap[:inside], overlap_at_limit), np.append(rate[:inside], limit))
    return min(1.0, float(area / limit))


def _overlap_curve(counts: _Counts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The corners (2K + 2,) of the exact curve: false positive rate, and per-region overlap averaged over all regions.

    At each distinct defective score the curve first runs level, through the normal pixels above it, and then straight
    to where all that tie with it are called: the same curve as one threshold per distinct score gives.
    """
    total = np.cumsum(counts.overlap)
    after = total / total[-1]  # total[-1] is the number of regions, up to rounding
    before = np.concatenate(([0.0], after[:-1]))
    normal_pixels = np.stack((counts.normal_above, counts.normal_from), axis=1).ravel()
    false_positive_rate = np.concatenate(([0.0], normal_pixels / counts.normal_total, [1.0]))
    return false_positive_rate, np.concatenate(([0.0], np.stack((before, after), axis=1).ravel(), [1.0]))
