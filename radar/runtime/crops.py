"""Crops of image files by name: `strip.png#xywh=1024,0,256,256`, in px from the upper left (Media Fragments URI 1.0)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .decoding import Pixels
from .errors import ImageError

_NAMED = re.compile(
    r"(?P<file>.+)#xywh=(?P<left>\d{1,9}),(?P<top>\d{1,9}),(?P<width>[1-9]\d{0,8}),(?P<height>[1-9]\d{0,8})", re.ASCII
)
_MARK = "#xywh="
_Path = TypeVar("_Path", bound=PurePath)


class Crop(NamedTuple):
    """A window of a file, in px."""

    left: int
    top: int
    width: int
    height: int

    def named(self, file: str) -> str:
        """The name of this crop of `file`."""
        return f"{file}#xywh={','.join(map(str, self))}"

    def of(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Its part of `(H, W, …)`, smaller where it ends outside."""
        return values[self.top : self.top + self.height, self.left : self.left + self.width]

    def overlaps(self, other: Crop) -> bool:
        """Whether they have a pixel in common."""
        return (
            self.left < other.left + other.width
            and other.left < self.left + self.width
            and self.top < other.top + other.height
            and other.top < self.top + self.height
        )

    def check_inside(self, height: int, width: int) -> None:
        """Raises `ImageError` where it ends outside a file of that size."""
        if self.left + self.width > width or self.top + self.height > height:
            raise ImageError(f"the file is {width} x {height} px, and the crop ends outside; name one inside it")

    def cut(self, pixels: Pixels) -> Pixels:
        """Its part of a decoded file. Raises `ImageError` where it ends outside."""
        self.check_inside(*pixels.values.shape[:2])
        return Pixels(np.ascontiguousarray(self.of(pixels.values)), pixels.full)


def file_and_crop(path: _Path) -> tuple[_Path, Crop | None]:
    """The file that `path` names, and the crop of it; None: the whole file."""
    named = _NAMED.fullmatch(path.name)
    if named is None or named["file"] in (".", ".."):  # which are folders
        return path, None
    file, *window = named.groups()
    return path.with_name(file), Crop(*map(int, window))


def names_no_crop(path: PurePath) -> bool:
    """Whether a name begins to tell a crop and does not tell one."""
    return _MARK in path.name and file_and_crop(path)[1] is None


def stem(path: PurePath) -> str:
    """A file's name without its extension; of a crop with where it lies, `strip_x1024_y0`."""
    file, crop = file_and_crop(path)
    return file.stem if crop is None else f"{file.stem}_x{crop.left}_y{crop.top}"


def check_side(path: PurePath, shape: Sequence[int], side: int | None) -> None:
    """Raises `ImageError` where an image of that height and width is not the square of `side` px that is wanted; None: any will do."""
    height, width = shape
    if side is not None and (height, width) != (side, side):
        crop = Crop(0, 0, side, side).named(file_and_crop(path)[0].name)
        raise ImageError(
            f"is {width} x {height} px, and images of {side} x {side} px are wanted; name a crop of it, as in '{crop}'"
        )


def content_hash(content: bytes) -> str:
    """SHA-256 of a file's bytes: the identity of an image that is a file."""
    return hashlib.sha256(content).hexdigest()


def array_hash(array: np.ndarray[Any, Any]) -> str:
    """SHA-256 of shape, dtype and content: the identity of an image that is no file of its own."""
    digest = hashlib.sha256(f"{array.shape} {array.dtype.str} ".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
