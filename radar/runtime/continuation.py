"""What lies outside a region, replaced by what continues its inside: no edge is left that is none of the texture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pixel_sets import BoolArray

_FAR = -(2**20)  # row and column of a pixel that knows no other yet: further away than any
_Places = NDArray[np.int64]


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
    own_rows, own_columns = np.arange(height)[:, None], np.arange(width)[None]
    rows, columns = np.where(inside, own_rows, _FAR), np.where(inside, own_columns, _FAR)
    step = 1 << (max(height, width) - 1).bit_length()
    while step := step // 2:
        for down in (-step, 0, step):
            for right in (-step, 0, step):
                if down or right:
                    _take_nearer(rows, columns, down, right)
    _take_all(rows, columns, inside)
    return rows, columns


def _take_nearer(rows: _Places, columns: _Places, down: int, right: int) -> None:
    """Let each pixel know what the pixel `down` rows and `right` columns away knows, where that is nearer."""
    height, width = rows.shape
    if abs(down) >= height or abs(right) >= width:
        return
    top, left = max(0, -down), max(0, -right)
    bottom, end = min(height, height - down), min(width, width - right)
    here, there = np.s_[top:bottom, left:end], np.s_[top + down : bottom + down, left + right : end + right]
    own_rows, own_columns = np.arange(top, bottom)[:, None], np.arange(left, end)[None]

    def away(which: tuple[slice, slice]) -> _Places:
        return np.asarray((rows[which] - own_rows) ** 2 + (columns[which] - own_columns) ** 2)

    nearer = away(there) < away(here)
    rows[here] = np.where(nearer, rows[there], rows[here])
    columns[here] = np.where(nearer, columns[there], columns[here])


def _take_all(rows: _Places, columns: _Places, inside: BoolArray) -> None:
    """A pixel that no jump reached knows the first that is inside."""
    unknown = rows < 0
    if unknown.any():
        first = np.argwhere(inside)[0]
        rows[unknown], columns[unknown] = first
