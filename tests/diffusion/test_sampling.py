"""The way back against NumPy, closed forms of Gaussian data, and the equations by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from radar.diffusion.sampling import clean_estimate, guided, invert, levels, move, reverse, spaced, step_noise
from radar.diffusion.schedule import NoiseSchedule, linear_betas

LAST = 1000
SPREAD = 0.5  # standard deviation of the Gaussian data whose optimal denoiser is known
BETAS = linear_betas(LAST, first=1e-4, last=0.02)
SCHEDULE = NoiseSchedule(BETAS)
ALPHA_BAR = np.concatenate([[1.0], np.cumprod(1 - BETAS.numpy())])

AXES = pytest.mark.parametrize("axes", [(7,), (2, 5), (1, 3, 4), (1, 2, 2, 3)], ids=["vectors", "1-D", "2-D", "3-D"])


def draw(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def optimal(noisy, timestep):
    """E[ε | x_t] for x₀ ~ N(0, SPREAD²)."""
    alpha_bar = ALPHA_BAR[timestep]
    return math.sqrt(1 - alpha_bar) * noisy / (alpha_bar * SPREAD**2 + 1 - alpha_bar)


def test_timesteps_are_spaced_and_end_at_zero():
    assert spaced(5, 5) == [5, 4, 3, 2, 1, 0]
    assert spaced(250, 10) == [*range(250, -1, -25)]


def test_levels_at_zero_are_those_of_the_image():
    assert levels(SCHEDULE, 0) == (1.0, 0.0)
    assert levels(SCHEDULE, 7)[0] ** 2 == pytest.approx(ALPHA_BAR[7], rel=1e-6)


@AXES
def test_the_clean_estimate_undoes_the_forward_step(axes):
    clean, noise, timesteps = draw((2, *axes), 0), draw((2, *axes), 1), torch.tensor([300, 5])
    noisy = SCHEDULE(clean, noise, timesteps)
    torch.testing.assert_close(clean_estimate(noisy, noise, SCHEDULE, timesteps), clean)
    torch.testing.assert_close(clean_estimate(noisy[:1], noise[:1], SCHEDULE, 300), clean[:1])


def way_back_of_one(noisy: float, target: float, fresh: list[float]) -> float:
    """DDIM steps of one number in Python's floats, guided by 0.5 towards a target, with η = 0.7."""
    for number, (now, then) in enumerate(((100, 75), (75, 50), (50, 25), (25, 0))):
        bar, earlier = ALPHA_BAR[now], ALPHA_BAR[then]
        predicted = optimal(noisy, now)
        pull = math.sqrt(bar) * target + math.sqrt(1 - bar) * predicted - noisy
        predicted -= math.sqrt(1 - bar) * 0.5 * pull
        clean = (noisy - math.sqrt(1 - bar) * predicted) / math.sqrt(bar)
        sigma = 0.7 * math.sqrt((1 - earlier) / (1 - bar) * (1 - bar / earlier))
        noisy = math.sqrt(earlier) * clean + math.sqrt(1 - earlier - sigma**2) * predicted + sigma * fresh[number]
    return noisy


def latent_of_one(clean: float) -> float:
    """DDIM inversion of one number over the timesteps 20, 60 and 100."""
    for now, then in ((0, 20), (20, 60), (60, 100)):
        predicted = optimal(clean, max(now, 1))
        image = (clean - math.sqrt(1 - ALPHA_BAR[now]) * predicted) / math.sqrt(ALPHA_BAR[now])
        clean = math.sqrt(ALPHA_BAR[then]) * image + math.sqrt(1 - ALPHA_BAR[then]) * predicted
    return clean


@AXES
def test_sampling_and_inversion_are_those_of_every_number_alone(axes):
    noisy, target, *fresh = (draw((2, *axes), seed) for seed in range(6))
    back = reverse(
        noisy,
        guided(optimal, target, schedule=SCHEDULE, weight=0.5),
        fresh.__getitem__,
        schedule=SCHEDULE,
        start=100,
        steps=4,
        eta=0.7,
    )
    numbers = zip(*(each.flatten().tolist() for each in (noisy, target, *fresh)), strict=True)
    np.testing.assert_allclose(back.flatten(), [way_back_of_one(x, y, rest) for x, y, *rest in numbers], atol=1e-4)
    latent = invert(target, optimal, schedule=SCHEDULE, timesteps=[20, 60, 100])
    np.testing.assert_allclose(latent.flatten(), [latent_of_one(x) for x in target.flatten().tolist()], atol=1e-4)
    assert back.shape == latent.shape == (2, *axes)


