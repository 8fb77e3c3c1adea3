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
    """Height and width of an image at one of its scales, the first of which is `level` 0."""
    height, width = (_multiple(side, 2 ** (levels - 1)) >> level for side in size)
    return height, width


def pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Images `(B, C, H, W)` at `levels` scales: each pixel is the mean of 2 × 2 px of the scale before.

    The first is the image, continued at the right and at the bottom until its sides can be halved as often as that.
    """
    right, below = (_multiple(side, 2 ** (levels - 1)) - side for side in (images.shape[3], images.shape[2]))
    scales = [images if levels == 1 else F.pad(images, (0, right, 0, below), mode="replicate")]
    for _ in range(levels - 1):
        scales.append(F.avg_pool2d(scales[-1], 2))
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
    """Maps `(B, 1, h, w)` of one scale, `(B, 1, H, W)` at the first, without what continues the image of that size."""
    for _ in range(level):
        maps = doubled(maps)
    return cropped(maps, size)


def cropped(maps: Tensor, size: Sequence[int]) -> Tensor:
    """The first `size` rows and columns of maps `(B, C, H, W)`."""
    return maps[..., : size[0], : size[1]]


def _multiple(length: int, of: int) -> int:
    """`length`, rounded up to a multiple."""
    return (length + of - 1) // of * of
