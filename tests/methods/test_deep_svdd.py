"""Deep SVDD: what keeps its sphere from collapsing, its centre and its distance."""

from __future__ import annotations

import pytest
import torch
from method_builders import SMALL, image_set, normals
from torch import nn

from radar.methods.deep_svdd import DeepSvddMethod, Encoder, centre_of, squared_distance
from radar.methods.interface import Forgetful, ImageSet
from radar.progress import silent

OWN = (
    "method=deep_svdd",
    "method.hypersphere.channels=[4,8]",
    "method.hypersphere.outputs=6",
    "method.hypersphere.stride=6",
)


def untrained(network, module, **_):
    return network


def test_no_layer_has_a_bias_so_nothing_but_zero_maps_to_zero():
    encoder = Encoder(1, [4, 8], 6, 12)
    assert all(layer.bias is None for layer in encoder.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    assert encoder(torch.zeros(1, 1, 12, 12)).abs().max() == 0
    assert encoder(image_set(2, 0, side=12).images).abs().min() > 0


@pytest.mark.parametrize("side", [12, 13, 28])
def test_crops_of_any_side_become_points(side):
    assert Encoder(3, [4, 8], 6, side)(torch.zeros(2, 3, side, side)).shape == (2, 6)


def test_the_centre_is_the_mean_kept_away_from_zero():
    points = torch.tensor([[1.0, 0.02, -0.02], [3.0, 0.02, -0.02]])
    assert centre_of(points).tolist() == pytest.approx([2.0, 0.1, -0.1])


def test_the_distance_by_hand():
    assert squared_distance(torch.tensor([[1.0, 3.0]]), torch.tensor([0.0, 1.0])).tolist() == [2.5]


def test_windows_are_scored_by_their_distance(composed):
    config = composed(*SMALL, *OWN)
    method = DeepSvddMethod(config, Forgetful(), untrained, torch.device("cpu"))
    method.fit(normals(), silent)
    test = image_set(4, 2)
    maps = method.noise_maps(test, silent)
    assert maps.shape == (4, 1, 24, 24) and (maps >= 0).all()
    alone = method.noise_maps(ImageSet(test.images[1:2], test.identities[1:2]), silent)
    assert torch.equal(alone[0], maps[1])
    louder = method.noise_maps(ImageSet(100 * test.images, test.identities), silent)
    assert louder.mean() > maps.mean()
