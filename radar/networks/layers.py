"""Pieces that several networks are made of."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPSILON = 1e-5  # added to variances
_LONGEST_PERIOD = 10_000.0  # Vaswani et al. 2017, section 3.5


def timestep_embedding(timestep: Tensor, width: int) -> Tensor:
    """Sinusoids of the timesteps `(B,)` → `(B, width)` float32; `width` is even (Ho et al. 2020, appendix B)."""
    half = width // 2
    exponent = torch.arange(half, dtype=torch.float32, device=timestep.device) / half
    angle = timestep.float()[:, None] * torch.exp(-math.log(_LONGEST_PERIOD) * exponent)[None]
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def zero(layer: nn.Conv2d) -> nn.Conv2d:
    """A layer that starts as zero, so that its residual branch starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class PositionNorm(nn.Module):
    """Layer norm over the channels of each position (Ba et al. 2016), without weights. `(B, C, H, W)` → same shape."""

    def forward(self, x: Tensor) -> Tensor:
        if (
            torch.compiler.is_exporting()
        ):  # runtimes keep means over channels in the layout of the convolutions around them
            centred = x - x.mean(dim=1, keepdim=True)
            return centred * ((centred * centred).mean(dim=1, keepdim=True) + _EPSILON).rsqrt()
        return F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],), eps=_EPSILON).permute(0, 3, 1, 2)
