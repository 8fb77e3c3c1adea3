"""ε-prediction: its loss against NumPy, the frequencies of its timesteps, and draws that are functions of the step."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_builders import diffusion_config
from scipy import stats

from radar.config.method_settings import SimplexConfig
from radar.diffusion.objective import DiffusionObjective
from radar.seeds import StepClock, generator

SHAPES = pytest.mark.parametrize(
    "axes", [(), (7,), (2, 9), (1, 5, 5), (1, 3, 4, 5)], ids=["scalars", "vectors", "signals", "images", "volumes"]
)


def objective(simplex: SimplexConfig | None = None, **changes) -> DiffusionObjective:
    return DiffusionObjective(diffusion_config(**changes), simplex=simplex)


def clock(step: int = 0, *, seed: int = 0, batch: int = 0, rank: int = 0, world_size: int = 1) -> StepClock:
    return StepClock(seed, step, batch, rank, world_size, torch.device("cpu"))


class Recorder:
    """A network that predicts k·x and remembers what it was given."""

    def __init__(self, k: float) -> None:
        self.k = k
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __call__(self, noisy, timestep):
        self.seen.append((noisy, timestep))
        return self.k * noisy


def seen(count: int, axes=(1, 6, 6), *, simplex=None, **position):
    """Noisy crops and timesteps that the network meets in one training step."""
    network = Recorder(0.5)
    objective(simplex).training_loss(network, torch.zeros(count, *axes), clock(**position))
    return network.seen[0]


@SHAPES
def test_the_loss_is_the_mean_square_of_each_signal(axes):
    """Element by element: √ᾱ_t x₀ + √(1−ᾱ_t) ε, predicted as 0.7 of itself, against ε."""
    stream = np.random.default_rng(0)
    clean, noise = stream.normal(size=(2, 3, *axes)).astype(np.float32)
    timestep = [1, 30, 1000]
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    expected = [
        ((0.7 * (math.sqrt(alpha_bar[t - 1]) * x + math.sqrt(1 - alpha_bar[t - 1]) * e) - e) ** 2).mean()
        for t, x, e in zip(timestep, clean, noise, strict=True)
    ]
    loss = objective().loss(Recorder(0.7), *map(torch.from_numpy, (clean, noise)), torch.tensor(timestep))
    assert loss.shape == (3,)
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-5)


@SHAPES
def test_training_and_validation_take_signals_of_any_axes(axes):
    network = Recorder(0.0)  # of which the loss is the energy of the noise
    losses = objective().validation_losses(network, torch.zeros(4096, *axes), clock())
    loss = objective().training_loss(network, torch.zeros(4096, *axes), clock())
    assert [each.item() for each in (loss, losses["validation_loss"])] == pytest.approx([1, 1], abs=0.1)
    assert all(noisy.shape == (4096, *axes) and timestep.shape == (4096,) for noisy, timestep in network.seen)


def draws(sampling: str, steps: int, count: int) -> np.ndarray:
    under_test = objective(timesteps=steps, timestep_sampling=sampling)
    return under_test.draw_timesteps(count, torch.Generator().manual_seed(7)).numpy()


@pytest.mark.parametrize("steps", [2, 10, 1000])
@pytest.mark.parametrize("sampling", ["uniform", "log_uniform"])
def test_timesteps_have_the_designed_frequencies(sampling, steps):
    count = 200_000
    drawn = draws(sampling, steps, count)
    assert drawn.min() >= 1 and drawn.max() <= steps
    t = np.arange(1, steps + 1)
    share = np.full(steps, 1 / steps) if sampling == "uniform" else np.log((t + 1) / t) / math.log(steps + 1)
    assert share.sum() == pytest.approx(1)
    assert stats.chisquare(np.bincount(drawn, minlength=steps + 1)[1:], count * share).pvalue > 1e-4


@pytest.mark.parametrize("sampling", ["uniform", "log_uniform"])
@pytest.mark.parametrize("value", [0.0, 1 - 2**-24], ids=["smallest", "largest"])
def test_extreme_draws_stay_inside(monkeypatch, sampling, value):
    monkeypatch.setattr(torch, "rand", lambda count, **_: torch.full((count,), value))
    assert draws(sampling, 1000, 3).tolist() == [1 if value == 0 else 1000] * 3


def test_noise_and_timesteps_are_functions_of_seed_and_step_alone():
    noisy, timestep = seen(4, step=5)
    torch.manual_seed(3)
    again, same = seen(4, step=5, batch=2)
    assert torch.equal(again, noisy) and torch.equal(same, timestep)
    for other in (seen(4, step=6), seen(4, step=5, seed=1)):
        assert not torch.equal(other[0], noisy)


def test_draws_come_from_the_documented_stream():
    noisy, timestep = seen(3, step=9, seed=2)
    stream = generator("cpu", 2, "training", 0, 9)
    under_test = objective()
    assert torch.equal(timestep, under_test.draw_timesteps(3, stream))
    noise = torch.randn(3, 1, 6, 6, generator=stream)
    assert torch.equal(noisy, under_test.schedule(torch.zeros_like(noise), noise, timestep))


@pytest.mark.parametrize(
    "simplex", [None, SimplexConfig(wavelength=6.0, octaves=2, persistence=0.5)], ids=["white", "simplex"]
)
def test_two_processes_see_what_one_sees_with_twice_the_batch(simplex):
    alone = seen(8, simplex=simplex)
    together = [seen(4, simplex=simplex, rank=rank, world_size=2) for rank in (0, 1)]
    for part in (0, 1):
        assert torch.equal(torch.cat([each[part] for each in together]), alone[part])


def test_training_noise_is_standard_normal():
    noisy, timestep = seen(64, (1, 20, 20))
    noise = noisy / objective().schedule.noise[timestep - 1].view(-1, 1, 1, 1)  # of images that are zero
    assert stats.kstest(noise.numpy().ravel(), "norm").pvalue > 1e-4


def test_validation_is_the_same_at_every_step_and_averages_the_chosen_timesteps():
    under_test, network = objective(validation_timesteps=[1, 50]), Recorder(0.5)
    first, second = (
        under_test.validation_losses(network, torch.ones(2, 1, 6, 6), clock(step, batch=3)) for step in (0, 500)
    )
    assert list(first) == ["validation_loss/t1", "validation_loss/t50", "validation_loss"]
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["validation_loss"].tolist() == [
        first["validation_loss/t1"].item(),
        first["validation_loss/t50"].item(),
    ]
    assert [timestep.tolist() for _, timestep in network.seen[:2]] == [[1, 1], [50, 50]]
