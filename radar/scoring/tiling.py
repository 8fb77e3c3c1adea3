"""Overlapping windows over a map, and their smooth blending back into one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def _offsets(side: int, window: int, stride: int) -> list[int]:
    """Window starts along one side; the last window ends at the border."""
    return [*range(0, side - window, stride), side - window]


def _taper(side: int) -> Tensor:
    """sin² weights `(side,)`, float64 and never zero, which sum to one at half overlap."""
    position = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    return torch.sin(torch.pi * position) ** 2


@dataclass(frozen=True)
class Tiling:
    """Windows of `height` × `width` px at (top, left) `corners` over maps `(B, C, H, W)`."""

    height: int
    width: int
    corners: tuple[tuple[int, int], ...]

    @staticmethod
    def whole(height: int, width: int) -> Tiling:
        """One window: the whole map."""
        return Tiling(height, width, ((0, 0),))

    @staticmethod
    def overlapping(height: int, width: int, *, window: int, stride: int) -> Tiling:
        """Square windows every `stride` px that cover the map."""
        rows, columns = _offsets(height, window, stride), _offsets(width, window, stride)
        return Tiling(window, window, tuple((row, column) for row in rows for column in columns))

    def cut(self, maps: Tensor) -> Tensor:
        """Maps `(B, C, H, W)` → windows `(B·K, C, h, w)`, those of one map side by side."""
        windows = [maps[:, :, top : top + self.height, left : left + self.width] for top, left in self.corners]
        return torch.stack(windows, dim=1).flatten(0, 1)

    def blend(self, windows: Tensor, height: int, width: int) -> Tensor:
        """Windows `(B·K, C, h, w)` → maps `(B, C, H, W)`, the weighted mean where windows overlap."""
        windows = windows.reshape(-1, len(self.corners), *windows.shape[1:])
        if len(self.corners) == 1:
            return windows[:, 0]
        weight = torch.outer(_taper(self.height), _taper(self.width)).float().to(windows.device)
        total = windows.new_zeros(windows.shape[0], windows.shape[2], height, width)
        norm = windows.new_zeros(height, width)
        for index, (top, left) in enumerate(self.corners):
            place = (..., slice(top, top + self.height), slice(left, left + self.width))
            total[place] += weight * windows[:, index]
            norm[place] += weight
        return total / norm
