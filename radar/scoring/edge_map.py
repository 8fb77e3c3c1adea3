"""The edge map: Gaussian blur, then the Sobel magnitude (RADAR, arXiv 2508.04818); the pixel-level map follows from it."""

from __future__ import annotations

import math

from kornia.filters import gaussian_blur2d, sobel
from torch import Tensor

from radar.config.schema import ScoringConfig


def edge_map(noise_map: Tensor, scoring: ScoringConfig) -> Tensor:
    """Noise maps `(B, C, H, W)` → edge maps `(B, H, W)` ≥ 0, the L2 norm over channels of the filtered noise.

    With `edge: none` the blurred noise itself is measured, which stochastic texture needs.
    """
    kernel, sigma = scoring.blur.kernel, scoring.blur.sigma
    blurred = gaussian_blur2d(noise_map, (kernel, kernel), (sigma, sigma)) if kernel > 1 else noise_map
    filtered = sobel(blurred) if scoring.edge == "sobel" else blurred
    return filtered.square().sum(dim=1).sqrt()


def anomaly_map(edges: Tensor, smoothing: float) -> Tensor:
    """Edge maps `(B, H, W)` → pixel-level anomaly maps `(B, H, W)`: the root of their energy under a Gaussian of σ px.

    A smoothing of 0 keeps the edge map, the published segmentation.
    """
    if smoothing == 0:
        return edges
    kernel = 2 * math.ceil(3 * smoothing) + 1
    energy = gaussian_blur2d(edges.square()[:, None], (kernel, kernel), (smoothing, smoothing), border_type="replicate")
    return energy[:, 0].sqrt()
