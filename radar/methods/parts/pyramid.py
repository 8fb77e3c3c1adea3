"""An image at several scales, each half of the one before, and maps of them brought back to its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from radar.rasters import Rasters, Size

_LINE = (
    0.25,
    0.75,
    0.75,
    0.25,
)  # what a pixel gives to the four that lie around it at twice the scale: linear between centres


def level_count(sizes: Iterable[Size], least_side: int | None) -> int:
    """How many scales images of these sizes have in common: all at which the shortest of their sides has `least_side` px; the
    first whatever it has, and alone where `least_side` is None."""
    shortest, levels = min(min(size) for size in sizes), 1
    while least_side is not None and shortest >> levels >= least_side:
        levels += 1
    return levels


def size_at(size: Size, level: int, levels: int) -> Size:
    """Height and width of an image at one of its scales, the first of which, `level` 0, is its own."""
    if level == 0:
        return size
    height, width = (_halved(side, levels) >> level for side in size)
    return height, width


def pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Images `(B, C, H, W)` at `levels` scales: themselves, then each pixel is the mean of 2 × 2 px of the scale before.

    Rows and columns at the end that cannot be halved so often are seen at the first scale alone. A side too short to be halved at
    all is continued.
    """
    scales, smaller = [images], images
    if levels > 1:
        height, width = (_halved(side, levels) for side in images.shape[2:])
        if height > images.shape[2] or width > images.shape[3]:
            smaller = continued(images, (max(height, images.shape[2]), max(width, images.shape[3])))
        smaller = smaller[..., :height, :width]
    for _ in range(levels - 1):
        smaller = F.avg_pool2d(smaller, 2)
        scales.append(smaller)
    return scales


def at_all_levels(images: Rasters, levels: int) -> Rasters:
    """The images, each followed by itself at its other scales; a view where there is one scale alone."""
    if levels == 1:
        return images
    return Rasters.joined(scale[0] for image in images for scale in pyramid(image[None], levels))


def doubled(maps: Tensor) -> Tensor:
    """Maps `(B, 1, H, W)` at twice their scale, `(B, 1, 2H, 2W)`: linear between the centres of pixels, the edge repeated.

    As `torch.nn.functional.interpolate` has it with `mode="bilinear"`; every runtime computes a convolution alike.
    """
    line = torch.tensor(_LINE, dtype=maps.dtype, device=maps.device)
    kernel = torch.outer(line, line)[None, None]
    return F.conv_transpose2d(F.pad(maps, [1] * 4, mode="replicate"), kernel, stride=2, padding=3)


def enlarged(maps: Tensor, level: int, size: Size) -> Tensor:
    """Maps `(B, 1, h, w)` of one scale, `(B, 1, H, W)` at the first, of images of that size."""
    for _ in range(level):
        maps = doubled(maps)
    return continued(maps, size)


def continued(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps `(B, C, H, W)` whose last row and column are repeated up to a size, or that are cut to it where they are larger."""
    return F.pad(maps, (0, size[1] - maps.shape[3], 0, size[0] - maps.shape[2]), mode="replicate")


def _halved(side: int, levels: int) -> int:
    """What of a side can be halved `levels` − 1 times; of a shorter one, what can once it is continued."""
    step: int = 2 ** (levels - 1)
    return side // step * step if side >= step else step
