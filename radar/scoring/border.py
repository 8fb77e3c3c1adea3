"""What pixels near an image's border count for: all of it, nothing in the score, or as much as the interior's.

A network sees less around such a pixel, and padding stands for the rest: its response is louder on normal images, too.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from radar.config.schema import BorderConfig


def distance_to_border(height: int, width: int) -> Tensor:
    """How many px lie between each pixel and the nearest side of an image, `(height, width)` int64; 0 at the border."""
    rows, columns = torch.arange(height), torch.arange(width)
    return torch.minimum(torch.minimum(rows, rows.flip(0))[:, None], torch.minimum(columns, columns.flip(0))[None])


class Border(nn.Module):
    """Name `none` changes nothing. `margin` leaves pixels within `width` px of the border out of the score, not out of the map.

    `standardised` multiplies each of the `width` rings around the interior by one factor, so that all rings have the
    interior's mean energy on normal images. The factors are what `learn` has learnt, and 1 before.
    """

    factors: Tensor  # (width,) from the outermost ring inwards, of name standardised alone

    def __init__(self, config: BorderConfig) -> None:
        super().__init__()
        self.margin = config.width if config.name == "margin" else 0
        self.rings = config.width if config.name == "standardised" else 0
        if self.rings:
            self.register_buffer("factors", torch.ones(self.rings))

    def evened(self, levels: Tensor) -> Tensor:
        """Levels `(N, H, W)` ≥ 0 with their rings at the interior's scale."""
        if not self.rings:
            return levels
        interior = torch.ones(1, device=levels.device)
        distance = distance_to_border(*levels.shape[-2:]).clamp(max=self.rings).to(levels.device)
        return levels * torch.cat([self.factors, interior])[distance]

    def counted(self, levels: Tensor) -> Tensor:
        """The part of levels `(N, H, W)` that scores are taken of."""
        height, width = levels.shape[-2:]
        return levels[..., self.margin : height - self.margin, self.margin : width - self.margin]

    def counted_inside(self, inside: Tensor) -> Tensor:
        """Which pixels of regions `(N, H, W)` scores are taken of: a region's border counts as the image's does. Where a margin would
        leave nothing of a region, all of it counts.
        """
        if not self.margin:
            return inside
        reach = 2 * self.margin + 1
        outside = F.pad(1 - inside[:, None].float(), [self.margin] * 4, value=1.0)  # beyond the image nothing counts
        near = F.max_pool2d(F.max_pool2d(outside, (reach, 1), stride=1), (1, reach), stride=1)[:, 0]
        kept = near < 0.5
        nothing = kept.float().sum(dim=(1, 2), keepdim=True) == 0
        return kept | (nothing & inside)

    def learn(self, levels: Iterable[Tensor]) -> None:
        """From levels `(N, H, W)` of normal images; a ring of zeros, or around zeros, stays as it is."""
        total, pixels = torch.zeros(2, self.rings + 1, dtype=torch.float64)
        for each in levels:
            energy = each.double().square().sum(dim=0).cpu()
            rings = distance_to_border(*energy.shape).clamp(max=self.rings).flatten()
            total += torch.bincount(rings, weights=energy.flatten(), minlength=self.rings + 1)
            pixels += len(each) * torch.bincount(rings, minlength=self.rings + 1)
        means = total / pixels
        ratio = (means[-1] / means[:-1]).sqrt()
        known = (means[:-1] > 0) & (means[-1] > 0)
        self.factors.copy_(torch.where(known, ratio, 1.0))


def leaves_nothing(inside: NDArray[np.bool_], config: BorderConfig) -> bool:
    """Whether a margin leaves no pixel of a region `(H, W)` of a picture to take a score of."""
    if config.name != "margin":
        return False
    kept = ndimage.minimum_filter(inside, 2 * config.width + 1, mode="constant", cval=False)
    return not kept.any()


def border_problem(config: BorderConfig, height: int, width: int, least: int) -> str | None:
    """What is wrong with the border on images of this size: at least one pixel is interior, and what a margin leaves has sides of
    `least` px or more.
    """
    left, needed = min(height, width) - 2 * config.width, least if config.name == "margin" else 1
    if config.name == "none" or left >= needed:
        return None
    return f"scoring.border.width={config.width}: leaves {max(left, 0)} px of {width} × {height} px, and {needed} are needed"
