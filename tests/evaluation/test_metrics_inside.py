"""Metrics of regions of interest: equal to those of the pixels inside alone, computed apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from radar.errors import DataError
from radar.evaluation.border_share import area_share, area_share_inside, border_share
from radar.evaluation.data_measures import defect_measures
from radar.evaluation.pixel_metrics import pixel_metrics_of
from radar.runtime.map_levels import region_pixels
from radar.scoring.map_levels import map_tops

LIMIT = 0.3


def drawn(seed: int):
    """Scores, mask, label and region of six images, half of them defective; of the first all that is marked lies outside."""
    stream = np.random.default_rng(seed)
    for place in range(6):
        mask = ndimage.binary_dilation(stream.random((25, 31)) > 0.98, iterations=2) & (place % 2 == 0)
        inside = ndimage.binary_dilation(stream.random((25, 31)) > 0.95, iterations=3)
        if place == 0:
            inside &= ~mask
        yield (stream.random((25, 31)) + 0.3 * mask).astype(np.float32), mask, place % 2 == 0, inside


@pytest.mark.parametrize("seed", range(5))
def test_pixel_metrics_are_those_of_the_pixels_inside(seed):
    items = list(drawn(seed))
    found = pixel_metrics_of(items, LIMIT)
    scores = np.concatenate([each[inside] for each, _, _, inside in items])
    truth = np.concatenate([mask[inside] for _, mask, _, inside in items])
    assert found.auroc == pytest.approx(roc_auc_score(truth, scores))
    assert found.average_precision == pytest.approx(average_precision_score(truth, scores))
    assert (found.defective_pixels, found.normal_pixels) == (truth.sum(), (~truth).sum())
    assert found.regions == sum(ndimage.label(mask & inside, np.ones((3, 3)))[1] for _, mask, _, inside in items)
    assert (found.images, found.empty_masks) == (6, 0)
    changed = [(np.where(inside, each, 99).astype(np.float32), *rest, inside) for each, *rest, inside in items]
    assert pixel_metrics_of(changed, LIMIT) == found


def test_the_whole_image_as_a_region_changes_nothing():
    items = [(scores, mask, label) for scores, mask, label, _ in drawn(0)]
    regions = [(*item, np.ones((25, 31), dtype=bool)) for item in items]
    assert pixel_metrics_of(regions, LIMIT) == pixel_metrics_of(items, LIMIT)
    assert pixel_metrics_of([(*item, None) for item in items], LIMIT) == pixel_metrics_of(items, LIMIT)
    with pytest.raises(DataError, match="image 0: map"):
        pixel_metrics_of([(*items[0], np.ones((25, 30), dtype=bool))], LIMIT)


def test_the_border_of_a_region_is_a_border():
    inside = np.zeros((40, 50), dtype=bool)
    inside[10:30, 0:20] = True
    away = np.minimum.reduce(
        [*np.broadcast_arrays(*(np.ogrid[:20, :20])), *np.broadcast_arrays(*np.ogrid[19:-1:-1, 19:-1:-1])]
    )
    assert area_share_inside(inside, 3) == (away < 3).mean()
    assert area_share_inside(np.ones((40, 50), dtype=bool), 3) == area_share(40, 50, 3)
    values = np.random.default_rng(0).random((40, 50), dtype=np.float32)
    values[20, 8:12] = 9  # the four highest inside lie in the middle
    values[~inside] = 99
    assert border_share([values], 3, [inside]) == 0.0
    values[11, 4:8] = 10  # now four of them near the border
    assert border_share([values], 3, [inside]) == 1.0
    assert border_share([values], 3, [np.ones((40, 50), dtype=bool)]) == border_share([values], 3)


def test_levels_of_maps_count_pixels_inside():
    maps, inside = torch.rand(2, 60, 50, dtype=torch.float64), torch.zeros(2, 60, 50, dtype=torch.bool)
    inside[0, :30], inside[1, :, 40:] = True, True
    maps = maps * inside
    tops = map_tops([*maps], [*inside])
    for each, values, region in zip(tops, maps, inside, strict=True):
        ordered = np.sort(values[region].numpy())[::-1]
        np.testing.assert_array_equal(each, ordered[[region_pixels(int(region.sum())) - 1, 0]])


def test_a_defect_is_measured_beside_what_lies_inside():
    stream = np.random.default_rng(0)
    image, mask, inside = stream.random((30, 30)), stream.random((30, 30)) > 0.8, stream.random((30, 30)) > 0.5
    found = defect_measures(image, mask, inside)
    good = image[inside & ~mask]
    assert found.area == mask[inside].mean()
    assert found.contrast == pytest.approx(abs(image[inside & mask].mean() - good.mean()) / good.std())
    assert defect_measures(image, mask, ~mask) is None
