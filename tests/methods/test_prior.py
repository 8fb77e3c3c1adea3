"""OSD-IRF and InvAD with an optimal denoiser: densities and deviations by hand, planted defects found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from denoiser_builders import ORACLE, Oracle, oracle_normals, oracle_train, with_spots
from method_builders import image_set
from radar.methods.denoiser import Denoiser
from radar.methods.interface import Forgetful, ImageSet
from radar.methods.inversion import InversionMethod, latent_energy
from radar.methods.residual_field import ResidualFieldMethod, neighbourhoods
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from radar.progress import silent

KINDS = {"osd_irf": ResidualFieldMethod, "invad": InversionMethod}


def method_of(composed, name, *overrides):
    config = composed(*ORACLE, f"method={name}", "timestep.value=50", *overrides)
    return KINDS[name](config, Forgetful(), oracle_train(config), {})


@pytest.mark.parametrize("name", KINDS)
def test_a_planted_defect_is_found_where_it_lies(composed, name):
    method, test = method_of(composed, name), with_spots()
    method.fit(oracle_normals(), silent)
    scores = method.score(test, silent)
    assert scores.scores[:3].min() > scores.scores[3:].max()
    assert scores.decisions[:3].all()
    for mapped in scores.anomaly_maps[:3]:
        row, column = divmod(int(mapped.argmax()), 24)
        assert 6 <= row <= 17 and 6 <= column <= 17


@pytest.mark.parametrize("name", KINDS)
def test_a_map_does_not_depend_on_the_other_images(composed, name):
    method, test = method_of(composed, name), image_set(4, 3)
    method.fit(oracle_normals(), silent)
    together = method.noise_maps(test, silent)
    alone = method.noise_maps(ImageSet(test.images[2:3], test.identities[2:3]), silent)
    assert torch.equal(alone[0], together[2])


def test_neighbourhoods_are_the_squares_around_positions():
    field = torch.arange(25.0).reshape(1, 1, 5, 5)
    vectors = neighbourhoods(field, 3)
    assert vectors.shape == (25, 9)
    assert vectors[12].tolist() == [6, 7, 8, 11, 12, 13, 16, 17, 18]
    assert neighbourhoods(field, 1)[:, 0].tolist() == list(range(25))


def test_the_residual_fields_distance_is_mahalanobis(composed):
    method, normal, test = (
        method_of(composed, "osd_irf", "method.residual_field.neighbourhood=3"),
        oracle_normals(),
        image_set(1, 3),
    )
    method.fit(normal, silent)
    mapped = method.noise_maps(test, silent)[0, 0]
    denoiser = Denoiser(Oracle(method.config), method.config)
    density = LedoitWolf().fit(method._normal_vectors(denoiser, normal, silent))
    vector = method.residual(denoiser, test.images, test.identities[0])[0, 0, 4:7, 9:12].flatten().numpy()
    assert mapped[5, 10].item() == pytest.approx(mahalanobis(vector, density.location_, density.precision_), rel=1e-5)


def test_the_residual_is_radars_own(composed):
    """The draw of an image is the one that RADAR scores it with."""
    method, image = method_of(composed, "osd_irf", "scoring.draws=1", "scoring.map=residual"), image_set(1, 3)
    denoiser = Denoiser(Oracle(method.config), method.config)
    expected = denoiser._mapper(50)(image.images, image.identities)
    torch.testing.assert_close(method.residual(denoiser, image.images, image.identities[0]), expected)


def test_the_energy_of_white_latents_is_their_variance():
    white = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    for scale in (1.0, 2.0, 0.2):
        assert latent_energy(scale * white, 21).mean().item() == pytest.approx(scale**2, rel=0.1)


def test_the_energy_by_hand():
    latent = torch.zeros(1, 2, 3, 3)
    latent[0, 0, 1, 1], latent[0, 1, 1, 1] = 3.0, 1.0
    assert latent_energy(latent, 1)[0, 0, 1, 1].item() == 5.0
    assert latent_energy(latent, 3)[0, 0, 1, 1].item() == pytest.approx(5 / 9)


def test_the_deviation_is_the_energys_from_one(composed):
    energy, deviation = (
        method_of(composed, "invad", f"method.inversion.score={score}") for score in ("likelihood", "deviation")
    )
    test = image_set(2, 3)
    for method in (energy, deviation):
        method.fit(oracle_normals(), silent)
    expected = (energy.noise_maps(test, silent) - 1).abs()
    torch.testing.assert_close(deviation.noise_maps(test, silent), expected)


def test_passes_are_counted(composed):
    assert method_of(composed, "invad").network_passes == 3
    assert method_of(composed, "osd_irf").network_passes == 1


def test_a_timestep_of_its_own_stands_in_for_the_experiments(composed):
    own, other = (
        method_of(composed, "osd_irf", f"method.residual_field.timestep={value}", "timestep.value=7")
        for value in (50, "null")
    )
    assert (own.timestep, other.timestep) == (50, 7)
    assert own.map_inputs(oracle_normals()) == method_of(composed, "osd_irf").map_inputs(oracle_normals())


def test_more_positions_than_there_are_will_do(composed):
    method = method_of(composed, "osd_irf", "method.residual_field.fitting_positions=1000000")
    vectors = method._normal_vectors(Denoiser(Oracle(method.config), method.config), oracle_normals(), silent)
    assert vectors.shape == (12 * 24 * 24, 25)
    assert np.isfinite(vectors).all()


def test_fewer_positions_than_images_will_do(composed):
    method = method_of(composed, "osd_irf", "method.residual_field.fitting_positions=5")
    assert len(method._normal_vectors(Denoiser(Oracle(method.config), method.config), oracle_normals(), silent)) == 5
