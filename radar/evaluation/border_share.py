"""Whether normal images glow at their border: which share of a map's highest pixels lies there, beside the share by area."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radar.scoring.border import distance_to_border

HIGHEST = 0.01  # share of a map's pixels, those that image scores and glances go to


def area_share(height: int, width: int, border: int) -> float:
    """Share of the pixels of an image that lie within `border` px of its border."""
    return float((distance_to_border(height, width) < border).double().mean())


def area_share_inside(inside: NDArray[np.bool_], border: int) -> float:
    """Share of the pixels of a region `(H, W)` that lie within `border` px of its border, or of the image's."""
    return float(_near_inside(inside, border)[inside].mean())


def border_share(
    maps: Sequence[NDArray[np.float32]], border: int, regions: Sequence[NDArray[np.bool_]] = ()
) -> float | None:
    """Of the highest pixels of each map `(H, W)` the share within `border` px of its border; mean over maps, None of none.

    Pixels that tie at the limit count in equal parts, so that the order of pixels does not matter. With `regions` (H, W), one of each
    map, of their pixels alone, and of their border, too.
    """
    if not maps:
        return None
    if regions:
        pairs = zip(maps, regions, strict=True)
        return float(np.mean([_share(each[inside], _near_inside(inside, border)[inside]) for each, inside in pairs]))
    near = {shape: (distance_to_border(*shape) < border).numpy().ravel() for shape in {each.shape for each in maps}}
    return float(np.mean([_share(each.ravel(), near[each.shape]) for each in maps]))


def _near_inside(inside: NDArray[np.bool_], border: int) -> NDArray[np.bool_]:
    """Pixels within `border` px of one that lies outside the region, or beyond the image, as `distance_to_border` counts them."""
    around = np.pad(inside, 1)
    return np.asarray(ndimage.distance_transform_cdt(around, "chessboard")[1:-1, 1:-1] <= border)


def _share(values: NDArray[np.float32], near: NDArray[np.bool_]) -> float:
    count = max(1, round(HIGHEST * values.size))
    limit = np.partition(values, -count)[-count]
    above, tied = values > limit, values == limit
    return float((near[above].sum() + (count - above.sum()) * near[tied].mean()) / count)
