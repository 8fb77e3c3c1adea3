"""The noise that an image is scored with: a function of seed, content and number, drawn outside the model on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from radar.config.method_settings import SimplexConfig
from radar.diffusion.simplex import simplex_noise
from radar.runtime.philox import PhiloxStream


@dataclass(frozen=True)
class NoiseDraws:
    """What a fitted method takes beside each image."""

    count: int  # K draws; 0: none
    simplex: SimplexConfig | None = None  # None: white Gaussian

    def of(self, identities: Sequence[str], shape: tuple[int, int, int], seed: int) -> Tensor | None:
        """Noise `(N, K, C, h, w)` for the images whose content hashes are `identities`; None where none is taken."""
        if self.count == 0:
            return None
        images = [
            torch.stack([self._draw(each, number, shape, seed) for number in range(self.count)]) for each in identities
        ]
        return torch.stack(images)

    def _draw(self, identity: str, number: int, shape: tuple[int, int, int], seed: int) -> Tensor:
        stream = PhiloxStream(seed, identity, number)
        if self.simplex is None:
            return torch.from_numpy(stream.gaussian(shape))
        return simplex_noise((1, *shape), lambda asked: torch.from_numpy(stream.uniform(asked)), self.simplex)[0]


def drawn(noise: Tensor | None) -> Tensor:
    """The noise of a method that takes some. Raises `ValueError` where none was handed in."""
    if noise is None:
        raise ValueError("this method scores with noise, and none was handed in; draw it with its `draws`")
    return noise
