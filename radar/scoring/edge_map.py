"""The edge map: Gaussian blur, then the Sobel magnitude (RADAR, arXiv 2508.04818); the pixel-level map follows from it."""

from __future__ import annotations

import math

from kornia.filters import gaussian_blur2d, sobel
from torch import Tensor

from radar.config.schema import BlurConfig


def edge_map(response: Tensor, blur: BlurConfig, edge: str) -> Tensor:
    """Responses `(B, C, H, W)`, as published noise maps → edge maps `(B, H, W)` ≥ 0, the L2 norm over channels.

    With `edge` none the blurred response itself is measured, which stochastic texture needs.
    """
    kernel, sigma = blur.kernel, blur.sigma
    blurred = gaussian_blur2d(response, (kernel, kernel), (sigma, sigma)) if kernel > 1 else response
    filtered = sobel(blurred) if edge == "sobel" else blurred
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
