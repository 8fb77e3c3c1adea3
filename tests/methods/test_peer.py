"""What the other methods share: one score per image from a map, and a threshold from held-out normals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from method_builders import SMALL, image_set, normals
from network_builders import training_config
from radar.config.method_sections import ReductionConfig
from radar.methods.interface import Forgetful
from radar.methods.peer import PeerMethod, image_scores, shares, shortened

from radar.progress import silent


class Energy(PeerMethod):
    """Squared pixels."""

    def fit_one(self, normal, report):
        return lambda image, identity: image.square().mean(dim=1, keepdim=True)

    def inputs(self, normal):
        return {"a": 1}


def method_of(composed, *overrides):
    return Energy(composed(*SMALL, "method=pca", *overrides), Forgetful())


@pytest.mark.parametrize(("statistic", "expected"), [("max", 9.0), ("mean", 2.5), ("top", 6.0)])
def test_reductions_by_hand(statistic, expected):
    maps = torch.tensor([[[9.0, 3.0], [-1.0, -1.0]]])
    scores = image_scores(maps, ReductionConfig(smoothing=0, statistic=statistic, pixels=2))
    assert scores.tolist() == [expected]


def test_the_top_of_a_small_map_is_its_mean():
    maps = torch.arange(4.0).reshape(1, 2, 2)
    assert image_scores(maps, ReductionConfig(smoothing=0, statistic="top", pixels=50)).tolist() == [1.5]


def test_the_score_is_that_of_the_map_and_the_norms_stand_beside_it(composed):
    method, test = method_of(composed), image_set(5, 2)
    method.fit(normals(), silent)
    scores = method.score(test, silent)
    energy = test.images.square()[:, 0]
    torch.testing.assert_close(scores.anomaly_maps, energy)
    assert np.argsort(scores.scores).tolist() == energy.amax(dim=(1, 2)).argsort().tolist()
    np.testing.assert_allclose(scores.features[:, 0], energy.square().sum(dim=(1, 2)).sqrt(), rtol=1e-5)


@pytest.mark.parametrize("contamination", ["c10", "c20"])
def test_the_threshold_is_the_conformal_quantile_of_held_out_scores(composed, contamination):
    method, normal = method_of(composed, f"contamination={contamination}"), normals()
    method.fit(normal, silent)
    held_out = np.sort(method.score(normal.validation, silent).scores)
    level = method.config.contamination.value
    assert method.scorer.detector.threshold == held_out[min(9, int(np.ceil(10 * (1 - level)))) - 1]


def test_training_normals_are_not_scored_unless_they_set_the_threshold(composed):
    assert method_of(composed).scored_splits == ("validation", "test")
    assert method_of(composed, "detector.threshold_on=train").scored_splits == ("train", "test")
    shifted = method_of(composed, "detector=shifted_tail")
    assert (shifted.scored_splits, shifted.detector_sets) == (("train", "validation", "test"), ("train", "validation"))


def test_smoothing_spreads_a_spot(composed):
    method = method_of(composed, "method.reduction.smoothing=2.0")
    method.fit(normals(), silent)
    spot = image_set(1, 3)
    spot.images.zero_()[0, 0, 12, 12] = 1.0
    mapped = method.score(spot, silent).anomaly_maps[0]
    assert mapped[12, 12] == mapped.max() < 0.5
    assert mapped[12, 14] > 0


def test_what_a_map_depends_on_names_the_method_and_the_seed(composed):
    assert method_of(composed, "seed=4").map_inputs(normals()) == {"method": "pca", "seed": 4, "a": 1}


def test_images_give_equally_many_and_never_more_in_all_than_asked():
    assert shares(10, 3, 0) == [3, 3, 3]
    assert shares(4, 4, 0) == [1, 1, 1, 1]
    for most, images in ((5, 40), (39, 40)):
        drawn = shares(most, images, 0)
        assert len(drawn) == images and sum(drawn) == most and set(drawn) == {0, 1}
        assert drawn == shares(most, images, 0) != shares(most, images, 1)


@pytest.mark.parametrize(("asked", "expected"), [(40, (40, 9)), (5, (5, 5)), (1000, (100, 9))])
def test_a_methods_own_training_is_never_longer_than_the_experiments(asked, expected):
    training = shortened(training_config(max_steps=100, warmup_steps=9), asked)
    assert (training.max_steps, training.warmup_steps) == expected
