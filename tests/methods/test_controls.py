"""The controls: maps by hand, and an untrained network that predicts something and depends on the seed alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from method_builders import SMALL, image_set, normals
from radar.methods.controls import MeanBrightness, RawSobel, Untrained, build_control, untrained_unet
from radar.methods.interface import Forgetful, ImageSet
from radar.scoring.scorer import measure

from radar.methods.relevance import CONTROLS
from radar.networks.build import build_unet
from radar.progress import silent

CPU = torch.device("cpu")


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_mean_brightness_is_the_deviation_from_the_training_mean(composed, channels):
    normal, test = normals(channels=channels), image_set(4, 2, channels=channels)
    method = MeanBrightness(composed(*SMALL), Forgetful())
    mapped = method.fit_map(normal, silent)(test.images, test.identities)
    mean = normal.train.images.double().numpy().mean(axis=(0, 2, 3))
    np.testing.assert_allclose(mapped.numpy(), test.images.numpy() - mean[:, None, None], atol=1e-6)


def test_raw_sobel_filters_the_image_itself(composed):
    test = image_set(4, 2)
    assert torch.equal(
        RawSobel(composed(*SMALL), Forgetful()).fit_map(normals(), silent)(test.images, test.identities), test.images
    )


@pytest.mark.parametrize("edge", ["sobel", "none"])
@pytest.mark.parametrize(("name", "own"), [("mean_brightness", "none"), ("raw_sobel", "sobel"), ("untrained", None)])
def test_filters_have_their_own_edges_and_the_untrained_network_the_experiments(composed, name, own, edge):
    config = composed(*SMALL, f"scoring.edge={edge}")
    control = build_control(name, config, Forgetful(), CPU)
    assert control.config.scoring.edge == (own or edge)
    assert config.scoring.edge == edge, "the experiment's own config stays as it was"


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_fitted_and_score_finitely(composed, name):
    config = composed(*SMALL)
    control, normal, test = build_control(name, config, Forgetful(), CPU), normals(), image_set(6, 2)
    assert control.name == name
    control.fit(normal, silent)
    scores = control.score(test, silent)
    assert scores.anomaly_maps.shape == (6, 24, 24)
    assert np.isfinite(scores.scores).all() and len(np.unique(scores.scores)) == 6
    again = build_control(name, config, Forgetful(), CPU)
    again.fit(normal, silent)
    np.testing.assert_array_equal(again.score(test, silent).scores, scores.scores)


@pytest.mark.parametrize(
    ("name", "defect", "found"),
    [
        ("mean_brightness", "shift", True),
        ("mean_brightness", "stripes", True),
        ("raw_sobel", "shift", False),  # METHOD: it cannot see a defect that only shifts brightness
        ("raw_sobel", "stripes", True),
    ],
)
def test_controls_see_the_defects_that_they_can(composed, name, defect, found):
    control = build_control(name, composed(*SMALL, "detector=upper_tail"), Forgetful(), CPU)
    control.fit(normals(), silent)
    normal = image_set(5, 2)
    images = normal.images.clone()
    images += 0.6 if defect == "shift" else 0.6 * (torch.arange(24) % 4 < 2).float()
    decisions = control.score(ImageSet(images, normal.identities), silent).decisions
    assert decisions.all() if found else decisions.sum() <= 1


def predicted(config, channels: int = 1) -> torch.Tensor:
    with torch.inference_mode():
        return untrained_unet(config, channels).eval()(image_set(2, 3, channels=channels).images, torch.tensor([1, 10]))


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
@pytest.mark.parametrize("unet", ["attention", "no_attention", "large"])
def test_the_untrained_network_predicts_something(composed, unet, channels):
    output = predicted(composed(f"unet={unet}"), channels)
    assert output.isfinite().all()
    assert (output.std(dim=(1, 2, 3)) > 1e-3).all()
    assert not torch.equal(output[0], output[1])


def test_no_layer_of_the_untrained_network_is_zero(composed):
    unet = untrained_unet(composed(*SMALL), 1)
    assert all(layer.weight.any() for layer in unet.modules() if isinstance(layer, torch.nn.Conv2d))


def test_the_untrained_network_depends_on_the_seed_alone(composed):
    torch.manual_seed(1)
    first, state = predicted(composed(*SMALL)), torch.random.get_rng_state()
    assert torch.equal(predicted(composed(*SMALL)), first)
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(predicted(composed(*SMALL)), first)
    assert not torch.equal(predicted(composed(*SMALL, "seed=1")), first)


def test_the_untrained_network_is_not_the_one_that_training_starts_from(composed):
    config = composed(*SMALL)
    start, untrained = build_unet(config.unet, patch_size=28, image_channels=1, seed=0), untrained_unet(config, 1)
    assert not torch.equal(start.stem.weight, untrained.stem.weight)


def test_untrained_scores_are_its_own_networks(composed):
    config, test = composed(*SMALL), image_set(3, 2)
    control = Untrained(config, Forgetful(), CPU)
    control.fit(normals(), silent)
    mapped = control.scorer.mapper(test.images, test.identities)
    assert control.scorer.mapper.made().network is not None and mapped.std() > 1e-3
    np.testing.assert_array_equal(control.score(test, silent).features, measure(mapped, config.scoring).features)
