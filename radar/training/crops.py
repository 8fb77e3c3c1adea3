"""Random crops of an image stack: every stride-1 position is reachable, nothing is materialised."""

from __future__ import annotations

import torch
from torch import Tensor


class PatchSampler:
    """Draws batches of square crops from images `(N, C, H, W)` on the images' own device."""

    def __init__(self, images: Tensor, *, size: int, flips: bool, rotations: bool) -> None:
        self.images = images
        self.size = size
        self.flips = flips
        self.rotations = rotations

    def draw(self, batch: int, stream: torch.Generator) -> Tensor:
        """`(batch, C, p, p)`, channels-last, uniform over images and positions, in one indexing operation.

        `stream` lives on the host, so that the crops are the same wherever the images lie.
        """
        count, _, height, width = self.images.shape
        position = torch.rand(3, batch, generator=stream, dtype=torch.float64)
        limits = torch.tensor([count, height - self.size + 1, width - self.size + 1])
        image, top, left = (position * limits[:, None]).long().to(self.images.device).unbind(0)
        row, column = self._offsets(batch, stream)
        rows, columns = row + top[:, None, None], column + left[:, None, None]
        crops = self.images.permute(0, 2, 3, 1)[image[:, None, None], rows, columns]
        return crops.permute(0, 3, 1, 2)

    def _offsets(self, batch: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Row and column offsets inside each crop, `(batch, p, p)` or broadcastable to it, after flips and rotations."""
        step = torch.arange(self.size, device=self.images.device)
        row, column = step[None, :, None], step[None, None, :]
        if not (self.flips or self.rotations):
            return row, column
        vertical, horizontal, transposed = (
            (torch.rand(3, batch, 1, 1, generator=stream) < 0.5).to(self.images.device).unbind(0)
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
