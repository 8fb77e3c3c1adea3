"""Independent random streams: every draw is a function of (seed, stream, position), never of what was drawn before."""

from __future__ import annotations

import hashlib
from typing import Literal

import torch

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
