"""ε-prediction: the loss by which a network learns to tell noise from image (Ho et al. 2020; arXiv 2508.04818)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.config.method_settings import SimplexConfig
from radar.config.schema import DiffusionConfig
from radar.diffusion.schedule import build_schedule
from radar.diffusion.simplex import simplex_noise
from radar.seeds import StepClock, uniform

Predict = Callable[[Tensor, Tensor], Tensor]
"""Noisy signals `(B, …)` and timesteps `(B,)` in 1…T → predicted noise."""


class DiffusionObjective:
    """E‖ε − ε̂(√ᾱ_t x₀ + √(1−ᾱ_t) ε, t)‖² (Ho et al. 2020, eq. 14) of signals `(B, …)` with any axes; `Objective`.

    Noise and timesteps of step n are a function of (seed, n), so a resumed run repeats an uninterrupted one.
    """

    training_mode = True
    compiles = True

    def __init__(self, config: DiffusionConfig, *, simplex: SimplexConfig | None) -> None:
        """ε is white and Gaussian, or octaves of `simplex` noise."""
        self.config = config
        self.simplex = simplex
        self.schedule = build_schedule(config)
        self.frozen: Sequence[nn.Module] = (self.schedule,)

    def loss(self, network: Predict, clean: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
        """Mean squared error of ε̂ for each signal, `(B,)`."""
        predicted = network(self.schedule(clean, noise, timestep), timestep)
        error = F.mse_loss(predicted.float(), noise, reduction="none")
        return error.mean(dim=tuple(range(1, error.ndim))) if error.ndim > 1 else error

    def training_loss(self, network: Predict, crops: Tensor, clock: StepClock) -> Tensor:
        stream, share = clock.stream("training", 0, clock.step), clock.share(len(crops))
        count = len(crops) * clock.world_size
        timestep = self.draw_timesteps(count, stream)[share]
        noise = self.draw_noise(torch.Size((count, *crops.shape[1:])), stream)[share]
        return self.loss(network, crops, noise, timestep).mean()

    def validation_losses(self, network: Predict, crops: Tensor, clock: StepClock) -> dict[str, Tensor]:
        """At fixed noise and each of the chosen timesteps, and all of those together."""
        losses = {}
        for timestep in self.config.validation_timesteps:
            noise = self.draw_noise(crops.shape, clock.stream("validation", clock.batch, timestep))
            steps = torch.full((len(crops),), timestep, device=crops.device)
            losses[f"validation_loss/t{timestep}"] = self.loss(network, crops, noise, steps).mean()
        return {**losses, "validation_loss": torch.stack(list(losses.values()))}

    def draw_noise(self, shape: torch.Size, stream: torch.Generator) -> Tensor:
        """Noise of variance 1 on the stream's device."""
        if self.simplex is not None:
            return simplex_noise(shape, uniform(stream), self.simplex)
        return torch.randn(shape, generator=stream, device=stream.device)

    def draw_timesteps(self, count: int, stream: torch.Generator) -> Tensor:
        """Timesteps `(count,)` in 1…T: uniform as published, or log-uniform, which visits the small ones often."""
        position, last = torch.rand(count, generator=stream, device=stream.device), self.schedule.timesteps
        if self.config.timestep_sampling == "log_uniform":
            position = (torch.exp(position * math.log(last + 1)) - 1) / last
        return (position * last).long().clamp(max=last - 1) + 1
