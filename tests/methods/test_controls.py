"""The controls: maps by hand, and an untrained network that predicts something and depends on the seed alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from method_builders import SMALL, answers, fitted, image_set, images_of, normals

from radar.methods.registry import METHODS
from radar.methods.untrained import random_network
from radar.networks.build import build_unet
from radar.scoring.detector import fit_detector
from radar.scoring.edge_map import edge_map

NAMES = ("mean_brightness", "raw_sobel", "untrained")


def control(config, name: str):
    """The config with a control in its method's place."""
    settings = METHODS.get(name).Settings()
    return replace(config, method=replace(config.method, name=name, controls=[], settings=settings))


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_mean_brightness_is_the_deviation_from_the_training_mean(composed, channels):
    normal, test = normals(channels=channels), image_set(4, 2, channels=channels)
    response = answers(fitted(control(composed(*SMALL), "mean_brightness"), normal), test)
    mean = normal.train.planes.double().numpy().mean(axis=(0, 2, 3))
    np.testing.assert_allclose(response.numpy(), test.planes.numpy() - mean[:, None, None], atol=1e-6)


def test_raw_sobel_filters_the_image_itself(composed):
    test = image_set(4, 2)
    assert torch.equal(answers(fitted(control(composed(*SMALL), "raw_sobel")), test), test.planes)


@pytest.mark.parametrize("edge", ["sobel", "none"])
@pytest.mark.parametrize(("name", "own"), [("mean_brightness", "none"), ("raw_sobel", "sobel"), ("untrained", None)])
def test_filters_have_their_own_edges_and_the_untrained_network_the_experiments(composed, name, own, edge):
    config = composed(*SMALL, f"scoring.edge={edge}", "scoring.smoothing=0")
    response = torch.randn(2, 1, 24, 24)
    maps = fitted(control(config, name)).read(response).anomaly
    assert torch.equal(maps, edge_map(response, config.scoring.blur, own or edge))


@pytest.mark.parametrize("name", NAMES)
def test_chroma_is_not_seen(composed, name):
    config, names = composed(*SMALL), ("luma", "red_green", "yellow_blue")
    normal, test = normals(channels=3), image_set(2, 3, channels=3)
    in_colour = type(normal)(*(images_of(each.planes, "a", plane_names=names) for each in normal.sets))
    in_grey = type(normal)(*(images_of(each.planes[:, :1], "a") for each in normal.sets))
    seen = answers(fitted(control(config, name), in_colour), images_of(test.planes, "b", plane_names=names))
    assert torch.equal(seen, answers(fitted(control(config, name), in_grey), images_of(test.planes[:, :1], "b")))


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
    test.planes.add_(0.6 if defect == "shift" else 0.6 * (torch.arange(24) % 4 < 2).float())
    decisions = detector.score(method.read(answers(method, test)).points.numpy()) > threshold
    assert decisions.all() if found else decisions.sum() <= 1


def predicted(config, channels: int = 1) -> torch.Tensor:
    with torch.inference_mode():
        return random_network(config, channels).eval()(image_set(2, 3, channels=channels).planes, torch.tensor([1, 10]))


@pytest.mark.parametrize(("unet", "channels"), [("attention", 1), ("no_attention", 3), ("compact", 1)])
def test_the_untrained_network_predicts_something_and_no_layer_of_it_is_zero(composed, unet, channels):
    config = composed(f"unet={unet}", "unet.channels=[16,32]", "unet.attention_levels=[]")
    output = predicted(config, channels)
    assert output.isfinite().all()
    assert (output.std(dim=(1, 2, 3)) > 1e-3).all()
    assert not torch.equal(output[0], output[1])
    layers = [layer for layer in random_network(config, channels).modules() if isinstance(layer, torch.nn.Conv2d)]
    assert all(layer.weight.any() for layer in layers)


def test_the_untrained_network_depends_on_the_seed_alone_and_is_not_the_one_that_training_starts_from(composed):
    config = composed(*SMALL)
    torch.manual_seed(1)
    first, state = predicted(config), torch.random.get_rng_state()
    assert torch.equal(predicted(config), first)
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(predicted(config), first)
    assert not torch.equal(predicted(replace(config, seed=1)), first)
    start = build_unet(config.unet, patch_size=28, image_channels=1, seed=0)
    assert not torch.equal(start.stem.weight, random_network(config, 1).stem.weight)
