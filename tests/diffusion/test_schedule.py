"""The forward process, against products written out in NumPy float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_builders import diffusion_config

from radar.diffusion.schedule import NoiseSchedule, alpha_bars, build_schedule, cosine_betas, linear_betas


def linear_reference(steps: int, first: float, last: float) -> np.ndarray:
    product, result = 1.0, []
    for step in range(steps):
        product *= 1 - (first + (last - first) * step / (steps - 1))
        result.append(product)
    return np.array(result)


def cosine_reference(steps: int, offset: float) -> np.ndarray:
    def level(time: float) -> float:
        return math.cos((time / steps + offset) / (1 + offset) * math.pi / 2) ** 2

    product, result = 1.0, []
    for step in range(1, steps + 1):
        product *= 1 - min(1 - level(step) / level(step - 1), 0.999)
        result.append(product)
    return np.array(result)


def reference(name: str) -> np.ndarray:
    return linear_reference(1000, 1e-4, 0.02) if name == "linear" else cosine_reference(1000, 0.008)


@pytest.mark.parametrize(
    ("steps", "first", "last"), [(1000, 1e-4, 0.02), (7, 0.1, 0.5), (2, 0.3, 0.3)], ids=["paper", "seven", "constant"]
)
def test_linear_alpha_bars(steps, first, last):
    computed = alpha_bars(linear_betas(steps, first=first, last=last))
    assert computed.dtype == torch.float64
    np.testing.assert_allclose(computed.numpy(), linear_reference(steps, first, last), rtol=1e-12)


@pytest.mark.parametrize(("steps", "offset"), [(1000, 0.008), (10, 0.2)], ids=["paper", "ten"])
def test_cosine_alpha_bars(steps, offset):
    computed = alpha_bars(cosine_betas(steps, offset=offset))
    np.testing.assert_allclose(computed.numpy(), cosine_reference(steps, offset), rtol=1e-9)


def test_the_last_cosine_betas_are_clipped():
    betas = cosine_betas(1000, offset=0.008)
    assert betas.max() == betas[-1] == 0.999
    assert betas[-2] < 0.999


@pytest.mark.parametrize(("name", "sigma"), [("linear", 0.010), ("cosine", 0.0064)])
def test_noise_level_of_the_first_step_is_the_documented_one(name, sigma):
    schedule = build_schedule(diffusion_config(schedule=name))
    assert round(schedule.noise[0].item(), 4) == sigma


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_buffers_are_rounded_float64_values(name):
    schedule = build_schedule(diffusion_config(schedule=name))
    alpha_bar = reference(name)
    assert schedule.timesteps == 1000
    assert not schedule.state_dict(), "coefficients are rebuilt from the config, never loaded"
    # an ulp of slack: the two products round their last float64 bits apart
    np.testing.assert_allclose(schedule.signal.numpy(), np.sqrt(alpha_bar).astype(np.float32), rtol=1.2e-7, atol=0)
    np.testing.assert_allclose(schedule.noise.numpy(), np.sqrt(1 - alpha_bar).astype(np.float32), rtol=1.2e-7, atol=0)


def test_buffers_are_computed_in_float64():
    """In float32, 1 − ᾱ_1 of a β of 1e-7 would be off by a fifth."""
    schedule = NoiseSchedule(torch.tensor([1e-7, 1e-7], dtype=torch.float64))
    np.testing.assert_allclose(schedule.noise.numpy(), [math.sqrt(1e-7), math.sqrt(2e-7 - 1e-14)], rtol=1e-6)


@pytest.mark.parametrize("axes", [(), (6,), (2, 7), (2, 3, 5), (1, 2, 3, 4)], ids=lambda axes: f"{len(axes)}-axes")
def test_forward_step_for_mixed_timesteps(axes):
    schedule = NoiseSchedule(torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64))
    stream = np.random.default_rng(0)
    clean, noise = stream.normal(size=(2, 4, *axes)).astype(np.float32)
    timestep = [3, 1, 2, 1]
    alpha_bar = {1: 0.9, 2: 0.9 * 0.8, 3: 0.9 * 0.8 * 0.6}  # by hand: t = 1 is β_1 alone, t = T all of them
    expected = [
        math.sqrt(alpha_bar[t]) * x + math.sqrt(1 - alpha_bar[t]) * e
        for t, x, e in zip(timestep, clean, noise, strict=True)
    ]
    noisy = schedule(torch.from_numpy(clean), torch.from_numpy(noise), torch.tensor(timestep))
    np.testing.assert_allclose(noisy.numpy(), np.stack(expected), rtol=1e-5, atol=1e-6)


def test_unit_variance_is_kept_at_every_step():
    schedule = build_schedule(diffusion_config(schedule="cosine"))
    np.testing.assert_allclose((schedule.signal**2 + schedule.noise**2).numpy(), 1, atol=2e-7)
    assert (schedule.noise.diff() >= 0).all() and (schedule.signal.diff() < 0).all()
