"""Exponential moving average of weights, with the warm-up that short trainings need."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class ExponentialAverage(Generic[Network]):
    """Keeps `average`, a frozen copy of `model`, as the running mean of its weights.

    The decay grows as (1 + n) / (10 + n) up to `decay`, so that the random initial weights are forgotten.
    """

    def __init__(self, model: Network, *, decay: float) -> None:
        self.average: Network = copy.deepcopy(model).requires_grad_(False).eval()
        self.decay = decay
        self._source = list(model.parameters())
        self._target = list(self.average.parameters())
        self._buffers = list(zip(self.average.buffers(), model.buffers(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the model after optimizer step `step` (1, 2, …)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        targets: list[Tensor] = [target.data for target in self._target]
        torch._foreach_lerp_(targets, [source.data for source in self._source], 1 - decay)
        for average, now in self._buffers:  # running statistics are averages already
            average.copy_(now)