@pytest.mark.parametrize("timestep", [2, 50, 999])
def test_a_step_of_one_with_eta_one_is_the_ddpm_posterior(timestep):
    """Ho et al. 2020, eq. 7: mean and variance of q(x_{t−1} | x_t, x̂₀)."""
    noisy, predicted = draw((1, 1, 8, 8), 2).double(), draw((1, 1, 8, 8), 3).double()
    sigma = step_noise(SCHEDULE, timestep, timestep - 1, 1.0)
    got = move(noisy, predicted, schedule=SCHEDULE, timestep=timestep, other=timestep - 1, sigma=sigma)
    beta, now, before = BETAS[timestep - 1].item(), ALPHA_BAR[timestep], ALPHA_BAR[timestep - 1]
    clean = (noisy - math.sqrt(1 - now) * predicted) / math.sqrt(now)
    mean = (math.sqrt(before) * beta * clean + math.sqrt(1 - beta) * (1 - before) * noisy) / (1 - now)
    assert sigma**2 == pytest.approx((1 - before) / (1 - now) * beta, rel=2e-3)
    torch.testing.assert_close(got, mean, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_white_noise_becomes_data_of_the_right_spread(eta):
    noisy = draw((1, 1, 100, 100), 5)
    back = reverse(
        noisy,
        optimal,
        lambda number: draw(noisy.shape, 100 + number),
        schedule=SCHEDULE,
        start=LAST,
        steps=LAST,
        eta=eta,
    )
    assert back.std().item() == pytest.approx(SPREAD, rel=0.03)


def test_deterministic_steps_draw_nothing():
    drawn = []

    def count(number):
        drawn.append(number)
        return draw((1, 1, 2, 2), number)

    def end(eta):
        return reverse(draw((1, 1, 2, 2), 0), optimal, count, schedule=SCHEDULE, start=10, steps=5, eta=eta)

    assert torch.equal(end(0.0), end(0.0)) and not drawn
    end(1.0)
    assert drawn  # so that the counter is known to count


def test_guidance_of_zero_is_the_unconditional_sampler():
    noisy, target = draw((1, 1, 8, 8), 6), draw((1, 1, 8, 8), 7)
    conditioned = guided(optimal, target, schedule=SCHEDULE, weight=0.0)
    keys = {"schedule": SCHEDULE, "start": 250, "steps": 10, "eta": 1.0}
    plain = reverse(noisy, optimal, lambda number: draw(noisy.shape, number), **keys)
    assert torch.equal(reverse(noisy, conditioned, lambda number: draw(noisy.shape, number), **keys), plain)


def test_guidance_is_the_papers_equation():
    """DDAD, section 4.1: ε̃ = ε̂ − √(1−ᾱ) w (y_t − x_t) with y_t = √ᾱ y + √(1−ᾱ) ε̂."""
    noisy, target = draw((1, 1, 4, 4), 8), draw((1, 1, 4, 4), 9)
    predicted, alpha_bar = optimal(noisy, 100), ALPHA_BAR[100]
    target_noisy = math.sqrt(alpha_bar) * target + math.sqrt(1 - alpha_bar) * predicted
    expected = predicted - math.sqrt(1 - alpha_bar) * 3.0 * (target_noisy - noisy)
    torch.testing.assert_close(guided(optimal, target, schedule=SCHEDULE, weight=3.0)(noisy, 100), expected)


def test_more_guidance_brings_the_reconstruction_nearer_to_the_image():
    target = draw((1, 1, 16, 16), 10) * SPREAD
    noisy = SCHEDULE(target, draw(target.shape, 11), torch.tensor([250]))
    distances = [
        (
            reverse(
                noisy,
                guided(optimal, target, schedule=SCHEDULE, weight=weight),
                draw,
                schedule=SCHEDULE,
                start=250,
                steps=10,
                eta=0.0,
            )
            - target
        )
        .abs()
        .mean()
        .item()
        for weight in (0.0, 1.0, 4.0)
    ]
    assert distances[0] > distances[1] > distances[2]


def test_inversion_brings_normal_data_to_the_prior_and_a_loud_image_beyond_it():
    steps = [*range(1, LAST + 1)]
    normal = invert(draw((1, 1, 64, 64), 12) * SPREAD, optimal, schedule=SCHEDULE, timesteps=steps)
    loud = invert(draw((1, 1, 64, 64), 12) * 2 * SPREAD, optimal, schedule=SCHEDULE, timesteps=steps)
    assert normal.std().item() == pytest.approx(1.0, rel=0.05)
    assert loud.std().item() == pytest.approx(2.0, rel=0.05)


def test_inversion_is_undone_by_the_way_back():
    clean = draw((1, 1, 16, 16), 13) * SPREAD
    latent = invert(clean, optimal, schedule=SCHEDULE, timesteps=[*range(1, 201)])
    back = reverse(latent, optimal, draw, schedule=SCHEDULE, start=200, steps=200, eta=0.0)
    torch.testing.assert_close(back, clean, atol=0.01, rtol=0.02)


def test_inversion_asks_the_network_once_per_timestep():
    asked = []

    def remember(noisy, timestep):
        asked.append(timestep)
        return optimal(noisy, timestep)

    invert(draw((1, 1, 2, 2), 0), remember, schedule=SCHEDULE, timesteps=[333, 666, 999])
    assert asked == [1, 333, 666]
