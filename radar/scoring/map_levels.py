"""From anomaly maps of normal images to the levels above which pixels of new ones are flagged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from radar.runtime.map_levels import MapLevels, region_pixels
from radar.scoring.forest import Floats
from radar.scoring.threshold import conformal_quantile, grouped_quantile

__all__ = ["MapLevels"]  # which whoever makes levels reads here
LEVELS = 2  # either of which may let a map through


def map_tops(maps: Sequence[Tensor], inside: Sequence[Tensor] | None = None) -> Floats:
    """Of each of N maps `(H, W)` the value that so many pixels as a region has do not fall below, and the largest: `(N, 2)`.

    With `inside` (H, W), their regions of interest, of as many pixels as those have; outside, a map is 0.
    """
    counts = [each.numel() for each in maps] if inside is None else [int(each.sum()) for each in inside]
    pairs = zip(maps, counts, strict=True)
    tops = [each.flatten().double().topk(region_pixels(count)).values[[-1, 0]] for each, count in pairs]
    return np.asarray(torch.stack(tops).cpu().numpy()) if tops else np.empty((0, 2))


def map_levels(tops: Floats, contamination: float, groups: Sequence[str] | None = None) -> MapLevels:
    """Levels from the tops `(M, 2)` of normal maps; a new one's has no region but for a share of `contamination`, or 2 / (M + 1)
    where that is more.

    With `groups` (M,) the new one is of a new group, as in `grouped_quantile`.
    As either level may let one through, each is the conformal quantile at half the rate. One level for both would be set by
    the largest single pixel of few images, above which faint and large defects have none.
    """
    rate = contamination / LEVELS
    faint, strong = (
        conformal_quantile(column, rate) if groups is None else grouped_quantile(column, groups, rate)
        for column in tops.T
    )
    return MapLevels(faint, strong)
