"""Which part of an image counts: polygons, a mask, or what stands on a background that is found in each image.

A mask travels as text, its run lengths, so that whatever holds the region is complete without the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .entries import SIDE
from .errors import ImageError
from .pixel_sets import BoolArray

_READ_BY = {"polygons": "polygons", "mask": "mask", "tolerance": "found", "thinnest": "found", "inset": "found"}
KINDS = ("polygons", "mask", "found")
PLANE = "region"  # name of the picture's plane that holds it: 1 inside, −1 outside
LEAST_PIXELS = 64  # inside, of any picture: fewer are no texture
_LEAST_POINTS = 3
_RUNS = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4}):(\d{1,9}(?:,\d{1,9})*)", re.ASCII)
_LONGEST = 2_000_000  # characters of a mask: the outlines of some hundred parts on the largest photo
_MOST_PIXELS = 2**26  # of a mask: what a few characters may stand for takes no more memory than a photo
_MOST_CORNERS = 10_000  # of all polygons together
_BLOCK = 64  # rows that are filled at a time, so that many sides take little memory
_CHECKED = 512  # px per side of the square on which polygons are looked at before there is a photo

Indices = NDArray[np.intp]
Polygons = tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class RegionOfInterest:
    """A region; entries of other kinds are null."""

    name: str = field(metadata={"choices": KINDS})
    # points [x, y] in shares of the image's width and height, from its upper left corner
    polygons: Polygons | None = field(metadata={"minimum": 0.0, "maximum": 1.0, "longest": 10_000})
    mask: str | None = field(metadata={"longest": _LONGEST})  # "HEIGHTxWIDTH:", and run lengths as `mask_text` has them
    # of found: robust deviations of a side's own pixels within which a pixel is of its background
    tolerance: float | None = field(metadata={"above": 0.0, "maximum": 1000.0})
    # of found, px of the picture, odd: background that is thinner is none
    thinnest: int | None = field(metadata={"minimum": 1, "maximum": 1023})
    # of found, px of the picture: so far the region keeps from the background
    inset: int | None = field(metadata={"minimum": 0, "maximum": 1024})


def region_problem(region: RegionOfInterest) -> str:
    """What is wrong with a region, as words that follow the name of its section, or nothing."""
    for name, kind in _READ_BY.items():
        given = getattr(region, name) is not None
        if given and kind != region.name:
            return f".{name}: is read by name={kind} alone; leave it null with name={region.name}"
        if not given and kind == region.name:
            return f".{name}: has no value, and name={kind} needs one"
    return next(_content_problems(region), "")


def _content_problems(region: RegionOfInterest) -> Iterator[str]:
    if region.thinnest is not None and region.thinnest % 2 == 0:
        yield f".thinnest={region.thinnest}: must be odd; {region.thinnest - 1} and {region.thinnest + 1} are"
    if (corners := sum(map(len, region.polygons or ()))) > _MOST_CORNERS:
        yield f".polygons: have {corners} corners, and at most {_MOST_CORNERS} are taken; leave some out, or use a mask"
    for place, points in enumerate(region.polygons or ()):
        if len(points) < _LEAST_POINTS:
            yield f".polygons: polygon {place + 1} has {len(points)} points, and an area has {_LEAST_POINTS} at least"
    if region.polygons is not None and inside_polygons(region.polygons, _CHECKED, _CHECKED).sum() < LEAST_PIXELS:
        yield ".polygons: have next to no area; give them corners that lie further apart"
    if region.mask is not None:
        try:
            empty = not mask_of(region.mask).any()
        except ValueError as error:
            yield f".mask: {error}"
        else:
            if empty:
                yield ".mask: marks nothing, so that nothing would be looked at; white, or any value above 0, is inside"


@lru_cache(maxsize=4)
def inside_image(region: RegionOfInterest, height: int, width: int) -> BoolArray:
    """Which pixels `(height, width)` of an image lie in polygons or in a mask; of found, all. Raises `ImageError`."""
    if region.polygons is not None:
        inside = inside_polygons(region.polygons, height, width)
    elif region.mask is not None:
        inside = _of_size(mask_of(region.mask), height, width)
    else:
        inside = np.ones((height, width), dtype=np.bool_)
    inside.flags.writeable = False  # whoever asks again is given the same
    return inside


def inside_polygons(polygons: Polygons, height: int, width: int) -> BoolArray:
    """Pixels `(height, width)` whose centre lies inside any of the polygons; one that crosses itself is out where it overlaps."""
    inside = np.empty((height, width), dtype=np.bool_)
    for top in range(0, height, _BLOCK):
        block = inside[top : top + _BLOCK]
        polygon, row, column = _crossings(polygons, (height, width), top, len(block))
        order = np.lexsort((column, row, polygon))  # in a row a polygon's crossings lead in and out by turns
        turns = np.zeros((len(block), width + 1), dtype=np.int16)
        for step, chosen in ((1, order[::2]), (-1, order[1::2])):
            np.add.at(turns, (row[chosen], column[chosen]), step)
        block[:] = turns.cumsum(axis=1, dtype=np.int16)[:, :width] > 0
    return inside


def _crossings(polygons: Polygons, size: tuple[int, int], top: int, count: int) -> tuple[Indices, Indices, Indices]:
    """Where sides cross the centres of `count` rows from `top` on of an image of `size`, H x W: the polygon, the row less `top`, and
    the first column behind, at most W.
    """
    height, width = size
    points = [np.asarray(each, dtype=np.float64) for each in polygons]
    sides = np.concatenate([np.hstack([each, np.roll(each, -1, axis=0)]) for each in points])
    x, y, next_x, next_y = (sides * (width, height, width, height)).T
    first, last = (np.ceil(choose(y, next_y) - 0.5) - top for choose in (np.minimum, np.maximum))
    rows = np.arange(count)
    side, row = np.nonzero((first[:, None] <= rows) & (rows < last[:, None]))
    from_y, to_y, from_x, to_x = y[side], next_y[side], x[side], next_x[side]
    crossings = from_x + (row + top + 0.5 - from_y) * (to_x - from_x) / (to_y - from_y)
    polygon = np.repeat(np.arange(len(points)), [len(each) for each in points])
    return polygon[side], row, np.clip(np.ceil(crossings - 0.5), 0, width).astype(np.intp)


def _of_size(mask: BoolArray, height: int, width: int) -> BoolArray:
    """A mask at an image's size, which is as high for its width but for a pixel. Raises `ImageError`."""
    found, wide = mask.shape
    if mask.shape == (height, width):
        return mask.copy()
    if abs(found * width - height * wide) > max(width, wide):
        raise ImageError(
            f"is {width} x {height} px, and the mask of the region of interest is {wide} x {found} px, of another aspect ratio; draw "
            "the mask on a photo of this camera"
        )
    rows, columns = (((np.arange(of) + 0.5) * (by / of)).astype(np.intp) for of, by in ((height, found), (width, wide)))
    return np.asarray(mask[rows[:, None], columns])


