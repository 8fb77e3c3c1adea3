"""Independent random streams: every draw is a function of (seed, stream, position), never of what was drawn before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Stream = Literal["initialisation", "untrained", "crops", "training", "validation", "scoring", "detector", "method"]


def stream_seed(seed: int, stream: Stream, *position: int | str) -> int:
    """A 63-bit seed for one position of one stream.

    Stateless streams need no generator state in a checkpoint: step n draws the same numbers whether or not the run was
    interrupted before it, and an image's scoring noise does not depend on the images scored before it.
    """
    text = "/".join(str(part) for part in (seed, stream, *position))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(device: torch.device | str, seed: int, stream: Stream, *position: int | str) -> torch.Generator:
    """A torch generator on `device`, seeded for one position of one stream."""
    return torch.Generator(device).manual_seed(stream_seed(seed, stream, *position))


Uniform = Callable[[Sequence[int]], Tensor]
"""A shape → independent draws, uniform in [0, 1), float32; the next ones at every call."""


def uniform(stream: torch.Generator) -> Uniform:
    """The uniform draws of a torch stream, on its device."""
    return lambda shape: torch.rand(tuple(shape), generator=stream, device=stream.device)


@dataclass(frozen=True)
class StepClock:
    """Where a training stands, which is all that its random draws may depend on."""

    seed: int
    step: int  # optimiser steps done
    batch: int  # number of the batch since training or validation began to loop
    rank: int  # of this process among `world_size` that train together
    world_size: int
    device: torch.device

    def stream(self, name: Stream, *position: int | str) -> torch.Generator:
        """A generator on the training device for one position of a stream."""
        return generator(self.device, self.seed, name, *position)

    def share(self, count: int) -> slice:
        """This process's `count` of what is drawn for all processes: together they then compute what one would."""
        return slice(self.rank * count, (self.rank + 1) * count)
