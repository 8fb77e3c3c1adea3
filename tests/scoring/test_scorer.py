"""From images to decisions: pure, to the bit, and nothing but the chain of its parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from network_builders import diffusion_config, random_unet
from radar.scoring.noise_map import NoiseMapper
from radar.scoring.scorer import Measurement, Scorer, decide, features_of, measure
from scoring_builders import names, scoring_config

from radar.config.schema import ContaminationConfig, DetectorConfig
from radar.diffusion.schedule import build_schedule
from radar.scoring.detector import fit_detector
from radar.scoring.edge_map import edge_map
from radar.scoring.features import features

COUNT = 7
IMAGES = torch.rand(COUNT, 1, 30, 30, generator=torch.Generator().manual_seed(3)) * 2 - 1


def scorer(*, channels: int = 1, detector: str = "upper_tail", **scoring) -> Scorer:
    config = scoring_config(stride=7, micro_batch=5, **scoring)
    mapper = NoiseMapper(
        random_unet(image_channels=channels),
        build_schedule(diffusion_config()),
        scoring=config,
        timestep=10,
        patch_size=14,
        seed=0,
    )
    normal = measure(mapper(IMAGES.expand(-1, channels, -1, -1), names(COUNT)), config)
    section = DetectorConfig(
        name=detector,
        fitted_on="train",
        threshold_on="train",
        threshold="quantile",
        spread_prior=2.0,
        trees=20,
        max_samples=64,
    )
    fitted = fit_detector(
        normal.features, normal.features, detector=section, contamination=ContaminationConfig(0.3), seed=0
    )
    return Scorer(mapper, config, fitted, features_of)


def joined(parts) -> dict[str, np.ndarray]:
    fields = ("anomaly_maps", "features", "scores", "decisions")
    return {field: np.concatenate([np.asarray(getattr(part, field)) for part in parts]) for field in fields}


@pytest.mark.parametrize(
    ("field", "draws", "edge", "smoothing", "detector"),
    [
        ("stitched", 1, "sobel", 0.0, "isolation_forest"),
        ("stitched", 0, "none", 2.0, "upper_tail"),
        ("whole", 2, "sobel", 0.0, "upper_tail"),
    ],
    ids=["paper", "recommended", "whole"],
)
def test_scores_do_not_depend_on_batch_or_order(field, draws, edge, smoothing, detector):
    under_test = scorer(field=field, draws=draws, edge=edge, smoothing=smoothing, detector=detector)
    together = joined([under_test.score(IMAGES, names(COUNT))])
    assert len(np.unique(together["scores"])) > COUNT // 2
    for size in (1, 3, 4):
        parts = [under_test.score(IMAGES[i : i + size], names(COUNT)[i : i + size]) for i in range(0, COUNT, size)]
        for name, values in joined(parts).items():
            np.testing.assert_array_equal(values, together[name], err_msg=f"{name} in batches of {size}")
    order = [6, 2, 4, 0, 1, 5, 3]
    for name, values in joined([under_test.score(IMAGES[order], [names(COUNT)[i] for i in order])]).items():
        np.testing.assert_array_equal(values, together[name][order], err_msg=f"{name} reordered")


def test_scoring_twice_gives_the_same_and_changes_nothing():
    under_test = scorer()
    images = IMAGES.clone()
    first, second = (joined([under_test.score(images, names(COUNT))]) for _ in range(2))
    assert torch.equal(images, IMAGES)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_the_score_is_the_chain_of_its_parts(channels):
    under_test = scorer(channels=channels)
    images = IMAGES.expand(-1, channels, -1, -1)
    scores = under_test.score(images, names(COUNT))
    edges = edge_map(under_test.mapper(images, names(COUNT)), under_test.scoring)
    torch.testing.assert_close(scores.anomaly_maps, edges)
    assert scores.anomaly_maps.shape == (COUNT, 30, 30) and (scores.anomaly_maps >= 0).all()
    np.testing.assert_allclose(scores.features, features(edges, 3).numpy(), rtol=1e-5)
    assert scores.features.dtype == np.float64
    np.testing.assert_array_equal(scores.scores, under_test.detector.score(scores.features))


class Sum:
    """A detector whose score is the sum of the features."""

    threshold = 3.0

    def score(self, points):
        return points.sum(axis=1)

    def arrays(self):
        return {}


def test_a_score_above_the_threshold_is_anomalous():
    points = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, np.nextafter(2.0, 3)], [5.0, 5.0]])
    maps = torch.zeros(4, 2, 2)
    decided = decide(Measurement(points, lambda: maps), Sum(), features_of)
    assert decided.decisions.tolist() == [False, False, True, True]
    assert decided.decisions.dtype == bool
    assert decided.anomaly_maps is maps and decided.features is points


def test_measuring_a_batch_is_measuring_each_image():
    maps = torch.randn(5, 2, 37, 41)
    together = measure(maps, scoring_config(kernel=7))
    for index in range(5):
        alone = measure(maps[[index]], scoring_config(kernel=7))
        assert torch.equal(alone.anomaly_maps[0], together.anomaly_maps[index])
        np.testing.assert_array_equal(alone.features[0], together.features[index])


def test_smoothing_changes_the_map_and_leaves_the_features():
    maps = torch.randn(3, 1, 20, 20)
    plain, smooth = (measure(maps, scoring_config(smoothing=sigma)) for sigma in (0.0, 2.0))
    np.testing.assert_array_equal(plain.features, smooth.features)
    assert (smooth.anomaly_maps.std(dim=(1, 2)) < 0.5 * plain.anomaly_maps.std(dim=(1, 2))).all()


def test_a_planted_defect_scores_highest_end_to_end():
    """The network k·x on the scaled image alone: a bright square then stands out by its known norm."""
    config = scoring_config(kernel=1, edge="none", window=4, field="whole", draws=0)

    class Identity(torch.nn.Module):
        def forward(self, x, timestep):
            return x

    mapper = NoiseMapper(
        Identity(), build_schedule(diffusion_config()), scoring=config, timestep=1, patch_size=8, seed=0
    )
    normal = 0.1 * torch.rand(20, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    section = DetectorConfig(
        name="upper_tail",
        fitted_on="train",
        threshold_on="train",
        threshold="quantile",
        spread_prior=2.0,
        trees=1,
        max_samples=2,
    )
    points = measure(mapper(normal, names(20)), config).features
    fitted = fit_detector(
        points,
        points,
        detector=section,
        contamination=ContaminationConfig(0.05),
        seed=0,
    )
    defective = normal[:3].clone()
    defective[1, 0, 5:9, 7:11] = 0.8
    scores = Scorer(mapper, config, fitted, features_of).score(defective, names(3))
    assert scores.decisions.tolist() == [False, True, False]
    assert scores.features[1, 1] == pytest.approx(4 * 0.8 * np.sqrt(1 - 1e-4), rel=1e-5)
    assert scores.anomaly_maps[1, 5:9, 7:11].min() > 0.7
