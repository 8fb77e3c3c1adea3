"""Reconstruction with an optimal denoiser: what it must remove, keep, and not depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from denoiser_builders import ORACLE, SPREAD, Oracle, oracle_normals, with_spots
from method_builders import answers, image_set
from network_builders import untrained
from trained import fitted_with

from radar.errors import ConfigError
from radar.methods.parts.reconstruction import absolute_error, squared_error
from radar.methods.registry import method_of
from radar.scoring.noise_draws import NoiseDraws

STEPS = ("method.reconstruction.start=250", "method.reconstruction.steps=10")


def fitted(composed, name, *overrides):
    config = composed(*ORACLE, f"method={name}", *STEPS, *overrides)
    return fitted_with(config, Oracle(config), oracle_normals())


def _identity(training):
    return training.name, training.inputs, training.patch, training.training


def reconstructed(method, planes, identity, *arguments):
    noise = method.draws.of([identity], tuple(planes.shape[1:]), 0)
    return method.reconstruct(planes, noise, *arguments)


def test_errors_by_hand():
    image, back = torch.tensor([[[[1.0]], [[0.0]]]]), torch.tensor([[[[0.0]], [[2.0]]]])
    assert squared_error(image, back).item() == 2.5
    assert absolute_error(image, back).item() == 1.5


@pytest.mark.parametrize("name", ["ddpm", "anoddpm"])
def test_a_planted_defect_is_found_where_it_lies(composed, name):
    method = fitted(composed, name)
    maps, normal = (method.read(answers(method, images)) for images in (with_spots(), oracle_normals().validation))
    assert maps.points[:3].min() > max(maps.points[3:].max(), normal.points.max())
    for mapped in maps.anomaly[:3]:
        row, column = divmod(int(mapped.argmax()), 24)
        assert 8 <= row <= 15 and 8 <= column <= 15


def test_the_map_is_that_of_ancestral_sampling_with_the_images_own_draws(composed):
    """Ho et al. 2020, algorithm 2, in NumPy: draw 0 noises the image, draw k follows the k-th step back."""
    method = fitted(composed, "ddpm", "method.reconstruction.start=5", "method.reconstruction.steps=5")
    image = image_set(1, 3)
    draws = NoiseDraws(5).of(["3/0"], (1, 24, 24), 0)[0].numpy()
    betas = np.linspace(1e-4, 0.02, 1000)
    bars = np.cumprod(1 - betas)
    clean = image.planes.whole[0].numpy().astype(np.float64)
    x = np.sqrt(bars[4]) * clean + np.sqrt(1 - bars[4]) * draws[0]
    for number, t in enumerate((4, 3, 2, 1, 0)):
        predicted = np.sqrt(1 - bars[t]) * x / (bars[t] * SPREAD**2 + 1 - bars[t])
        x = (x - betas[t] / np.sqrt(1 - bars[t]) * predicted) / np.sqrt(1 - betas[t])
        if t > 0:
            x = x + np.sqrt((1 - bars[t - 1]) / (1 - bars[t]) * betas[t]) * draws[number + 1]
    expected = (clean - x.clip(-1, 1)) ** 2
    np.testing.assert_allclose(answers(method, image)[0].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize(("eta", "count"), [(1, 10), (0.5, 10), (0, 1)])
def test_it_asks_for_one_draw_and_one_more_for_every_step_that_draws(composed, eta, count):
    assert fitted(composed, "ddpm", f"method.reconstruction.eta={eta}").draws == NoiseDraws(count)


def test_ancestral_reconstructions_have_the_spread_of_normals(composed):
    method = fitted(composed, "ddpm", "method.reconstruction.start=999", "method.reconstruction.steps=999")
    backs = [reconstructed(method, torch.zeros(1, 1, 24, 24), str(index)) for index in range(4)]
    assert torch.cat(backs).std().item() == pytest.approx(SPREAD, rel=0.08)


def test_simplex_noise_is_trained_with_and_scored_with(composed):
    normal, config = oracle_normals(), composed(*ORACLE, "method=anoddpm", *STEPS)
    simplex = config.method.settings.reconstruction.simplex
    (own,), (plain,) = (
        method_of(config).trainings(normal),
        method_of(composed(*ORACLE, "method=ddpm")).trainings(normal),
    )
    assert own.material({}).objective.simplex == simplex and plain.material({}).objective.simplex is None
    assert own.inputs != plain.inputs
    draws = fitted(composed, "anoddpm").draws
    assert draws == NoiseDraws(10, simplex)
    first, other = draws.of(["a", "b"], (1, 24, 24), 0)
    assert not torch.equal(first, other)
    assert first.diff(dim=3).std() < 0.8 * first.std()  # white noise: √2 times


def test_one_network_serves_all_that_add_white_noise(composed):
    normal = oracle_normals()
    shared = [
        method_of(composed(*ORACLE, f"method={name}")).trainings(normal)[0] for name in ("ddpm", "ddad", "diffusion_ad")
    ]
    assert all(_identity(each) == _identity(shared[0]) for each in shared)


@pytest.mark.parametrize("name", ["ddpm", "anoddpm", "ddad"])
def test_an_answer_does_not_depend_on_the_batch(composed, name):
    """DDAD's authors scale a map by the maximum of its batch."""
    config = composed(*ORACLE, f"method={name}", "method.reconstruction.steps=3")
    method, test = fitted_with(config, untrained(config, 1), oracle_normals()), with_spots(4)
    together = answers(method, test)
    assert torch.equal(answers(method, test[3:]), together[3:])
    torch.testing.assert_close(answers(method, test, images_per_pass=4), together, rtol=1e-4, atol=1e-6)


def test_an_image_without_noise_is_refused(composed):
    with pytest.raises(ValueError, match="noise"):
        fitted(composed, "ddpm").respond(image_set(1, 0).planes.whole, None)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.reconstruction.start=2000", r"start=2000: must be ≤ diffusion\.timesteps=1000"),
        ("method.reconstruction.steps=251", r"steps=251: must be ≤ method\.reconstruction\.start=250"),
        ("detector=isolation_forest", r"use detector=upper_tail"),
    ],
)
def test_broken_rules_are_one_line(composed, override, message):
    with pytest.raises(ConfigError, match=message):
        composed(*ORACLE, "method=ddpm", override)
