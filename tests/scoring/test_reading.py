"""From a response to maps and points: the chain of its parts, image by image; what reading a map of one's own gives."""

from __future__ import annotations

import pytest
import torch
from scoring_builders import scoring_config

from radar.config.schema import BorderConfig
from radar.scoring.border import Border
from radar.scoring.edge_map import anomaly_map, edge_map
from radar.scoring.features import FEATURE_NAMES, features
from radar.scoring.reading import MapReading, NormReading

NO_BORDER = Border(BorderConfig("none", 6))
RESPONSE = torch.randn(5, 2, 37, 41, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("edge", ["sobel", "none"])
def test_norms_are_the_chain_of_blur_edges_and_features(edge):
    scoring = scoring_config(kernel=7, edge=edge, smoothing=2.0, window=4)
    maps, points = NormReading.of(scoring)(RESPONSE)
    edges = edge_map(RESPONSE, scoring.blur, edge)
    assert torch.equal(maps, anomaly_map(edges, 2.0)) and (maps >= 0).all()
    assert torch.equal(points, features(edges, 4).double())
    assert NormReading.of(scoring).point_names == FEATURE_NAMES
    other = "none" if edge == "sobel" else "sobel"
    assert torch.equal(
        NormReading.of(scoring, edge=other)(RESPONSE)[1], features(edge_map(RESPONSE, scoring.blur, other), 4)
    )


def test_smoothing_changes_the_map_and_leaves_the_norms():
    (plain, points), (smooth, same) = (
        NormReading.of(scoring_config(smoothing=sigma))(RESPONSE) for sigma in (0.0, 2.0)
    )
    assert torch.equal(points, same)
    assert (smooth.std(dim=(1, 2)) < 0.5 * plain.std(dim=(1, 2))).all()


@pytest.mark.parametrize("reading", [NormReading.of(scoring_config(kernel=7)), MapReading(NO_BORDER, 1.0, "top", 9)])
def test_reading_a_batch_is_reading_each_image_but_for_last_bits(reading):
    maps, points = reading(RESPONSE)
    assert maps.shape == (5, 37, 41) and points.shape == (5, len(reading.point_names)) and points.dtype == torch.float64
    for index in range(5):
        alone, point = reading(RESPONSE[[index]])
        torch.testing.assert_close(alone[0], maps[index], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(point[0], points[index], rtol=1e-5, atol=0)
