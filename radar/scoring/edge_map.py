"""The edge map: Gaussian blur, then the Sobel magnitude (RADAR, arXiv 2508.04818); the pixel-level map follows from it."""

from __future__ import annotations

import math

import torch
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


def anomaly_map(edges: Tensor, smoothing: float, inside: Tensor | None = None) -> Tensor:
    """Edge maps `(B, H, W)` → pixel-level anomaly maps `(B, H, W)`: the root of their energy under a Gaussian of σ px.

    A smoothing of 0 keeps the edge map, the published segmentation. Of regions `(B, H, W)` the Gaussian weighs the pixels inside
    alone, and the map is 0 outside.
    """
    if inside is not None:
        return _anomaly_map_inside(edges, smoothing, inside)
    if smoothing == 0:
        return edges
    return _smoothed(edges.square(), smoothing).sqrt()


def _anomaly_map_inside(edges: Tensor, smoothing: float, inside: Tensor) -> Tensor:
    within = inside.to(edges.dtype)
    if smoothing == 0:
        return edges * within
    weights = torch.where(inside, _smoothed(within, smoothing), 1.0)  # of a pixel inside, its own at least
    return (_smoothed(edges.square() * within, smoothing) / weights).sqrt() * within


def _smoothed(energy: Tensor, sigma: float) -> Tensor:
    """Energies `(B, H, W)` under a Gaussian of σ px."""
    kernel = 2 * math.ceil(3 * sigma) + 1
    return gaussian_blur2d(energy[:, None], (kernel, kernel), (sigma, sigma), border_type="replicate")[:, 0]
