"""Image files, and crops of them by name: `strip.png#xywh=1024,0,256,256`, in px from the upper left (Media Fragments URI 1.0).

The one place that reads such a name. Whatever takes an image file takes one: layouts of files, manifests, `Model.score`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path, PurePath
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np

from radar.data.decoding import BoolArray, Pixels, array_hash, decode, file_hash, image_shape, read_mask, read_pixels
from radar.errors import DataError

_NAMED = re.compile(r"(?P<file>.+)#xywh=(?P<left>\d+),(?P<top>\d+),(?P<width>[1-9]\d*),(?P<height>[1-9]\d*)")
_Path = TypeVar("_Path", bound=PurePath)
_KEPT = 4  # decoded files: crops of one are asked for one after the other


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


def file_and_crop(path: _Path) -> tuple[_Path, Crop | None]:
    """The file that `path` names, and the crop of it; None: the whole file."""
    named = _NAMED.fullmatch(path.name)
    if named is None:
        return path, None
    file, *window = named.groups()
    return path.with_name(file), Crop(*map(int, window))


def stem(path: PurePath) -> str:
    """A file's name without its extension; of a crop with where it lies, `strip_x1024_y0`."""
    file, crop = file_and_crop(path)
    return file.stem if crop is None else f"{file.stem}_x{crop.left}_y{crop.top}"


class FileReader:
    """Pixels, size, mask and identity of images that are files or named crops of files.

    `decode` reads a whole file. Where `side` is given, each image is a square of that many px, and others are refused.
    """

    def __init__(self, decode: Callable[[Path], Pixels] = read_pixels, side: int | None = None) -> None:
        self.side = side
        self._decode, self._own = decode, decode is not read_pixels
        self._decoded, self._masks = lru_cache(_KEPT)(decode), lru_cache(_KEPT)(read_mask)
        self._lock = Lock()  # so that threads that crop one file decode it once

    @property
    def decodes_itself(self) -> bool:
        """Whether files are decoded in another way than radar's."""
        return self._own

    def pixels(self, path: Path) -> Pixels:
        """The decoded image. Raises DataError naming it."""
        file, crop = file_and_crop(path)
        if crop is None:
            pixels = self._decode(file)
        else:
            with self._lock:
                whole = self._decoded(file)
            _check_inside(path, crop, *whole.values.shape[:2])
            pixels = Pixels(np.ascontiguousarray(crop.of(whole.values)), whole.full)
        height, width = pixels.values.shape[:2]
        self._check_side(path, height, width)
        return pixels

    def read(self, path: Path, content: bytes) -> tuple[Pixels, str]:
        """The image and its identity, decoded from the file's bytes; only a file of a kind of its own is read once more.

        Raises DataError naming it.
        """
        file, crop = file_and_crop(path)
        pixels = self._decode(file) if self._own else decode(content, file)
        if crop is not None:
            _check_inside(path, crop, *pixels.values.shape[:2])
            pixels = Pixels(np.ascontiguousarray(crop.of(pixels.values)), pixels.full)
        self._check_side(path, *pixels.values.shape[:2])
        bytes_tell = crop is None and not self._own
        return pixels, hashlib.sha256(content).hexdigest() if bytes_tell else array_hash(pixels.values)

    def shape(self, path: Path) -> tuple[int, int]:
        """Height and width in px, from the file's header where radar decodes it."""
        file, crop = file_and_crop(path)
        height, width = self._file_shape(file)
        if crop is not None:
            _check_inside(path, crop, height, width)
            height, width = crop.height, crop.width
        self._check_side(path, height, width)
        return height, width

    def mask(self, path: Path, mask: Path, *, inverted: bool) -> BoolArray:
        """The mask of the image `path`, bool (H, W): of a crop, that part of the file's mask, which has the file's size."""
        file, crop = file_and_crop(path)
        shape = self._file_shape(file)
        if crop is None:
            return read_mask(mask, shape, inverted=inverted)
        with self._lock:
            whole = self._masks(mask, shape, inverted=inverted)
        _check_inside(path, crop, *shape)
        return np.ascontiguousarray(crop.of(whole))

    def content_hash(self, path: Path) -> str:
        """SHA-256 of the file's bytes; of shape, dtype and pixels where it is a crop or `decode` is not radar's own."""
        file, crop = file_and_crop(path)
        return file_hash(file) if crop is None and not self._own else array_hash(self.pixels(path).values)

    def _file_shape(self, file: Path) -> tuple[int, int]:
        if not self._own:
            return image_shape(file)
        height, width = self._decode(file).values.shape[:2]
        return height, width

    def _check_side(self, path: Path, height: int, width: int) -> None:
        if self.side is not None and (height, width) != (self.side, self.side):
            crop = Crop(0, 0, self.side, self.side).named(file_and_crop(path)[0].name)
            raise DataError(
                f"{path}: is {width} x {height} px, and images of {self.side} x {self.side} px are wanted; "
                f"name a crop of it, as in '{crop}'"
            )


def _check_inside(path: Path, crop: Crop, height: int, width: int) -> None:
    if crop.left + crop.width > width or crop.top + crop.height > height:
        raise DataError(f"{path}: the file is {width} x {height} px, and the crop ends outside; name one inside it")
