"""The controls: filters by hand, and networks that are left untrained: initial weights to the bit, and an answer all the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from method_builders import SMALL, answers, fitted, image_set, images_of, normals
from network_builders import untrained

from radar.methods.registry import METHODS
from radar.networks.build import build_unet
from radar.networks.untrained import awake, drawn_anew
from radar.scoring.detector import fit_detector
from radar.scoring.edge_map import edge_map

NAMES = ("mean_brightness", "raw_sobel")


def control(config, name: str):
    """The config with a control in its method's place."""
    settings = METHODS.get(name).Settings()
    return replace(config, method=replace(config.method, name=name, controls=[], settings=settings))


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_mean_brightness_is_the_deviation_from_the_training_mean(composed, channels):
    normal, test = normals(channels=channels), image_set(4, 2, channels=channels)
    response = answers(fitted(control(composed(*SMALL), "mean_brightness"), normal), test)
    mean = normal.train.planes.whole.double().numpy().mean(axis=(0, 2, 3))
    np.testing.assert_allclose(response.numpy(), test.planes.whole.numpy() - mean[:, None, None], atol=1e-6)


def test_raw_sobel_filters_the_image_itself(composed):
    test = image_set(4, 2)
    assert torch.equal(answers(fitted(control(composed(*SMALL), "raw_sobel")), test), test.planes.whole)


@pytest.mark.parametrize("edge", ["sobel", "none"])
@pytest.mark.parametrize(("name", "own"), [("mean_brightness", "none"), ("raw_sobel", "sobel")])
def test_filters_have_their_own_edges(composed, name, own, edge):
    config = composed(*SMALL, f"scoring.edge={edge}", "scoring.smoothing=0")
    response = torch.randn(2, 1, 24, 24)
    maps = fitted(control(config, name)).read(response).anomaly
    assert torch.equal(maps, edge_map(response, config.scoring.blur, own))


@pytest.mark.parametrize("name", NAMES)
def test_chroma_is_not_seen(composed, name):
    config, names = composed(*SMALL), ("luma", "red_green", "yellow_blue")
    normal, test = normals(channels=3), image_set(2, 3, channels=3)
    in_colour = type(normal)(*(images_of(each.planes.whole, "a", plane_names=names) for each in normal.sets))
    in_grey = type(normal)(*(images_of(each.planes.whole[:, :1], "a") for each in normal.sets))
    seen = answers(fitted(control(config, name), in_colour), images_of(test.planes.whole, "b", plane_names=names))
    assert torch.equal(seen, answers(fitted(control(config, name), in_grey), images_of(test.planes.whole[:, :1], "b")))


@pytest.mark.parametrize(
    ("name", "defect", "found"),
    [
        ("mean_brightness", "shift", True),
        ("mean_brightness", "stripes", True),
        ("raw_sobel", "shift", False),  # it cannot see a defect that only shifts brightness
        ("raw_sobel", "stripes", True),
    ],
)
def test_controls_see_the_defects_that_they_can(composed, name, defect, found):
    config = control(composed(*SMALL, "detector=upper_tail"), name)
    method, normal, test = fitted(config), normals().train, image_set(5, 2)
    points = method.read(answers(method, normal)).points.numpy()
    detector, threshold = fit_detector(
        points, points, config=config.detector, contamination=config.contamination, seed=0
    )
    test.planes.whole.add_(0.6 if defect == "shift" else 0.6 * (torch.arange(24) % 4 < 2).float())
    decisions = detector.score(method.read(answers(method, test)).points.numpy()) > threshold
    assert decisions.all() if found else decisions.sum() <= 1


def predicted(config, channels: int = 1) -> torch.Tensor:
    with torch.inference_mode():
        return untrained(config, channels)(image_set(2, 3, channels=channels).planes.whole, torch.tensor([1, 10]))


@pytest.mark.parametrize(("unet", "channels"), [("attention", 1), ("no_attention", 3), ("compact", 1)])
def test_an_untrained_network_has_its_initial_weights_to_the_bit_but_no_layer_is_zero(composed, unet, channels):
    config = composed(f"unet={unet}", "unet.channels=[16,32]", "unet.attention_levels=[]")
    output = predicted(config, channels)
    assert output.isfinite().all()
    assert (output.std(dim=(1, 2, 3)) > 1e-3).all()
    assert not torch.equal(output[0], output[1])
    start = dict(build_unet(config.unet, patch_size=28, image_channels=channels, seed=0).named_parameters())
    changed = []
    for name, weight in untrained(config, channels).named_parameters():
        if torch.equal(weight, start[name]):
            assert weight.any() or name.endswith("bias"), name
        else:
            assert not start[name].any(), f"{name}: only what was zero is drawn"
            changed.append(name)
    assert changed


def test_what_is_drawn_depends_on_the_seed_and_the_name_alone(composed):
    config = composed(*SMALL)
    torch.manual_seed(1)
    first, state = predicted(config), torch.random.get_rng_state()
    assert torch.equal(predicted(config), first)
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(predicted(config), first)
    assert not torch.equal(predicted(replace(config, seed=1)), first)

    def zeros() -> torch.nn.Conv2d:
        layer = torch.nn.Conv2d(1, 1, 3)
        torch.nn.init.zeros_(layer.weight)
        return layer

    assert not torch.equal(awake(zeros(), 0, "one").weight, awake(zeros(), 0, "another").weight)


def test_nothing_of_pretrained_weights_or_statistics_is_left():
    def network(seed: int) -> torch.nn.Module:
        torch.manual_seed(seed)
        layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Linear(4, 2)
        )
        layers[1].running_mean.normal_()
        layers[1].weight.data.normal_()
        return layers

    first, second = (drawn_anew(network(seed), 7, "features").state_dict() for seed in (1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["0.weight"], drawn_anew(network(1), 8, "features").state_dict()["0.weight"])
    assert not torch.equal(first["0.weight"], network(1).state_dict()["0.weight"])
