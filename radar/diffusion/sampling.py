"""The way back: DDIM steps between any two timesteps, ancestral sampling among them, and DDIM inversion (Song et al. 2021).

Signals are `(B, …)` with any axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

from torch import Tensor

from radar.diffusion.schedule import NoiseSchedule

Step = TypeVar("Step", int, Tensor)
"""One timestep for a whole batch, or timesteps `(B,)`, one for each signal of it."""
Predict = Callable[[Tensor, Step], Tensor]
"""x_t `(B, …)` and t in 1…T → predicted noise."""
Draw = Callable[[int], Tensor]
"""Step number → noise of the signals' shape."""


def levels(schedule: NoiseSchedule, timestep: int) -> tuple[float, float]:
    """√ᾱ_t and √(1−ᾱ_t); 1 and 0 at t = 0."""
    if timestep == 0:
        return 1.0, 0.0
    return float(schedule.signal[timestep - 1]), float(schedule.noise[timestep - 1])


def levels_of(
    schedule: NoiseSchedule, timestep: int | Tensor, like: Tensor
) -> tuple[float, float] | tuple[Tensor, Tensor]:
    """`levels` of one timestep for all, or of timesteps `(B,)` with as many axes as `like` `(B, …)` has."""
    return levels(schedule, timestep) if isinstance(timestep, int) else schedule.levels(timestep, like)


def clean_estimate(noisy: Tensor, predicted: Tensor, schedule: NoiseSchedule, timestep: int | Tensor) -> Tensor:
    """x̂₀ of x_t and ε̂ (Song et al. 2021, eq. 9); `timestep` is one for all, or `(B,)`."""
    signal, noise = levels_of(schedule, timestep, noisy)
    return (noisy - noise * predicted) / signal


def step_noise(schedule: NoiseSchedule, timestep: int, earlier: int, eta: float) -> float:
    """σ of the step from `timestep` to `earlier` (Song et al. 2021, eq. 16); η = 1 is ancestral sampling."""
    (signal, noise), (earlier_signal, earlier_noise) = levels(schedule, timestep), levels(schedule, earlier)
    return eta * earlier_noise / noise * math.sqrt(max(0.0, 1 - (signal / earlier_signal) ** 2))


def move(
    noisy: Tensor, predicted: Tensor, *, schedule: NoiseSchedule, timestep: int, other: int, sigma: float
) -> Tensor:
    """x at timestep `other`, before or after `timestep`, but for fresh noise of `sigma` (Song et al. 2021, eq. 12)."""
    signal, noise = levels(schedule, other)
    clean = clean_estimate(noisy, predicted, schedule, timestep)
    return signal * clean + math.sqrt(max(0.0, noise**2 - sigma**2)) * predicted


def spaced(start: int, steps: int) -> list[int]:
    """`steps` + 1 falling timesteps from `start` to 0, evenly spaced; all of them where `steps` equals `start`."""
    return [round(start * (steps - index) / steps) for index in range(steps + 1)]


def draw_count(schedule: NoiseSchedule, *, start: int, steps: int, eta: float) -> int:
    """One more than the last step number for which `reverse` asks for noise; 0 where it asks for none."""
    sigmas = [step_noise(schedule, timestep, earlier, eta) for timestep, earlier in pairwise(spaced(start, steps))]
    return max((number + 1 for number, sigma in enumerate(sigmas) if sigma > 0), default=0)


def reverse(
    noisy: Tensor, predict: Predict[int], draw: Draw, *, schedule: NoiseSchedule, start: int, steps: int, eta: float
) -> Tensor:
    """x̂₀ `(B, …)` of x at timestep `start`, in `steps` network passes."""
    for number, (timestep, earlier) in enumerate(pairwise(spaced(start, steps))):
        sigma = step_noise(schedule, timestep, earlier, eta)
        noisy = move(noisy, predict(noisy, timestep), schedule=schedule, timestep=timestep, other=earlier, sigma=sigma)
        if sigma > 0:
            noisy = noisy + sigma * draw(number)
    return noisy


def guided(predict: Predict[Step], target: Tensor, *, schedule: NoiseSchedule, weight: float) -> Predict[Step]:
    """ε̂ that pulls x_t towards `target` at the same noise (DDAD, arXiv 2305.15956, section 4.1); weight 0 leaves ε̂ as it is."""

    def conditioned(noisy: Tensor, timestep: Step) -> Tensor:
        predicted = predict(noisy, timestep)
        if weight == 0:
            return predicted
        signal, noise = levels_of(schedule, timestep, noisy)
        return predicted - noise * weight * (signal * target + noise * predicted - noisy)

    return conditioned


def invert(clean: Tensor, predict: Predict[int], *, schedule: NoiseSchedule, timesteps: list[int]) -> Tensor:
    """The latent at the last of the rising `timesteps`: Euler steps of the probability flow from the image, one pass each."""
    latent, now = clean, 0
    for later in timesteps:
        # the network knows no timestep 0: the image itself is taken for its least noisy neighbour
        latent = move(latent, predict(latent, max(now, 1)), schedule=schedule, timestep=now, other=later, sigma=0.0)
        now = later
    return latent
