"""The region of interest of images at any scale: its plane, the pixels that count, and their mean, median and vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_WHOLE = 0.999  # of a plane in [−1, 1], whose means over pixels of which one is outside lie further below 1


def parted(images: Tensor, has_region: bool) -> tuple[Tensor, Tensor | None]:
    """Images `(N, P, H, W)` without their last plane and, `(N, 1, H, W)`, that plane, where it is a region's."""
    return (images[:, :-1], images[:, -1:]) if has_region else (images, None)


def with_region(response: Tensor, region: Tensor | None) -> Tensor:
    """A response `(N, R, H, W)`, 0 outside the region `(N, 1, H, W)`, which follows as its last plane; without one as it is."""
    return response if region is None else torch.cat([response * (region > 0), region], dim=1)


def counted(region: Tensor) -> Tensor:
    """Which pixels `(N, 1, H, W)` of a scale count: those that lie inside as a whole. Where an image has none, those of which a part
    does, and where it has none of these either, as where few of the pixels are looked at, all.
    """
    whole, touched = region > _WHOLE, region > -_WHOLE
    some = torch.where(_any(touched), touched, torch.ones_like(touched))
    return torch.where(_any(whole), whole, some)


def _any(pixels: Tensor) -> Tensor:
    return pixels.sum(dim=(2, 3), keepdim=True) > 0


def mean_inside(values: Tensor, region: Tensor | None) -> Tensor:
    """Mean over the pixels of `values` `(N, C, H, W)` that count, `(N, C, 1, 1)`."""
    if region is None:
        return values.mean(dim=(2, 3), keepdim=True)
    weights = counted(region).to(values.dtype)
    return (values * weights).sum(dim=(2, 3), keepdim=True) / weights.sum(dim=(2, 3), keepdim=True)


def median_inside(values: Tensor, region: Tensor | None) -> Tensor:
    """The lower median over the pixels of `values` `(N, 1, H, W)` that count, `(N, 1)`."""
    if region is None:
        return values.flatten(2).median(dim=2).values
    inside = counted(region)
    ordered = torch.where(inside, values, torch.inf).flatten(2).sort(dim=2).values
    middle = (inside.flatten(2).sum(dim=2, keepdim=True) - 1) // 2
    return ordered.gather(2, middle)[..., 0]


def columns_inside(vectors: Tensor, region: Tensor | None) -> Tensor:
    """Of vectors `(1, K, h, w)` of one image at a scale those that lie inside as a whole, `(1, K, M)`; without a region all of them.

    A vector of features stands for all pixels that it covers.
    """
    if region is None:
        return vectors
    inside = _at(region, vectors.shape[2:]) > _WHOLE
    return vectors.flatten(2)[:, :, inside.flatten()]


def _at(region: Tensor, size: Sequence[int]) -> Tensor:
    """A region `(1, 1, H, W)` at the positions of features."""
    return region if tuple(region.shape[2:]) == tuple(size) else F.adaptive_avg_pool2d(region, (size[0], size[1]))
