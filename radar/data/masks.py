"""Mask files to bool: what in them marks the defect is told by their own values, and said."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radar.data.decoding import BoolArray, decode, read_content
from radar.errors import DataError
from radar.runtime.decoding import Pixels, reading, turned_upright

_CLASSES = 16  # most distinct values, or colours, of a mask whose values name classes
_SMALL = 32  # level of 255 below which numbers are small, and colours black
_JPEG = b"\xff\xd8\xff"


class Mask(NamedTuple):
    """What a file marks (H, W), and how it was read, in words that follow a number of masks; none where it is black and white."""

    marked: BoolArray
    rule: str


def read_mask(path: Path, shape: tuple[int, int], *, inverted: bool, megapixels: float = math.inf) -> Mask:
    """A mask, True on the defect; where it is `inverted`, what is dark.

    Numbers below 32 are classes, of which 0 is none; so are up to 16 distinct greys some of which are below 32, in a file that is
    stored without loss, and up to 16 colours that are not all grey, of which black is none. Any other mask marks what is above
    half of its largest value. Where only alpha differs, or is nowhere above half, it is the mask.
    Raises DataError where it cannot be read, or if its size is not `shape` (H, W).
    """
    content = read_content(path)
    pixels = decode(content, path, megapixels)
    found = pixels.values.shape[:2]
    if found != shape:
        raise DataError(
            f"{path}: the mask is {found[1]} x {found[0]} px and its image {shape[1]} x {shape[0]} px; give it the image's size"
        )
    mask = _of_alpha(pixels, _alpha(content)) or _of_values(pixels, lossy=is_lossy(content))
    return Mask(~mask.marked, mask.rule) if inverted else mask


def drawn(content: bytes, path: Path, megapixels: float = math.inf) -> BoolArray:
    """What a file marks `(H, W)` where all but black counts: where alpha tells a shape, that, and nothing that is transparent.

    Raises DataError where it cannot be read.
    """
    pixels, alpha = decode(content, path, megapixels), _alpha(content)
    marked = pixels.values > 0 if pixels.values.ndim == 2 else pixels.values.max(axis=2) > 0
    if alpha is None:
        return marked
    shape = _shape_of_alpha(pixels, alpha)
    return marked & (alpha > 127) if shape is None else shape.marked


def is_lossy(content: bytes) -> bool:
    """Whether levels may have changed when it was stored."""
    return content.startswith(_JPEG) or reading(
        content, math.inf, lambda image: image.info.get("compression") == "jpeg"
    )


def _alpha(content: bytes) -> NDArray[np.uint8] | None:
    """`(H, W)`, 255 where it is opaque; None where the file has none, or all of it is opaque."""

    def read(image: Image.Image) -> NDArray[np.uint8] | None:
        if not (image.mode.endswith("A") or "transparency" in image.info):
            return None
        image.load()
        alpha = turned_upright(image, np.asarray(image.convert("RGBA").getchannel("A")), content)
        return None if (alpha == 255).all() else alpha

    return reading(content, math.inf, read)  # whose pixels were counted before


def _of_alpha(pixels: Pixels, alpha: NDArray[np.uint8] | None) -> Mask | None:
    """Alpha where it is low everywhere, or what is seen has one colour; else the colours that are seen, on black."""
    if alpha is None:
        return None
    if (shape := _shape_of_alpha(pixels, alpha)) is not None:
        return shape
    shown = pixels.values.copy()
    shown[alpha <= 127] = 0
    return _of_values(Pixels(shown, pixels.full), lossy=False)


def _shape_of_alpha(pixels: Pixels, alpha: NDArray[np.uint8]) -> Mask | None:
    """What alpha marks where it is low everywhere, or what is seen has one colour; None where the colours tell more."""
    seen = alpha > 127
    if not seen.any():
        return Mask(alpha > 0, "mark what is not wholly transparent")
    colours = pixels.values[seen]
    return Mask(seen, "mark what is opaque") if (colours == colours[0]).all() else None


def _of_values(pixels: Pixels, *, lossy: bool) -> Mask:
    values = pixels.values
    levels: NDArray[np.integer] = values if values.ndim == 2 else values.max(axis=2)
    largest, black = int(levels.max(initial=0)), _SMALL * (pixels.full // 255)
    if lossy and largest < black:  # where nothing was drawn, JPEG leaves traces
        return Mask(np.zeros(levels.shape, dtype=np.bool_), "")
    if not largest:
        return Mask(levels > 0, "")
    if not lossy and (largest < _SMALL or _are_numbers(values)):
        return Mask(levels > 0, "hold class numbers: all above 0 is defect")
    if not lossy and values.ndim == 3 and _are_classes(values):
        return Mask(levels >= black, "hold class colours: all but black is defect")
    plain = largest == pixels.full and bool(((levels == 0) | (levels == largest)).all())
    return Mask(levels > largest // 2, "" if plain else "are split at half of their largest value")


def _are_numbers(values: NDArray[np.integer]) -> bool:
    """Whether there are a few greys, some of them small, as class numbers are beside one for what is void."""
    greys = values if values.ndim == 2 else values[..., 0]
    if values.ndim == 3 and (values != greys[..., None]).any():
        return False
    distinct = np.flatnonzero(np.bincount(greys.ravel()))
    return len(distinct) <= _CLASSES and bool(((distinct > 0) & (distinct < _SMALL)).any())


def _are_classes(values: NDArray[np.integer]) -> bool:
    """Whether there are a few colours, and not all of them grey."""
    if (values == values[..., :1]).all():
        return False
    wide = values.reshape(-1, 3).astype(np.uint64)
    return len(np.unique(wide[:, 0] << 32 | wide[:, 1] << 16 | wide[:, 2])) <= _CLASSES
