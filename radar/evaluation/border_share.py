"""Whether normal images glow at their border: which share of a map's highest pixels lies there, beside the share by area."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from radar.scoring.border import distance_to_border

HIGHEST = 0.01  # share of a map's pixels, those that image scores and glances go to


def area_share(height: int, width: int, border: int) -> float:
    """Share of the pixels of an image that lie within `border` px of its border."""
    return float((distance_to_border(height, width) < border).double().mean())


def border_share(maps: Sequence[NDArray[np.float32]], border: int) -> float | None:
    """Of the highest pixels of each map `(H, W)` the share within `border` px of its border; mean over maps, None of none.

    Pixels that tie at the limit count in equal parts, so that the order of pixels does not matter.
    """
    near = {shape: (distance_to_border(*shape) < border).numpy().ravel() for shape in {each.shape for each in maps}}
    return float(np.mean([_share(each.ravel(), near[each.shape]) for each in maps])) if maps else None


def _share(values: NDArray[np.float32], near: NDArray[np.bool_]) -> float:
    count = max(1, round(HIGHEST * values.size))
    limit = np.partition(values, -count)[-count]
    above, tied = values > limit, values == limit
    return float((near[above].sum() + (count - above.sum()) * near[tied].mean()) / count)
