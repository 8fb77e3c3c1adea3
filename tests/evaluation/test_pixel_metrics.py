"""Pixel metrics against worked examples, a brute-force AUPRO written apart from them, scikit-learn and their bounds."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from radar.errors import DataError
from radar.evaluation.pixel_metrics import PixelMetrics, pixel_metrics, pixel_metrics_of

Item = tuple[np.ndarray, np.ndarray, int]
LIMIT = 0.3


def measure(items: list[Item], limit: float = LIMIT) -> PixelMetrics:
    maps, masks, labels = zip(*items, strict=True)
    return pixel_metrics(maps, masks, labels, limit)


def random_items(seed: int, levels: int, images: int = 5) -> list[Item]:
    """Images of different sizes, a defect in every other one, scores on `levels` values, of which the defects are some higher."""
    random = np.random.default_rng(seed)
    items = []
    for position in range(images):
        size = tuple(random.integers(4, 12, 2))
        mask = (random.random(size) < 0.25) & (position % 2 == 0)
        scores = (random.integers(0, levels, size) + round(0.3 * levels) * mask) / levels
        items.append((scores.astype(np.float32), mask, int(mask.any())))
    return items


def regions_of(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """8-connected regions by flood fill."""
    waiting = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    regions = []
    while waiting:
        region, edge = set(), [waiting.pop()]
        while edge:
            row, column = edge.pop()
            region.add((row, column))
            near = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & waiting
            waiting -= near
            edge.extend(near)
        regions.append(region)
    return regions


def brute_force_aupro(items: list[Item], limit: float) -> float:
    """Threshold by threshold, region by region, trapezoid by trapezoid."""
    thresholds = sorted({float(score) for scores, _, _ in items for score in scores.ravel()}, reverse=True)
    normal = sum(int((~mask).sum()) for _, mask, _ in items)
    points = [(0.0, 0.0)]
    for threshold in thresholds:
        false_positives = sum(int(((scores >= threshold) & ~mask).sum()) for scores, mask, _ in items)
        overlaps = [
            np.mean([scores[pixel] >= threshold for pixel in region])
            for scores, mask, _ in items
            for region in regions_of(mask)
        ]
        points.append((false_positives / normal, float(np.mean(overlaps))))
    area = 0.0
    for (left, low), (right, high) in pairwise(points):
        end = min(right, limit)
        if end > left:
            height_at_end = low + (high - low) * (end - left) / (right - left)
            area += (end - left) * (low + height_at_end) / 2
    return area / limit


@pytest.mark.parametrize(
    ("limit", "aupro"),
    [
        pytest.param(0.05, 0.75, id="limit-inside-a-level-stretch"),
        pytest.param(0.1, 0.75, id="limit-at-a-jump"),
        pytest.param(0.2, (0.1 * 0.75 + 0.1) / 0.2, id="limit-beyond-the-last-region"),
        pytest.param(1.0, 0.1 * 0.75 + 0.9, id="whole-curve"),
    ],
)
def test_worked_example(limit: float, aupro: float) -> None:
    """Regions {9} and {8, 6}: overlap .5 from 9 up, .75 from 8 up; then one of ten normal pixels (7); 1 from 6 up."""
    scores = np.array([[9, 1, 7], [2, 3, 4], [5, 8, 6]], dtype=np.float32)
    mask = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 1]], dtype=bool)
    normal = np.full((2, 2), 0.5, dtype=np.float32)
    measured = measure([(scores, mask, 1), (normal, np.zeros((2, 2), dtype=bool), 0)], limit)
    assert measured.aupro == pytest.approx(aupro)
    assert measured.auroc == pytest.approx(29 / 30)  # of 3 * 10 pairs only (6, 7) is in the wrong order
    assert measured.average_precision == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert (measured.images, measured.regions, measured.empty_masks) == (2, 2, 0)
    assert (measured.defective_pixels, measured.normal_pixels) == (3, 10)


def test_limit_inside_a_tie_is_interpolated_by_hand() -> None:
    """One defect pixel ties with two of four normal ones: from (0, 0) straight to (.5, 1), so .6 at .3, area .09."""
    scores = np.array([[5, 5, 5, 1, 1]], dtype=np.float32)
    mask = np.array([[True, False, False, False, False]])
    assert measure([(scores, mask, 1)], limit=0.3).aupro == pytest.approx((0.3 * 0.6 / 2) / 0.3)


@pytest.mark.parametrize(
    ("limit", "aupro"),
    [
        pytest.param(0.3, (0.1 * 0.5 + 0.1 * (0.5 + 0.625) / 2) / 0.3, id="a-quarter-into-the-tie"),
        pytest.param(0.5, (0.1 * 0.5 + 0.3 * (0.5 + 0.875) / 2) / 0.5, id="three-quarters-into-it"),
        pytest.param(0.6, (0.1 * 0.5 + 0.4 * (0.5 + 1.0) / 2) / 0.6, id="at-its-end"),
    ],
)
def test_limit_inside_a_tie_behind_other_steps_is_interpolated_by_hand(limit: float, aupro: float) -> None:
    """Regions {8} and {5}, ten normal pixels: 9, 7, four that tie at 5, four of 1; from (.2, .5) straight to (.6, 1)."""
    scores = np.array([[8, 9, 7, 5, 5, 5], [1, 1, 1, 1, 5, 5]], dtype=np.float32)
    mask = np.zeros((2, 6), dtype=bool)
    mask[0, 0] = mask[1, 5] = True
    items = [(scores, mask, 1)]
    assert measure(items, limit).aupro == pytest.approx(aupro, abs=1e-12)
    assert brute_force_aupro(items, limit) == pytest.approx(aupro, abs=1e-12)


def test_a_curve_that_starts_beyond_the_limit_has_no_area_and_divides_by_nothing() -> None:
    mask = np.array([[True, False, False, False]])
    with np.errstate(all="raise"):
        assert measure([(np.where(mask, -1.0, 0.0), mask, 1)], limit=0.3).aupro == 0.0


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_constant_map_earns_half_the_limit(limit: float) -> None:
    """Everything ties: the curve is the diagonal, its area limit**2 / 2, divided by limit: what chance earns."""
    items = [(np.full_like(scores, 3.0), mask, label) for scores, mask, label in random_items(seed=0, levels=2)]
    measured = measure(items, limit)
    assert measured.aupro == pytest.approx(limit / 2)
    assert measured.auroc == pytest.approx(0.5)
    pixels = measured.defective_pixels + measured.normal_pixels
    assert measured.average_precision == pytest.approx(measured.defective_pixels / pixels)


@pytest.mark.parametrize("limit", [pytest.param(0.1, id="limit-.1"), pytest.param(0.3, id="limit-.3")])
@pytest.mark.parametrize(
    "levels", [pytest.param(2, id="two-values"), pytest.param(6, id="ties"), pytest.param(10**6, id="distinct")]
)
@pytest.mark.parametrize("seed", range(6))
def test_aupro_equals_brute_force(seed: int, levels: int, limit: float) -> None:
    items = random_items(seed, levels)
    measured = measure(items, limit)
    assert measured.aupro == pytest.approx(brute_force_aupro(items, limit), abs=1e-12)
    assert measured.regions == sum(len(regions_of(mask)) for _, mask, _ in items)


@pytest.mark.parametrize("levels", [pytest.param(4, id="ties"), pytest.param(10**6, id="distinct")])
@pytest.mark.parametrize("seed", range(6))
def test_pixel_ranking_equals_scikit_learn(seed: int, levels: int) -> None:
    items = random_items(seed, levels)
    truth = np.concatenate([mask.ravel() for _, mask, _ in items])
    scores = np.concatenate([scores.ravel() for scores, _, _ in items])
    measured = measure(items)
    assert measured.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert measured.average_precision == pytest.approx(average_precision_score(truth, scores), abs=1e-12)


@pytest.mark.parametrize(
    ("score_of_mask", "value"),
    [
        pytest.param(lambda mask: mask * 1.0, 1.0, id="perfect"),
        pytest.param(lambda mask: mask * -1.0, 0.0, id="inverted"),
    ],
)
def test_best_and_worst_maps_reach_the_bounds_exactly(
    score_of_mask: Callable[[np.ndarray], np.ndarray], value: float
) -> None:
    mask = np.zeros((10, 10), dtype=bool)
    mask[1:3, 1:4] = mask[7, 7] = True
    measured = measure([(score_of_mask(mask), mask, 1)])
    assert (measured.aupro, measured.auroc) == (value, value)
    assert measured.average_precision == (1.0 if value else pytest.approx(7 / 100))


@pytest.mark.parametrize("seed", range(20))
def test_measures_stay_within_their_bounds(seed: int) -> None:
    random = np.random.default_rng(seed)
    scale = random.choice([-1e30, 1e-30, 1e30])
    items = [(scores * scale, mask, label) for scores, mask, label in random_items(seed, levels=4)]
    measured = measure(items, limit=float(random.uniform(1e-6, 1)))
    for value in (measured.aupro, measured.auroc, measured.average_precision):
        assert value is not None and 0.0 <= value <= 1.0


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(np.exp, id="exponential"),
        pytest.param(lambda scores: 100 * scores - 7, id="affine"),
        pytest.param(lambda scores: scores**3, id="cube"),
    ],
)
def test_monotone_transforms_change_nothing(transform: Callable[[np.ndarray], np.ndarray]) -> None:
    items = random_items(seed=4, levels=50)
    assert measure([(transform(scores), mask, label) for scores, mask, label in items]) == measure(items)


@pytest.mark.parametrize("seed", range(3))
def test_order_of_images_changes_nothing(seed: int) -> None:
    items = random_items(seed, levels=9)
    shuffled = [items[position] for position in np.random.default_rng(seed).permutation(len(items))]
    assert asdict(measure(shuffled)) == pytest.approx(asdict(measure(items)), abs=1e-12)


def test_diagonal_neighbours_are_one_region() -> None:
    mask = np.eye(3, dtype=bool)
    assert measure([(mask.astype(np.float32), mask, 1)]).regions == 1
    apart = np.array([[True, False, True]])
    assert measure([(apart.astype(np.float32), apart, 1)]).regions == 2


def test_small_regions_weigh_as_much_as_large_ones() -> None:
    """A 1-pixel region is missed, an 8-pixel one found: overlap one half, though 8 of 9 defective pixels are found."""
    mask = np.zeros((10, 10), dtype=bool)
    mask[0, 0] = mask[5:7, 2:6] = True
    scores = mask.astype(np.float32)
    scores[0, 0] = -1.0
    measured = measure([(scores, mask, 1)])
    assert measured.aupro == pytest.approx(0.5)
    assert measured.auroc == pytest.approx(8 / 9)


def test_regions_of_unlike_sizes_and_images_weigh_the_same() -> None:
    """Of regions of 1, 2, 4 and 8 pixels one half of each but the first is found: overlap 2.5 of 4, of 15 pixels 8."""
    found = {1: [1], 2: [1, 0], 4: [1, 1, 0, 0], 8: [1] * 4 + [0] * 4}
    items = []
    for sizes in ((1, 8), (4,), (2,)):
        mask, scores = np.zeros((3, 10), dtype=bool), np.full((3, 10), 0.5, dtype=np.float32)
        for row, size in zip((0, 2), sizes, strict=False):
            mask[row, :size], scores[row, :size] = True, found[size]
        items.append((scores, mask, 1))
    measured = measure(items)
    assert (measured.regions, measured.defective_pixels) == (4, 15)
    assert measured.aupro == pytest.approx(2.5 / 4, abs=1e-12)
    assert measured.auroc == pytest.approx(8 / 15)


@pytest.mark.parametrize(
    "without",
    [
        pytest.param([np.zeros((4, 4), dtype=bool)], id="empty"),
        pytest.param([None], id="missing"),
        pytest.param([np.zeros((4, 4), dtype=bool)] * 2, id="two-empty"),
        pytest.param([None, np.zeros((4, 4), dtype=bool), None], id="three-of-both-kinds"),
    ],
)
def test_defective_images_without_marked_pixels_are_left_out_and_counted(without: list[np.ndarray | None]) -> None:
    items, many = random_items(seed=1, levels=30), len(without)
    loud = np.full((4, 4), 1e6, dtype=np.float32)
    maps, masks, labels = zip(*items, strict=True)
    measured = pixel_metrics([loud] * many + [*maps], [*without, *masks], [1] * many + [*labels], LIMIT)
    assert asdict(measured) == {**asdict(measure(items)), "empty_masks": many}


def test_normal_image_without_a_mask_counts_as_all_normal() -> None:
    (scores, mask, _), quiet = random_items(seed=2, levels=30)[0], np.zeros((3, 3), dtype=np.float32)
    with_mask = pixel_metrics([scores, quiet], [mask, np.zeros((3, 3), dtype=bool)], [1, 0], LIMIT)
    assert pixel_metrics([scores, quiet], [mask, None], [1, 0], LIMIT) == with_mask


def test_scores_that_are_equal_as_float32_tie() -> None:
    mask = np.array([[True, False]])
    assert measure([(np.array([[1.0 + 1e-12, 1.0]]), mask, 1)]).auroc == 0.5


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_the_limit_is_told_beside_what_was_measured_up_to_it(limit: float) -> None:
    assert measure(random_items(seed=0, levels=4), limit).false_positive_rate_limit == limit


@pytest.mark.parametrize(
    ("mask", "label"),
    [
        pytest.param(np.zeros((2, 3), dtype=bool), 0, id="no-defective-pixel"),
        pytest.param(np.zeros((2, 3), dtype=bool), 1, id="only-an-empty-mask"),
        pytest.param(np.ones((2, 3), dtype=bool), 1, id="no-normal-pixel"),
    ],
)
def test_undefined_measures_are_none(mask: np.ndarray, label: int) -> None:
    measured = measure([(np.arange(6.0).reshape(2, 3), mask, label)])
    assert (measured.auroc, measured.average_precision, measured.aupro) == (None, None, None)
    assert json.loads(json.dumps(asdict(measured), allow_nan=False))["aupro"] is None


def test_no_image_at_all_is_undefined() -> None:
    assert pixel_metrics([], [], [], LIMIT).aupro is None


def test_lazy_maps_may_reuse_one_buffer_and_stay_unchanged() -> None:
    random = np.random.default_rng(5)
    masks = [(random.random((6, 8)) < 0.3) & (position % 2 == 0) for position in range(8)]
    items = [(random.random((6, 8), dtype=np.float32) + mask / 2, mask, int(mask.any())) for mask in masks]
    buffer = np.empty((6, 8), dtype=np.float32)

    def draw() -> Iterator[Item]:
        for scores, mask, label in items:
            buffer[...] = scores
            yield buffer, mask, label
            np.testing.assert_array_equal(buffer, scores.astype(np.float32))

    assert pixel_metrics_of(draw(), LIMIT) == measure(items)


GOOD_MAP, GOOD_MASK = np.zeros((2, 3)), np.array([[True, False, False]] * 2)


@pytest.mark.parametrize(
    ("scores", "mask", "label", "message"),
    [
        pytest.param(np.zeros((3, 2)), GOOD_MASK, 1, r"image 1: map \(3, 2\) and mask \(2, 3\) differ", id="size"),
        pytest.param(np.zeros((1, 2, 3)), GOOD_MASK, 1, r"image 1: .*must be \(H, W\)", id="channel"),
        pytest.param(GOOD_MAP * np.nan, GOOD_MASK, 1, "image 1: .*NaN", id="nan"),
        pytest.param(GOOD_MAP, GOOD_MASK.astype(np.uint8) * 255, 1, "image 1: mask is uint8", id="grey-mask"),
        pytest.param(GOOD_MAP, GOOD_MASK, 0, "image 1: labelled normal, but", id="marked-normal"),
        pytest.param(GOOD_MAP, GOOD_MASK, 2, "image 1: label is 2", id="label-2"),
    ],
)
def test_a_wrong_item_is_refused_by_its_position(
    scores: np.ndarray, mask: np.ndarray, label: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        measure([(GOOD_MAP, GOOD_MASK, 1), (scores, mask, label)])


@pytest.mark.parametrize("limit", [0.0, -0.1, 1.01, float("nan")])
def test_a_wrong_limit_is_refused(limit: float) -> None:
    with pytest.raises(DataError, match="limit"):
        measure([(GOOD_MAP, GOOD_MASK, 1)], limit)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="1 maps, 1 masks and 2 labels"):
        pixel_metrics([GOOD_MAP], [GOOD_MASK], [1, 0], LIMIT)


def test_normal_pixels_are_held_at_most_twice_at_four_bytes_each() -> None:
    mask = np.zeros((100, 100), dtype=bool)
    mask[0, 0] = True
    pixels = np.random.default_rng(0).random((100, 100), dtype=np.float32)
    tracemalloc.start()
    measured = pixel_metrics_of(((pixels, mask, 1) for _ in range(60)), LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 9 * measured.normal_pixels


@pytest.mark.slow
def test_five_million_pixels_take_seconds() -> None:
    random = np.random.default_rng(0)
    mask = np.zeros((256, 256), dtype=bool)
    mask[50:90, 60:120] = True
    items = [(random.standard_normal(mask.shape, dtype=np.float32) + mask, mask, 1) for _ in range(80)]
    start = time.perf_counter()
    measure(items)
    assert time.perf_counter() - start < 5.0
