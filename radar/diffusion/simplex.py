"""Octaves of two-dimensional simplex noise (Perlin 2001), for a batch at once; the noise of AnoDDPM (Wyatt et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from radar.config.method_settings import SimplexConfig
from radar.seeds import Uniform

_SKEW, _UNSKEW = (math.sqrt(3) - 1) / 2, (3 - math.sqrt(3)) / 6
_REACH = 0.5  # squared radius of a corner's bump, which ends at the opposite side of its triangles
# variance of the bumps with unit gradients, averaged over positions: ∫ (½ − r²)⁸ r²/2 dA over the area 1/√3 of a corner
_VARIANCE = math.pi / (2 * 90 * 2**10) * math.sqrt(3)


def simplex_noise(shape: Sequence[int], uniform: Uniform, config: SimplexConfig) -> Tensor:
    """Noise of `shape` `(B, C, H, W)` of mean 0 and variance 1 over draws, on the device of the `uniform` draws it is made of.

    Every channel is a draw of its own: for each octave `uniform` is asked twice, for offsets `(2, B·C, 1, 1)` and for angles
    `(B·C, lattice points)`. Lattice cells are `wavelength` px wide in the first octave and half as wide, with `persistence`
    times the amplitude, in each further one.
    """
    batch, channels, height, width = shape
    total, energy = torch.zeros(()), 0.0
    for octave in range(config.octaves):
        amplitude = config.persistence**octave
        total = total + amplitude * _octave(batch * channels, height, width, config.wavelength / 2**octave, uniform)
        energy += amplitude**2
    return (total / math.sqrt(energy)).reshape(tuple(shape))


def _octave(count: int, height: int, width: int, wavelength: float, uniform: Uniform) -> Tensor:
    """`count` fields `(count, H, W)` of variance 1, each with gradients and an offset of its own."""
    offset = uniform((2, count, 1, 1))
    device = offset.device
    row = torch.arange(height, device=device)[None, :, None] / wavelength + offset[0]
    column = torch.arange(width, device=device)[None, None, :] / wavelength + offset[1]
    skew = (row + column) * _SKEW
    top, left = torch.floor(row + skew), torch.floor(column + skew)
    y, x = row - top + (top + left) * _UNSKEW, column - left + (top + left) * _UNSKEW
    lower = (y > x).float()  # which of the cell's two triangles
    span = math.ceil((1 + 2 * _SKEW) * (max(height, width) / wavelength + 1)) + 3
    angle = 2 * math.pi * uniform((count, span * span))
    field = torch.zeros(count, height, width, device=device)
    for down, right in (
        (torch.zeros_like(lower), torch.zeros_like(lower)),
        (lower, 1 - lower),
        (lower * 0 + 1, lower * 0 + 1),
    ):
        dy, dx = y - down + (down + right) * _UNSKEW, x - right + (down + right) * _UNSKEW
        corner = ((top + down) * span + left + right).long()
        gradient = angle.gather(1, corner.expand(count, height, width).flatten(1)).reshape(field.shape)
        bump = (_REACH - dy.square() - dx.square()).clamp(min=0) ** 4
        field += bump * (gradient.sin() * dy + gradient.cos() * dx)
    return field / math.sqrt(_VARIANCE)
