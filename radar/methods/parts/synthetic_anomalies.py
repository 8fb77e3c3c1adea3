"""Synthetic anomalies on normal crops: blobs of another texture, for methods that learn to segment (DiffusionAD, section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from radar.config.method_settings import SimplexConfig
from radar.diffusion.simplex import simplex_noise
from radar.seeds import uniform

_BLOB = 0.5  # px of a blob mask's coarsest structure, per px of the crop
_EDGE = 0.9  # level of the unit-variance field above which a pixel belongs to a blob: about a fifth of them
_OPACITY = (0.2, 1.0)  # of the foreign texture
_SHIFT = 0.6  # largest change of brightness of foreign texture, images being in [−1, 1]


def plant(crops: Tensor, share: float, stream: torch.Generator) -> tuple[Tensor, Tensor]:
    """Crops `(B, C, p, p)` with blobs in a `share` of them, and their masks `(B, 1, p, p)` in {0, 1}.

    What shows in a blob is a mirrored crop of the same batch in other brightness, or noise of another scale.
    """
    count, device = len(crops), stream.device
    blob = SimplexConfig(wavelength=_BLOB * crops.shape[-1], octaves=2, persistence=0.5)
    chosen = torch.rand(count, 1, 1, 1, generator=stream, device=device) < share
    mask = (simplex_noise(crops[:, :1].shape, uniform(stream), blob) > _EDGE) & chosen
    low, high = _OPACITY
    opacity = (low + (high - low) * torch.rand(count, 1, 1, 1, generator=stream, device=device)) * mask
    return (crops + opacity * (_foreign(crops, stream) - crops)).clamp(-1, 1), mask.float()


def _foreign(crops: Tensor, stream: torch.Generator) -> Tensor:
    """A texture for every crop, `(B, C, p, p)`."""
    count, device = len(crops), stream.device
    shift = _SHIFT * (2 * torch.rand(count, 1, 1, 1, generator=stream, device=device) - 1)
    other = crops.roll(1, dims=0).flip((2, 3)) + shift
    grain = SimplexConfig(wavelength=8.0, octaves=3, persistence=0.8)
    noise = (
        crops.mean(dim=(2, 3), keepdim=True) + shift + crops.std() * simplex_noise(crops.shape, uniform(stream), grain)
    )
    return torch.where(torch.rand(count, 1, 1, 1, generator=stream, device=device) < 0.5, other, noise)
