"""Many rasters in one memory: N of `(C, H, W)`, of as many heights and widths as there are rasters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby

import numpy as np
import torch
from torch import Tensor

Size = tuple[int, int]
"""Height and width in px."""


@dataclass(frozen=True, eq=False)
class Rasters:
    """N rasters `(C, H, W)`: of each channel, one raster after the other. One of them, some, or their first channels are views."""

    values: Tensor  # (C, ΣH·W)
    sizes: tuple[Size, ...]  # N of them

    @staticmethod
    def zeros(sizes: Sequence[Size], channels: int) -> Rasters:
        """Rasters of these sizes, of zeros, float32 on the host. A channel that is never written to takes no memory."""
        pixels = sum(height * width for height, width in sizes)
        return Rasters(torch.from_numpy(np.zeros((channels, pixels), dtype=np.float32)), tuple(sizes))

    @staticmethod
    def of(stack: Tensor) -> Rasters:
        """A stack `(N, C, H, W)`; of one channel in one piece without a copy."""
        count, channels, height, width = stack.shape
        return Rasters(stack.transpose(0, 1).reshape(channels, -1), ((height, width),) * count)

    @staticmethod
    def joined(rasters: Iterable[Tensor]) -> Rasters:
        """Copies of at least one tensor `(C, H, W)`."""
        each = list(rasters)
        sizes = tuple((raster.shape[1], raster.shape[2]) for raster in each)
        return Rasters(torch.cat([raster.flatten(1) for raster in each], dim=1), sizes)

    @property
    def channels(self) -> int:
        """C."""
        return len(self.values)

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: int) -> Tensor:
        """One of them, `(C, H, W)`, a view."""
        return self.values[:, self.starts[place] : self.starts[place + 1]].view(-1, *self.sizes[place])

    def stack(self, batch: slice) -> Tensor:
        """Neighbours of one size as `(n, C, H, W)`, a view. ValueError where their sizes differ."""
        sizes = set(self.sizes[batch])
        if len(sizes) != 1:
            raise ValueError(f"rasters of {len(sizes)} sizes are no stack")
        return self._part(batch).view(self.channels, -1, *sizes.pop()).transpose(0, 1)

    @property
    def whole(self) -> Tensor:
        """All of them as `(N, C, H, W)`, a view. ValueError where their sizes differ."""
        return self.stack(slice(None))

    def some(self, batch: slice) -> Rasters:
        """Neighbours, a view."""
        return Rasters(self._part(batch), self.sizes[batch])

    def at(self, places: Sequence[int]) -> Rasters:
        """Those at given places, in that order, copied."""
        kept = [self._part(slice(place, place + 1)) for place in places]
        values = torch.cat(kept, dim=1) if kept else self.values[:, :0]
        return Rasters(values, tuple(self.sizes[place] for place in places))

    def first(self, channels: int) -> Rasters:
        """The same with their first channels alone, a view."""
        return Rasters(self.values[:channels], self.sizes)

    def to(self, device: torch.device) -> Rasters:
        """The same on a device."""
        return Rasters(self.values.to(device), self.sizes)

    def batches(self, most: int) -> Iterator[slice]:
        """Neighbours of one size, at most so many at a time: all of them, in order."""
        start = 0
        for _, run in groupby(self.sizes):
            stop = start + len(list(run))
            for first in range(start, stop, most):
                yield slice(first, min(first + most, stop))
            start = stop

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where in each channel each begins, and where the last ends: N + 1 of them."""
        return (0, *accumulate(height * width for height, width in self.sizes))

    def _part(self, batch: slice) -> Tensor:
        start, stop, step = batch.indices(len(self))
        if step != 1:
            raise ValueError("rasters are taken side by side")
        return self.values[:, self.starts[start] : self.starts[max(start, stop)]]
