"""The edge map: Gaussian blur, then the Sobel magnitude (METHOD, steps 5 and 7); it is also the pixel-level map."""

from __future__ import annotations

from kornia.filters import gaussian_blur2d, sobel
from torch import Tensor

from radar.config import ScoringConfig


def edge_map(noise_map: Tensor, scoring: ScoringConfig) -> Tensor:
    """Noise maps `(B, C, H, W)` → edge maps `(B, H, W)` ≥ 0, the L2 norm over channels of the filtered noise.

    With `edge: none` the blurred noise itself is measured, which stochastic texture needs (METHOD, last table row).
    """
    kernel, sigma = scoring.blur.kernel, scoring.blur.sigma
    blurred = gaussian_blur2d(noise_map, (kernel, kernel), (sigma, sigma)) if kernel > 1 else noise_map
    filtered = sobel(blurred) if scoring.edge == "sobel" else blurred
    return filtered.square().sum(dim=1).sqrt()
