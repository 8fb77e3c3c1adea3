"""The forward process: betas in float64, and x_t in one step (Ho et al. 2020, eq. 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from radar.config.schema import DiffusionConfig

_LARGEST_BETA = 0.999  # Nichol & Dhariwal 2021, section 3.2: keeps the last cosine steps from dividing by zero


def linear_betas(timesteps: int, *, first: float, last: float) -> Tensor:
    """Evenly spaced β_1…β_T, float64 `(T,)` (Ho et al. 2020, section 4)."""
    return torch.linspace(first, last, timesteps, dtype=torch.float64)


def cosine_betas(timesteps: int, *, offset: float) -> Tensor:
    """β_1…β_T of the squared-cosine ᾱ, float64 `(T,)` (Nichol & Dhariwal 2021, eq. 17)."""
    time = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
    alpha_bar = torch.cos((time + offset) / (1 + offset) * math.pi / 2) ** 2
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=_LARGEST_BETA)


def alpha_bars(betas: Tensor) -> Tensor:
    """ᾱ_t = ∏ (1 − β_s), s ≤ t; same shape and dtype as `betas`."""
    return torch.cumprod(1 - betas, dim=0)


def append_axes(values: Tensor, like: Tensor) -> Tensor:
    """`(B,)` → `(B, 1, …)`, with as many axes as `like` `(B, …)` has."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


class NoiseSchedule(nn.Module):
    """The two coefficients of the forward step, as float32 buffers of length T computed in float64."""

    signal: Tensor  # √ᾱ_t
    noise: Tensor  # √(1−ᾱ_t), the noise level σ

    def __init__(self, betas: Tensor) -> None:
        super().__init__()
        alpha_bar = alpha_bars(betas.double())
        self.register_buffer("signal", alpha_bar.sqrt().float(), persistent=False)
        self.register_buffer("noise", (1 - alpha_bar).sqrt().float(), persistent=False)

    @property
    def timesteps(self) -> int:
        """T, the number of forward steps."""
        return self.signal.numel()

    def levels(self, timestep: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ_t and √(1−ᾱ_t) at timesteps `(B,)` in 1…T, each with as many axes as `like` `(B, …)` has."""
        index = timestep - 1
        return append_axes(self.signal[index], like), append_axes(self.noise[index], like)

    def forward(self, clean: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
        """x_t for signals `(B, …)` with any axes, noise of the same shape and timesteps `(B,)` in 1…T."""
        signal, level = self.levels(timestep, clean)
        return signal * clean + level * noise


def build_schedule(config: DiffusionConfig) -> NoiseSchedule:
    """The noise schedule that `diffusion.schedule` names."""
    if config.schedule == "cosine":
        return NoiseSchedule(cosine_betas(config.timesteps, offset=config.cosine_offset))
    return NoiseSchedule(linear_betas(config.timesteps, first=config.first_beta, last=config.last_beta))
