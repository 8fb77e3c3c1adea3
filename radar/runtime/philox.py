"""Random numbers that NumPy alone reproduces: a counter-based generator, keyed by seed, content and number of the draw.

The raw bits of NumPy's Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") are the same in all of its
releases and on every machine; what is made of them here uses no other generator's algorithm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray


class PhiloxStream:
    """The numbers of one image's draw; each call goes on where the one before ended."""

    def __init__(self, seed: int, identity: str, number: int) -> None:
        digest = hashlib.sha256(f"{seed}/scoring/{identity}/{number}".encode()).digest()
        key = np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)
        self._bits = np.random.Philox(key=key)

    def uniform(self, shape: Sequence[int]) -> NDArray[np.float32]:
        """Uniform in [0, 1): the upper 24 bits of each 64."""
        raw = self._bits.random_raw(prod(shape))
        return ((raw >> np.uint64(40)) * np.float32(2.0**-24)).astype(np.float32).reshape(tuple(shape))

    def gaussian(self, shape: Sequence[int]) -> NDArray[np.float32]:
        """Standard Gaussian (Box & Muller 1958), computed in float64 from the upper 53 bits of each 64."""
        count = prod(shape)
        raw = self._bits.random_raw(2 * ((count + 1) // 2)).reshape(2, -1)
        first, second = (raw >> np.uint64(11)) * 2.0**-53
        radius, angle = np.sqrt(-2 * np.log1p(-first)), 2 * np.pi * second  # 1 − first lies in (0, 1]
        pairs = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
        return pairs[:count].astype(np.float32).reshape(tuple(shape))
