"""OSD-IRF and InvAD with an optimal denoiser: densities and energies by hand, planted defects found."""

from __future__ import annotations

import pytest
import torch
from denoiser_builders import ORACLE, Oracle, oracle_normals, with_spots
from method_builders import answers, image_set
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from radar.errors import ConfigError
from radar.methods.invad import latent_energy
from radar.methods.parts.denoising import DENOISER
from radar.methods.registry import method_of
from radar.progress import silent

NAMES = ("osd_irf", "invad")


def config_of(composed, name, *overrides):
    return composed(*ORACLE, f"method={name}", "timestep.value=50", *overrides)


def fitted(config):
    return method_of(config).fit(oracle_normals(), {DENOISER: Oracle(config)}, silent)


@pytest.fixture
def learnt(monkeypatch):
    """The vectors of which densities are fitted, with the density."""
    found, fit = [], LedoitWolf.fit
    monkeypatch.setattr(LedoitWolf, "fit", lambda model, vectors: found.append((vectors, model)) or fit(model, vectors))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_defect_is_found_where_it_lies(composed, name):
    method, test = fitted(config_of(composed, name)), with_spots()
    maps = method.read(answers(method, test))
    assert maps.points[:3].min() > maps.points[3:].max()
    for mapped in maps.anomaly[:3]:
        row, column = divmod(int(mapped.argmax()), 24)
        assert 6 <= row <= 17 and 6 <= column <= 17


def test_the_residual_fields_distance_is_mahalanobis(composed, learnt):
    """Of RADAR's own residuals in the square around a position: an image is noised by the same draw."""
    method, test = fitted(config_of(composed, "osd_irf", "method.residual_field.neighbourhood=3")), image_set(2, 3)
    ((_, density),) = learnt
    residual = answers(fitted(config_of(composed, "radar", "scoring.draws=1", "scoring.map=residual")), test)
    for row, column in ((5, 10), (23, 1)):
        square = torch.nn.functional.pad(residual, [1] * 4, mode="reflect")[1, 0, row : row + 3, column : column + 3]
        expected = mahalanobis(square.flatten().double().numpy(), density.location_, density.precision_)
        assert answers(method, test)[1, 0, row, column].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("most", "count"), [(1_000_000, 12 * 24 * 24), (5, 5), (30, 24)])
def test_all_normal_images_give_equally_many_positions(composed, learnt, most, count):
    fitted(config_of(composed, "osd_irf", f"method.residual_field.fitting_positions={most}"))
    ((vectors, _),) = learnt
    assert vectors.shape == (count, 25)


def test_a_timestep_of_its_own_stands_in_for_the_experiments(composed):
    own = config_of(composed, "osd_irf", "method.residual_field.timestep=50", "timestep.value=7")
    shared = config_of(composed, "osd_irf")
    assert torch.equal(answers(fitted(own), image_set(2, 3)), answers(fitted(shared), image_set(2, 3)))
    assert "timestep" in method_of(shared).fitting_keys
    assert "timestep" not in method_of(own).fitting_keys


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
        answers(fitted(config_of(composed, "invad", f"method.inversion.score={score}")), image_set(2, 3))
        for score in ("likelihood", "deviation")
    )
    torch.testing.assert_close(deviation, (energy - 1).abs())


def test_passes_are_counted(composed):
    assert [fitted(config_of(composed, name)).network_passes for name in NAMES] == [1, 3]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["method=osd_irf", "method.residual_field.neighbourhood=4"], r"neighbourhood=4: must be odd"),
        (["method=osd_irf", "method.residual_field.neighbourhood=201"], r"=201: must be ≤ the image's side, 100 px"),
        (["method=osd_irf", "method.residual_field.timestep=1001"], r"field\.timestep=1001: needs steps between 1 and"),
        (["method=osd_irf", "detector=isolation_forest"], r"detector\.name=isolation_forest: osd_irf gives one score"),
        (["method=invad", "method.inversion.window=4"], r"method\.inversion\.window=4: must be odd"),
        (["method=invad", "method.inversion.timesteps=[5,3]"], r"timesteps=\[5, 3\]: needs rising steps"),
        (["method=invad", "method.inversion.timesteps=[]"], r"needs rising steps"),
        (["method=invad", "method.inversion.timesteps=[0,3]"], r"timesteps=\[0, 3\]: must be ≥ 1"),
    ],
)
def test_a_broken_rule_is_one_line(composed, overrides, message):
    with pytest.raises(ConfigError, match=message):
        composed(*overrides)
