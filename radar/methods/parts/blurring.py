"""Gaussian blurs of maps."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d
from torch import Tensor


def blurred(maps: Tensor, sigma: float) -> Tensor:
    """Maps `(B, C, H, W)` after a Gaussian blur of `sigma` px; the edge pixels are repeated."""
    if sigma == 0:
        return maps
    reach = math.ceil(3 * sigma)
    if torch.compiler.is_exporting():
        return _as_constants(maps, sigma, reach)
    kernel = 2 * reach + 1
    return gaussian_blur2d(maps, (kernel, kernel), (sigma, sigma), border_type="replicate")


def _as_constants(maps: Tensor, sigma: float, reach: int) -> Tensor:
    """The same of weights that are constants: a graph would compute those of kornia anew, with forty operations for a blur."""
    weights = [math.exp(-((place / sigma) ** 2) / 2) for place in range(-reach, reach + 1)]
    line = torch.tensor([weight / sum(weights) for weight in weights], dtype=maps.dtype).expand(maps.shape[1], 1, 1, -1)
    padded = F.pad(maps, [reach] * 4, mode="replicate")
    rows = F.conv2d(padded, line, groups=maps.shape[1])
    return F.conv2d(rows, line.transpose(2, 3), groups=maps.shape[1])
