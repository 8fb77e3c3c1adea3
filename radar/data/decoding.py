"""Files to arrays: images to the pixels that they hold, masks to bool."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radar.errors import DataError
from radar.runtime.crops import array_hash
from radar.runtime.decoding import BROKEN, EXTENSIONS, FORMATS, Pixels
from radar.runtime.decoding import decode as decode_bytes
from radar.runtime.errors import ImageError

__all__ = ["EXTENSIONS", "Pixels", "array_hash"]  # which whoever decodes files of its own reads here

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


def file_hash(path: Path) -> str:
    """SHA-256 of the file's bytes: the identity of an image. Raises DataError naming the file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the file") from error


def read_pixels(path: Path) -> Pixels:
    """Decode a PNG, JPEG, BMP or TIFF of 8 or 16 bits; alpha is dropped. Raises DataError naming the file."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; restore it or remove it from the manifest")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    return decode(content, path)


def decode(content: bytes, path: Path) -> Pixels:
    """The pixels in a file's bytes; `path` is what an error names. Raises DataError."""
    try:
        return decode_bytes(content)
    except ImageError as error:
        raise DataError(f"{path}: {error}") from error


def read_mask(path: Path, shape: tuple[int, int], *, inverted: bool) -> BoolArray:
    """A mask, bool (H, W), True on the defect: above half of the range (below, if `inverted`).

    A mask that holds 0 and 1 alone is read as such. Raises DataError if its size is not `shape` (H, W).
    """
    pixels = read_pixels(path)
    values = pixels.values if pixels.values.ndim == 2 else pixels.values.max(axis=2)
    if values.shape != shape:
        raise DataError(
            f"{path}: the mask is {values.shape[1]} x {values.shape[0]} px and its image "
            f"{shape[1]} x {shape[0]} px; give it the image's size"
        )
    marked: BoolArray = values == 1 if values.max(initial=0) == 1 else values > pixels.full // 2
    return ~marked if inverted else marked


def image_shape(path: Path) -> tuple[int, int]:
    """Height and width in px, from the file's header alone."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.height, image.width
    except BROKEN as error:
        raise DataError(f"{path}: not a readable image ({error}); replace or remove the file") from error
