"""Many rasters in one memory: N of `(C, H, W)`, of as many heights and widths as there are rasters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, groupby

import torch
from torch import Tensor

Size = tuple[int, int]
"""Height and width in px."""


@dataclass(frozen=True, eq=False)
class Rasters:
    """N rasters `(C, H, W)`, one after the other; indexing by number gives one of them, by slice some, both without a copy."""

    values: Tensor  # (ΣK·H·W,)
    sizes: tuple[Size, ...]  # N of them
    stored: int  # K ≥ C channels that lie in memory
    channels: int  # C: the first of these, which are read

    @staticmethod
    def empty(sizes: Sequence[Size], channels: int, dtype: torch.dtype) -> Rasters:
        """Rasters of these sizes whose values are still to be written."""
        count = channels * sum(height * width for height, width in sizes)
        return Rasters(torch.empty(count, dtype=dtype), tuple(sizes), channels, channels)

    @staticmethod
    def of(stack: Tensor) -> Rasters:
        """A stack `(N, C, H, W)`, without a copy where it lies in one piece."""
        count, channels, height, width = stack.shape
        return Rasters(stack.reshape(-1), ((height, width),) * count, channels, channels)

    @staticmethod
    def joined(rasters: Iterable[Tensor]) -> Rasters:
        """Copies of at least one tensor `(C, H, W)`."""
        each = list(rasters)
        sizes = tuple((raster.shape[1], raster.shape[2]) for raster in each)
        return Rasters(torch.cat([raster.reshape(-1) for raster in each]), sizes, len(each[0]), len(each[0]))

    @staticmethod
    def of_sizes(values: Tensor, sizes: Sequence[Size]) -> Rasters:
        """Values `(ΣC·H·W,)` as rasters of these sizes. ValueError where they do not fit."""
        pixels = sum(height * width for height, width in sizes)
        if not pixels or len(values) % pixels or not len(values):
            raise ValueError(f"{len(values)} values are no rasters of {pixels} px together")
        channels = len(values) // pixels
        return Rasters(values, tuple(sizes), channels, channels)

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: int) -> Tensor:
        """One of them, `(C, H, W)`, a view."""
        return self.stack(slice(place, place + 1))[0]

    def stack(self, batch: slice) -> Tensor:
        """Neighbours of one size as `(n, C, H, W)`, a view. ValueError where their sizes differ."""
        sizes = set(self.sizes[batch])
        if len(sizes) != 1:
            raise ValueError(f"rasters of {len(sizes)} sizes are no stack")
        return self._part(batch).view(-1, self.stored, *sizes.pop())[:, : self.channels]

    @property
    def whole(self) -> Tensor:
        """All of them as `(N, C, H, W)`, a view. ValueError where their sizes differ."""
        return self.stack(slice(None))

    def some(self, batch: slice) -> Rasters:
        """Neighbours, a view."""
        return replace(self, values=self._part(batch), sizes=self.sizes[batch])

    def at(self, places: Sequence[int]) -> Rasters:
        """Those at given places, in that order, copied."""
        kept = [self._part(slice(place, place + 1)) for place in places]
        values = torch.cat(kept) if kept else self.values[:0]
        return replace(self, values=values, sizes=tuple(self.sizes[place] for place in places))

    def first(self, channels: int) -> Rasters:
        """The same with their first channels alone, a view."""
        return replace(self, channels=channels)

    def to(self, device: torch.device) -> Rasters:
        """The same on a device."""
        return replace(self, values=self.values.to(device))

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
        """Where in `values` each begins, and where the last ends: N + 1 of them."""
        return (0, *accumulate(self.stored * height * width for height, width in self.sizes))

    def _part(self, batch: slice) -> Tensor:
        start, stop, step = batch.indices(len(self))
        if step != 1:
            raise ValueError("rasters are taken side by side")
        return self.values[self.starts[start] : self.starts[max(start, stop)]]
