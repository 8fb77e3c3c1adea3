"""Random crops of images of any sizes: every stride-1 position is reachable, nothing is materialised."""

from __future__ import annotations

import torch
from torch import Tensor

from radar.rasters import Rasters


class PatchSampler:
    """Draws batches of square crops from images `(C, H, W)` on the images' own device, none of which is smaller than a crop."""

    def __init__(self, images: Rasters, *, size: int, flips: bool, rotations: bool) -> None:
        self.images = images
        self.size = size
        self.flips = flips
        self.rotations = rotations
        self._sides = torch.tensor(images.sizes)
        self._starts = torch.tensor(images.starts[:-1])

    def draw(self, batch: int, stream: torch.Generator) -> Tensor:
        """`(batch, C, p, p)`, channels-last, uniform over images and over positions in them, in one indexing operation.

        `stream` lives on the host, so that the crops are the same wherever the images lie.
        """
        share = torch.rand(3, batch, generator=stream, dtype=torch.float64)
        image = (share[0] * len(self.images)).long()
        heights, widths = self._sides[image].unbind(1)
        top, left = (share[1] * (heights - self.size + 1)).long(), (share[2] * (widths - self.size + 1)).long()
        row, column = self._offsets(batch, stream)
        start, width, top, left = (
            each.to(self.images.values.device)[:, None, None] for each in (self._starts[image], widths, top, left)
        )
        places = start + (top + row) * width + left + column
        crops = self.images.values[:, places].permute(1, 0, 2, 3)
        return crops.contiguous(memory_format=torch.channels_last)

    def _offsets(self, batch: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Row and column offsets inside each crop, `(batch, p, p)` or broadcastable to it, after flips and rotations."""
        step = torch.arange(self.size, device=self.images.values.device)
        row, column = step[None, :, None], step[None, None, :]
        if not (self.flips or self.rotations):
            return row, column
        vertical, horizontal, transposed = (
            (torch.rand(3, batch, 1, 1, generator=stream) < 0.5).to(self.images.values.device).unbind(0)
        )
        if not self.flips:  # rotations alone are the transforms of determinant +1
            horizontal = vertical ^ transposed
        row = torch.where(vertical, self.size - 1 - row, row)
        column = torch.where(horizontal, self.size - 1 - column, column)
        if not self.rotations:
            return row, column
        row, column = row.expand(batch, self.size, self.size), column.expand(batch, self.size, self.size)
        swapped_row = torch.where(transposed, row.transpose(1, 2), row)
        swapped_column = torch.where(transposed, column.transpose(1, 2), column)
        return swapped_row, swapped_column
