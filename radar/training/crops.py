"""Random crops of images of any sizes: every stride-1 position is reachable, nothing is materialised."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from radar.rasters import Rasters

_WHOLE = 0.999  # of a region's plane in [−1, 1], whose means over pixels of which one is outside lie further below 1
_HALF, _ROUNDING = 0.5, 1e-4  # share of a window that lies inside, and what sums of float32 may lack of it


class Windows(NamedTuple):
    """Windows of N images that may be drawn."""

    places: Tensor  # (M,) int32, of each its upper left corner, counted row by row among the image's windows; image after image
    starts: Tensor  # (N + 1,) where in `places` each image begins, and where the last ends


def windows_inside(images: Rasters, size: int) -> Windows:
    """Windows of `size` px at least half of which lies in the region that images `(C + 1, H, W)` have as their last plane. Of an image
    without such a window those of which as much does as of any, so that no image is left out.
    """
    found = []
    for image in images:
        inside = (image[-1:] > _WHOLE).float()
        share = F.avg_pool2d(inside[None], size, stride=1).flatten()
        found.append(torch.nonzero(share > share.max().clamp(max=_HALF) - _ROUNDING)[:, 0].int())
    counts = torch.tensor([0, *map(len, found)])
    return Windows(torch.cat(found), counts.cumsum(0))


class PatchSampler:
    """Draws batches of square crops from images `(C, H, W)` on the images' own device, none of which is smaller than a crop."""

    def __init__(
        self, images: Rasters, *, size: int, flips: bool, rotations: bool, windows: Windows | None = None
    ) -> None:
        """With `windows` these alone are drawn."""
        self.images = images
        self.size = size
        self.flips = flips
        self.rotations = rotations
        self.windows = windows
        self._sides = torch.tensor(images.sizes)
        self._starts = torch.tensor(images.starts[:-1])

    def draw(self, batch: int, stream: torch.Generator) -> Tensor:
        """`(batch, C, p, p)`, channels-last, uniform over images and over positions or windows in them, in one indexing operation.

        `stream` lives on the host, so that the crops are the same wherever the images lie.
        """
        share = torch.rand(3, batch, generator=stream, dtype=torch.float64)
        image = (share[0] * len(self.images)).long()
        heights, widths = self._sides[image].unbind(1)
        if self.windows is None:
            top, left = (share[1] * (heights - self.size + 1)).long(), (share[2] * (widths - self.size + 1)).long()
        else:
            top, left = self._drawn(self.windows, share[1], image, widths)
        row, column = self._offsets(batch, stream)
        start, width, top, left = (
            each.to(self.images.values.device)[:, None, None] for each in (self._starts[image], widths, top, left)
        )
        places = start + (top + row) * width + left + column
        crops = self.images.values[:, places].permute(1, 0, 2, 3)
        return crops.contiguous(memory_format=torch.channels_last)

    def _drawn(self, windows: Windows, share: Tensor, image: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
        """Row and column of a window of each image, as far on among its windows as `share` says."""
        first, after = windows.starts[image], windows.starts[image + 1]
        place = windows.places[first + (share * (after - first)).long()].long()
        in_a_row = widths - self.size + 1
        return place // in_a_row, place % in_a_row

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
