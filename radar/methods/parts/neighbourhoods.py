"""The square of pixels around every pixel, as one vector."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def neighbourhoods(field: Tensor, side: int, *, spacing: int = 1, border: str) -> Tensor:
    """A field `(B, C, H, W)` → the `side` × `side` pixels around each one, `spacing` px apart: `(B, C · side², H, W)`.

    `side` is odd; beyond the border the field is continued as torch's `border` says (`replicate` or `reflect`).
    """
    if side == 1:
        return field
    batch, channels, height, width = field.shape
    padded = F.pad(field, [side // 2 * spacing] * 4, mode=border)
    return F.unfold(padded, side, dilation=spacing).reshape(batch, channels * side**2, height, width)
