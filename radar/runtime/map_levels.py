"""Where a map's pixels are flagged: two levels, and how large a region must be."""

from __future__ import annotations

from typing import NamedTuple

REGION_SHARE = 0.005  # of a map's pixels: what is at least so large is a region, however faint; what is smaller, where it is strong


class MapLevels(NamedTuple):
    """A region is connected pixels above `faint`, at least `REGION_SHARE` of the map, or fewer of which one is above `strong`."""

    faint: float
    strong: float


def region_pixels(pixels: int) -> int:
    """How many of an image's pixels are a region however faint they are."""
    return max(1, round(REGION_SHARE * pixels))