def plane_problem(plane: NDArray[np.floating]) -> str:
    """What is wrong with a picture's plane `(H, W)` of its region, or nothing; scores of what is wrong would be no numbers."""
    if not (np.abs(plane) == 1).all():
        return "has a plane of its region of interest, the last, with other values than 1, inside, and -1, outside"
    return "" if (plane > 0).any() else "has no pixel inside its region of interest, where its last plane is 1"


def mask_text(inside: BoolArray) -> str:
    """A mask as text: height, width and the lengths of runs row after row, of pixels outside and inside by turns."""
    flat = np.concatenate(([False], inside.ravel()))
    starts = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(starts, prepend=0, append=inside.size)
    return f"{inside.shape[0]}x{inside.shape[1]}:{','.join(map(str, runs.tolist()))}"


def is_mask_text(text: str) -> bool:
    """Whether it is a mask, and no path of one."""
    return bool(_RUNS.fullmatch(text))


@lru_cache(maxsize=2)
def mask_of(text: str) -> BoolArray:
    """The inverse of `mask_text`. Raises `ValueError` for a text that is no mask."""
    if len(text) > _LONGEST:
        raise ValueError("has more outlines than can be kept; smooth it, or use polygons")
    matched = _RUNS.fullmatch(text)
    if matched is None:
        raise ValueError("is no mask: height, width and run lengths are wanted")
    height, width, runs = int(matched[1]), int(matched[2]), np.array(matched[3].split(","), dtype=np.int64)
    if max(height, width) > SIDE or height * width > _MOST_PIXELS:
        raise ValueError(
            f"is {width} x {height} px, more than are kept; a smaller one of the same aspect ratio will do"
        )
    if runs.sum() != height * width:
        raise ValueError(f"is no mask: its runs must cover {height} x {width} px")
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    inside.flags.writeable = False
    return inside
