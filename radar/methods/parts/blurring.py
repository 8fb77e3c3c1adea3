"""Gaussian blurs of maps."""

from __future__ import annotations

import math

from kornia.filters import gaussian_blur2d
from torch import Tensor


def blurred(maps: Tensor, sigma: float) -> Tensor:
    """Maps `(B, C, H, W)` after a Gaussian blur of `sigma` px; the edge pixels are repeated."""
    if sigma == 0:
        return maps
    kernel = 2 * math.ceil(3 * sigma) + 1
    return gaussian_blur2d(maps, (kernel, kernel), (sigma, sigma), border_type="replicate")
