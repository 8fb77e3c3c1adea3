"""The square of pixels around every pixel, as one vector."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Square:
    """`side` × `side` pixels, `side` odd, `spacing` px apart, around one; a field is continued beyond its border as torch's
    `border` says (`replicate` or `reflect`).
    """

    side: int = 1
    spacing: int = 1
    border: str = "replicate"

    def padded(self, field: Tensor) -> Tensor:
        """A field `(B, C, H, W)`, so far continued that squares around its border lie in it."""
        reach = self.side // 2 * self.spacing
        return F.pad(field, [reach] * 4, mode=self.border) if reach else field

    def vectors(self, field: Tensor) -> Tensor:
        """A field `(B, C, H, W)` → the square around every pixel `(B, C · side², H, W)`."""
        if self.side == 1:
            return field
        batch, channels, height, width = field.shape
        unfolded = F.unfold(self.padded(field), self.side, dilation=self.spacing)
        return unfolded.reshape(batch, channels * self.side**2, height, width)
