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
    """A response `(N, R, H, W)`, followed by the region `(N, 1, H, W)` as its last plane; without one as it is.

    Outside it stays what continues the inside: a step there would be an edge to whatever filters it.
    """
    return response if region is None else torch.cat([response, region], dim=1)


def counted(region: Tensor) -> Tensor:
    """Which pixels `(N, 1, H, W)` of a scale count: those that lie inside as a whole. Where an image has none, those of which a part
    does, and where it has none of these either, as where few of the pixels are looked at, all.
    """
    whole, touched = region > _WHOLE, region > -_WHOLE
    some = touched | ~_any(touched)  # in logic alone: runtimes choose among numbers, and not among truths
    return whole | (~_any(whole) & some)


def _any(pixels: Tensor) -> Tensor:
    return pixels.float().sum(dim=(2, 3), keepdim=True) > 0


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
    middle = ((inside.to(values.dtype).sum(dim=(2, 3)) - 1) / 2).floor()
    # chosen by comparing: OpenVINO divides whole numbers, and gathers by places that it computes, otherwise than torch
    places = torch.arange(ordered.shape[2], dtype=values.dtype, device=values.device)
    return torch.where(places == middle[..., None], ordered, 0.0).sum(dim=2)


def at_positions(region: Tensor | None, size: Sequence[int]) -> Tensor | None:
    """A region `(N, 1, H, W)` as seen at the positions `(h, w)` of features, which are its images' resized."""
    return None if region is None else F.interpolate(region, size=(size[0], size[1]), mode="bilinear")


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
