"""The two features of an edge map: its global L2 norm, and the largest L2 norm inside a sliding window (RADAR, arXiv 2508.04818)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FEATURE_NAMES = ("global_norm", "local_norm")


def local_energy(edge_map: Tensor, window: int) -> Tensor:
    """Sum of squares inside every full `window` × `window` square: `(B, H, W)` → `(B, H − w + 1, W − w + 1)`."""
    columns = F.avg_pool2d(edge_map.square()[:, None], (window, 1), stride=1, divisor_override=1)
    return F.avg_pool2d(columns, (1, window), stride=1, divisor_override=1)[:, 0]


def features(edge_map: Tensor, window: int, counted: Tensor | None = None) -> Tensor:
    """Edge maps `(B, H, W)` → `(B, 2)`: global and local norm, in the units of the noise.

    With `counted` (B, H, W), of its pixels alone; the global norm is what a whole image of such pixels would have.
    """
    if counted is not None:
        edge_map = edge_map * counted
    global_norm = edge_map.square().sum(dim=(1, 2)).sqrt()
    if counted is not None:
        pixels = edge_map.shape[1] * edge_map.shape[2]
        global_norm = global_norm * (pixels / counted.to(edge_map.dtype).sum(dim=(1, 2))).sqrt()
    local_norm = local_energy(edge_map, window).amax(dim=(1, 2)).sqrt()
    return torch.stack([global_norm, local_norm], dim=1)
