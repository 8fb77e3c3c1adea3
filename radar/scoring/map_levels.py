"""From anomaly maps of normal images to the levels above which pixels of new ones are flagged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from radar.scoring.forest import Floats
from radar.scoring.threshold import conformal_quantile

REGION_SHARE = 0.005  # of a map's pixels: what is at least so large is a region, however faint; what is smaller, where it is strong


class MapLevels(NamedTuple):
    """A region is connected pixels above `faint`, at least `REGION_SHARE` of the map, or fewer of which one is above `strong`."""

    faint: float
    strong: float


def region_pixels(pixels: int) -> int:
    """How many of an image's pixels are a region however faint they are."""
    return max(1, round(REGION_SHARE * pixels))


def map_tops(maps: Tensor) -> Floats:
    """Of each map `(N, H, W)` the value that so many pixels as a region has do not fall below, and the largest: `(N, 2)`."""
    flat = maps.flatten(1).double()
    top = flat.topk(region_pixels(flat.shape[1]), dim=1).values
    return np.asarray(top[:, [-1, 0]].cpu().numpy())


def map_levels(tops: Floats, contamination: float) -> MapLevels:
    """Levels from the tops `(M, 2)` of normal maps; a new one's has no region but for a share of `contamination`, or 2 / (M + 1).

    As either level may let one through, each is the conformal quantile at half the rate. One level for both would be set by
    the largest single pixel of few images, above which faint and large defects have none.
    """
    faint, strong = (conformal_quantile(column, contamination / 2) for column in tops.T)
    return MapLevels(faint, strong)
