"""What all methods share: which images fit the detector, and that each set is measured once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from method_builders import SMALL, image_set, normals
from network_builders import random_unet
from radar.methods.interface import Forgetful, ImageSet, MapMethod
from radar.scoring.density import fit_density
from radar.scoring.scorer import measure

from radar.methods.radar import RadarMethod, build_mapper, noise_mapper, residual_field
from radar.progress import silent
from radar.scoring.detector import fit_detector


class Counted(MapMethod):
    """Maps an image to itself and remembers the identities of each call."""

    name = "counted"

    def __init__(self, config) -> None:
        super().__init__(config, Forgetful())
        self.calls: list[list[str]] = []
        self.fitted_on = None

    def map_inputs(self, normal):
        return {}

    def fit_map(self, normal, report):
        self.fitted_on = normal

        def identity(images, identities):
            assert len(images) == len(identities)
            self.calls.append(list(identities))
            return images

        return identity


def test_a_set_is_measured_once_and_in_order(composed):
    method, normal, test = Counted(composed(*SMALL)), normals(), image_set(5, 2)
    method.fit(normal, silent)
    for _ in range(2):
        method.score(normal.train, silent)
        method.score(test, silent)
    seen = [name for call in method.calls for name in call]
    assert seen == [*normal.train.identities, *normal.validation.identities, *test.identities]


def test_fitting_again_measures_again(composed):
    method, normal = Counted(composed(*SMALL)), normals()
    method.fit(normal, silent)
    method.fit(normal, silent)
    assert [name for call in method.calls for name in call] == [
        *normal.train.identities,
        *normal.validation.identities,
    ] * 2


def test_equal_sets_are_different_sets(composed):
    """Sets are told apart by what they are, not by what they hold."""
    method = Counted(composed(*SMALL))
    method.fit(normals(), silent)
    first = image_set(3, 2)
    bright = ImageSet(first.images + 0.5, first.identities)
    assert (method.score(bright, silent).scores != method.score(first, silent).scores).all()


@pytest.mark.parametrize("fitted_on", ["train", "validation"])
@pytest.mark.parametrize("detector", ["isolation_forest", "upper_tail"])
def test_fitted_on_names_the_fitting_set(composed, fitted_on, detector):
    config = composed(
        *SMALL, f"detector={detector}", f"detector.fitted_on={fitted_on}", f"detector.threshold_on={fitted_on}"
    )
    method, normal = Counted(config), normals()
    method.fit(normal, silent)
    assert method.fitted_on is normal
    fitting = getattr(normal, fitted_on)
    assert {name for call in method.calls for name in call} == set(fitting.identities)
    points = measure(fitting.images, config.scoring).features
    expected = fit_detector(
        points, points, detector=config.detector, contamination=config.contamination, seed=config.seed
    )
    assert method.scorer.detector.threshold == expected.threshold
    np.testing.assert_array_equal(method.scorer.detector.score(points), expected.score(points))


def test_more_images_than_a_chunk_score_as_one_call(composed):
    method = Counted(composed(*SMALL))
    method.fit(normals(), silent)
    many = image_set(70, 3)
    told = []
    scores = method.score(many, lambda *progress: told.append(progress))
    assert [len(call) for call in method.calls[-3:]] == [32, 32, 6]
    assert told == [(done, 70, "Scoring (counted)") for done in (0, 32, 64, 70)]
    direct = method.scorer.score(many.images, many.identities)
    np.testing.assert_array_equal(scores.scores, direct.scores)
    np.testing.assert_array_equal(scores.decisions, direct.decisions)
    assert torch.equal(scores.anomaly_maps, direct.anomaly_maps)


def test_scoring_before_fitting_is_refused(composed):
    with pytest.raises(AssertionError, match="fit comes before score"):
        Counted(composed(*SMALL)).score(image_set(2, 2), silent)


def test_radar_trains_on_the_normals_and_scores_with_what_came_back(composed):
    config = composed(*SMALL)
    normal, test, seen = normals(), image_set(4, 2), []
    unet = random_unet()

    def train(train_images, validation_images, report):
        seen.append((train_images, validation_images, report))
        return unet

    method = RadarMethod(config, Forgetful(), train, {})
    method.fit(normal, silent)
    assert seen == [(normal.train.images, normal.validation.images, silent)]
    expected = measure(noise_mapper(config, unet)(test.images, test.identities), config.scoring)
    np.testing.assert_array_equal(method.score(test, silent).features, expected.features)


def test_a_density_passes_once_per_timestep_and_is_fitted_to_training_normals_alone(composed):
    density = ("scoring=density", "scoring.field=stitched", "scoring.density.timesteps=[3,30]")
    config, unet, normal = composed(*SMALL, *density), random_unet(), normals()
    method = RadarMethod(config, Forgetful(), lambda *_: unet, {})
    assert method.network_passes == 2
    method.fit(normal, silent)
    fitted = fit_density(
        residual_field(config, unet), normal.train.images, normal.train.identities, ridge=config.scoring.density.ridge
    )
    test = image_set(4, 2)
    expected = measure(build_mapper(config, unet, fitted)(test.images, test.identities), config.scoring)
    np.testing.assert_array_equal(method.score(test, silent).features, expected.features)


def test_the_noise_mapper_takes_its_values_from_the_config(composed):
    mapper = noise_mapper(
        composed(*SMALL, "timestep.value=7", "seed=5", "patch.size=16", "diffusion=cosine"), random_unet()
    )
    assert (mapper.timestep, mapper.seed, mapper.patch_size) == (7, 5, 16)
    assert mapper.schedule.noise[0].item() == pytest.approx(0.0064, abs=5e-5)
    assert not mapper.network.training
