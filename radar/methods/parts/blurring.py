"""Gaussian blurs of maps."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d
from torch import Tensor

_SMALL = 320  # px per side up to which a product of matrices takes less time than a convolution, on CPUs


def blurred(maps: Tensor, sigma: float) -> Tensor:
    """Maps `(B, C, H, W)` after a Gaussian blur of `sigma` px, cut at 3 σ; the edge pixels are repeated."""
    if sigma == 0:
        return maps
    reach = math.ceil(3 * sigma)
    if torch.compiler.is_exporting():
        return _as_constants(maps, sigma, reach)
    height, width = maps.shape[-2:]
    if max(height, width) <= _SMALL:
        return _matrix(height, sigma, maps) @ (maps @ _matrix(width, sigma, maps).T)
    kernel = 2 * reach + 1
    return gaussian_blur2d(maps, (kernel, kernel), (sigma, sigma), border_type="replicate")


def _weights(sigma: float) -> list[float]:
    reach = math.ceil(3 * sigma)
    weights = [math.exp(-((place / sigma) ** 2) / 2) for place in range(-reach, reach + 1)]
    return [weight / sum(weights) for weight in weights]


def _matrix(length: int, sigma: float, like: Tensor) -> Tensor:
    """`(length, length)`: what each place of a blurred line takes from each place of the line; beyond its ends, these are repeated."""
    weights = torch.tensor(_weights(sigma), dtype=like.dtype, device=like.device)
    places = torch.arange(length, device=like.device)[:, None] + torch.arange(len(weights), device=like.device)
    sources = (places - len(weights) // 2).clamp(0, length - 1)
    return torch.zeros(length, length, dtype=like.dtype, device=like.device).scatter_add_(
        1, sources, weights.expand(length, -1)
    )


def _as_constants(maps: Tensor, sigma: float, reach: int) -> Tensor:
    """The same of weights that are constants: a graph would compute those of kornia anew, with forty operations for a blur."""
    line = torch.tensor(_weights(sigma), dtype=maps.dtype).expand(maps.shape[1], 1, 1, -1)
    padded = F.pad(maps, [reach] * 4, mode="replicate")
    rows = F.conv2d(padded, line, groups=maps.shape[1])
    return F.conv2d(rows, line.transpose(2, 3), groups=maps.shape[1])
