"""Deep SVDD: what keeps its sphere from collapsing, its centre and its distance."""

from __future__ import annotations

import pytest
import torch
from method_builders import SMALL, answers, image_set, normals
from torch import nn

from radar.methods.deep_svdd import Encoder, Hypersphere, HypersphereObjective, centre_of
from radar.methods.registry import method_of
from radar.progress import silent
from radar.seeds import StepClock

OWN = (
    "method=deep_svdd",
    "method.hypersphere.channels=[4,8]",
    "method.hypersphere.outputs=6",
    "method.hypersphere.stride=6",
)
CLOCK = StepClock(0, 0, 0, 0, 1, torch.device("cpu"))


def test_no_layer_has_a_bias_so_nothing_but_zero_maps_to_zero():
    encoder = Encoder(1, [4, 8], 6, 12)
    assert all(layer.bias is None for layer in encoder.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    assert encoder(torch.zeros(1, 1, 12, 12)).abs().max() == 0
    assert encoder(image_set(2, 0, side=12).planes.whole).abs().min() > 0


@pytest.mark.parametrize("side", [12, 13, 28])
def test_crops_of_any_side_become_points(side):
    assert Encoder(3, [4, 8], 6, side)(torch.zeros(2, 3, side, side)).shape == (2, 6)


def test_the_centre_is_the_mean_kept_away_from_zero():
    points = torch.tensor([[1.0, 0.02, -0.02], [3.0, 0.02, -0.02]])
    assert centre_of(points).tolist() == pytest.approx([2.0, 0.1, -0.1])


def test_the_distance_and_the_loss_by_hand():
    sphere = Hypersphere(nn.Flatten(), 2)
    sphere.centre = torch.tensor([0.0, 1.0])
    crops = torch.tensor([[1.0, 3.0], [0.0, 1.0]])
    assert sphere(crops).tolist() == [2.5, 0]
    assert HypersphereObjective().training_loss(sphere, crops, CLOCK) == 1.25


def test_the_centre_is_that_of_training_crops_before_training_and_is_never_learnt(composed):
    (training,) = method_of(composed(*SMALL, *OWN)).trainings(normals())
    sphere, again = training.build({}), training.build({})
    assert torch.equal(sphere.centre, again.centre)
    crops = (
        normals().train.planes.whole.unfold(2, 12, 3).unfold(3, 12, 3).permute(0, 2, 3, 1, 4, 5).reshape(-1, 1, 12, 12)
    )
    with torch.no_grad():
        torch.testing.assert_close(sphere.centre, centre_of(sphere.encoder(crops)), atol=0.02, rtol=0)
    assert "centre" not in dict(sphere.named_parameters()) and "centre" in sphere.state_dict()
    before, material = sphere.encoder(crops[:64]).detach(), training.material({})
    optimiser = torch.optim.SGD(sphere.parameters(), lr=0.1)
    for _ in range(5):
        optimiser.zero_grad()
        material.objective.training_loss(sphere, crops[:64], CLOCK).backward()
        optimiser.step()
    assert torch.equal(sphere.centre, again.centre)
    assert sphere(crops[:64]).mean() < (before - sphere.centre).square().mean()


def test_windows_are_scored_by_their_distance(composed):
    method, normal, test = method_of(composed(*SMALL, *OWN)), normals(), image_set(4, 2)
    (training,) = method.trainings(normal)
    fitted = method.fit(normal, {training.name: training.build({})}, silent)
    with torch.inference_mode():
        maps = answers(fitted, test, images_per_pass=4)
        assert maps.shape == (4, 1, 24, 24) and (maps >= 0).all()
        assert torch.equal(answers(fitted, test[1:2])[0], maps[1])
        corner = fitted.network(test.planes.whole[:1, :, :12, :12])
        torch.testing.assert_close(maps[:1, 0, 0, 0], corner)
        test.planes.whole.mul_(100)
        assert answers(fitted, test).mean() > maps.mean()


def test_the_stride_of_scoring_is_no_part_of_the_training(composed):
    config = composed(*SMALL, *OWN)
    sphere = config.method.settings.hypersphere

    def training():
        (found,) = method_of(config).trainings(normals())
        return found

    before = training()
    sphere.stride, sphere.max_steps = 3, 7
    assert training().inputs == before.inputs and training().training.max_steps == 7
    sphere.outputs = 5
    assert training().inputs != before.inputs


def test_a_broken_rule_is_one_line(composed):
    config = composed("method=deep_svdd")
    assert not list(method_of(config).problems())
    sphere = config.method.settings.hypersphere
    sphere.stride, sphere.channels = 29, [8, 0]
    channels, stride = method_of(config).problems()
    assert channels == "method.hypersphere.channels=[8, 0]: needs the width of at least one level, each ≥ 1"
    assert stride == "method.hypersphere.stride=29: must be ≤ patch.size=28, or windows leave gaps"
    sphere.channels = []
    assert next(method_of(config).problems()).startswith("method.hypersphere.channels=[]: needs the width")
