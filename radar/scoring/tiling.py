"""Overlapping windows over a map, and their smooth blending back into one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor


def _offsets(side: int, window: int, stride: int) -> list[int]:
    """Window starts along one side; the last window ends at the border."""
    return [*range(0, side - window, stride), side - window]


def taper(side: int) -> Tensor:
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
    def overlapping(height: int, width: int, *, window: int, stride: int) -> Tiling:
        """Square windows every `stride` px that cover the map."""
        rows, columns = _offsets(height, window, stride), _offsets(width, window, stride)
        return Tiling(window, window, tuple((row, column) for row in rows for column in columns))

    def cut(self, maps: Tensor) -> Tensor:
        """Maps `(B, C, H, W)` → windows `(B·K, C, h, w)`, those of one map side by side."""
        windows = [maps[:, :, top : top + self.height, left : left + self.width] for top, left in self.corners]
        return torch.stack(windows, dim=1).flatten(0, 1)

    def add(self, windows: Tensor, total: Tensor) -> None:
        """Add windows `(B·K, C, h, w)`, weighted, to the running sum `total` `(B, C, H, W)`."""
        weight = torch.outer(taper(self.height), taper(self.width)).float().to(windows.device)
        weighted = (weight * windows).reshape(-1, len(self.corners), *windows.shape[1:])
        for index, (top, left) in enumerate(self.corners):
            total[..., top : top + self.height, left : left + self.width] += weighted[:, index]

    def weights(self, height: int, width: int) -> Tensor:
        """What the weights of all windows sum to, `(H, W)` float32: divides a running sum into a weighted mean."""
        rows, columns = torch.zeros(height, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
        for top in {top for top, _ in self.corners}:
            rows[top : top + self.height] += taper(self.height)
        for left in {left for _, left in self.corners}:
            columns[left : left + self.width] += taper(self.width)
        return torch.outer(rows, columns).float()

    def parts(self, count: int) -> Iterator[Tiling]:
        """The same windows, at most `count` at a time."""
        for start in range(0, len(self.corners), count):
            yield Tiling(self.height, self.width, self.corners[start : start + count])


@dataclass(frozen=True)
class Tile:
    """What a network reads in one pass over part of a map, and what of its output is kept."""

    read: tuple[slice, slice]  # rows and columns of the map
    keep: tuple[slice, slice]  # rows and columns of the map
    inner: tuple[slice, slice]  # the kept rows and columns, counted from the first one read


def _spans(side: int, core: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    for start in range(0, side, core):
        stop, first = min(side, start + core), max(0, start - margin)
        yield (
            slice(first, min(side, stop + margin)),
            slice(start, stop),
            slice(start - first, stop - first),
        )


def tiles(height: int, width: int, *, core: int, margin: int) -> Iterator[Tile]:
    """Squares of `core` px that share a map out, each read with `margin` px around it where the map has them."""
    for rows, columns in product(_spans(height, core, margin), _spans(width, core, margin)):
        yield Tile(*((a, b) for a, b in zip(rows, columns, strict=True)))
