"""What lies outside a region, replaced by what continues its inside: no edge is left that is none of the texture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pixel_sets import BoolArray

_FAR = -(2**24)  # row of a pixel that knows no other yet: further away than any of a picture
_Places = NDArray[np.int32]


def continue_outside(planes: NDArray[np.float32], inside: BoolArray) -> None:
    """Write into planes `(P, H, W)`, outside, what they are inside, mirrored across the nearest pixel of the region; that pixel where
    the mirrored one lies outside, too. At least one pixel is inside.
    """
    if inside.all():
        return
    height, width = inside.shape
    rows, columns = np.nonzero(~inside)
    near_rows, near_columns = (places[rows, columns] for places in nearest(inside))
    mirrored_rows = np.clip(2 * near_rows - rows, 0, height - 1)
    mirrored_columns = np.clip(2 * near_columns - columns, 0, width - 1)
    kept = inside[mirrored_rows, mirrored_columns]
    from_rows, from_columns = np.where(kept, mirrored_rows, near_rows), np.where(kept, mirrored_columns, near_columns)
    for plane in planes:
        plane[rows, columns] = plane[from_rows, from_columns]


def nearest(inside: BoolArray) -> tuple[_Places, _Places]:
    """Row and column `(H, W)` of a nearest pixel inside, of at least one; its own inside. Jump flooding: rarely, one that is a little
    further away than the nearest.
    """
    height, width = inside.shape
    own_rows, own_columns = (np.arange(side, dtype=np.int32) for side in (height, width))
    rows = np.where(inside, own_rows[:, None], np.int32(_FAR))
    columns = np.where(inside, own_columns, np.int32(0))
    away = np.where(inside, np.int64(0), np.int64(_FAR) ** 2)
    step = 1 << (max(height, width) - 1).bit_length()
    while step := step // 2:
        for down in (-step, 0, step):
            for right in (-step, 0, step):
                if (down or right) and abs(down) < height and abs(right) < width:
                    _take_nearer(rows, columns, away, down, right)
    return rows, columns


def _take_nearer(rows: _Places, columns: _Places, away: NDArray[np.int64], down: int, right: int) -> None:
    """Let each pixel know what the pixel `down` rows and `right` columns away knows, where that is nearer; `away` are squares."""
    height, width = rows.shape
    top, left = max(0, -down), max(0, -right)
    bottom, end = min(height, height - down), min(width, width - right)
    here, there = np.s_[top:bottom, left:end], np.s_[top + down : bottom + down, left + right : end + right]
    squares = (rows[there] - np.arange(top, bottom)[:, None]) ** 2  # of 64 bits
    squares += (columns[there] - np.arange(left, end)) ** 2
    nearer = squares < away[here]
    for known, told in ((away, squares), (rows, rows[there].copy()), (columns, columns[there].copy())):
        np.copyto(known[here], told, where=nearer)
