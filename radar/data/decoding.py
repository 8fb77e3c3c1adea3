"""Files to the pixels that they hold; masks are `radar.data.masks`."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radar.errors import DataError
from radar.runtime import decoding
from radar.runtime.crops import array_hash
from radar.runtime.decoding import EXTENSIONS, LARGEST_PHOTO, Pixels, Tell
from radar.runtime.errors import ImageError
from radar.runtime.files import check_is_file, sha256

__all__ = ["EXTENSIONS", "Pixels", "array_hash"]  # which whoever decodes files of its own reads here

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


def file_hash(path: Path) -> str:
    """SHA-256 of the file's bytes: the identity of an image. Raises DataError naming the file."""
    try:
        check_is_file(path, math.inf)
        return sha256(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); check the file"
        ) from error


def read_content(path: Path) -> bytes:
    """A file's bytes. Raises DataError naming the file."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; restore it or remove it from the manifest")
    try:
        check_is_file(path, LARGEST_PHOTO)
        return path.read_bytes()
    except ValueError as error:
        raise DataError(f"{path}: cannot be read ({error}); check the file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the file") from error


def read_pixels(path: Path, megapixels: float = math.inf, tell: Tell | None = None) -> Pixels:
    """Decode a file as `radar.runtime.decoding.decode` does its bytes. Raises DataError naming the file."""
    return decode(read_content(path), path, megapixels, tell)


def decode(content: bytes, path: Path, megapixels: float = math.inf, tell: Tell | None = None) -> Pixels:
    """The pixels in a file's bytes; `path` is what an error names. Raises DataError."""
    try:
        return decoding.decode(content, megapixels, tell)
    except ImageError as error:
        raise DataError(f"{path}: {error}") from error


def image_shape(path: Path, megapixels: float = math.inf) -> tuple[int, int]:
    """Height and width in px of the decoded image, from the file's header."""
    try:
        return decoding.shape(read_content(path), megapixels)
    except ImageError as error:
        raise DataError(f"{path}: {error}") from error
