"""Files to arrays: images to the pixels that they hold, masks to bool."""

from __future__ import annotations

import hashlib
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin

from radar.errors import DataError

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

_FORMATS = (
    "PNG",
    "JPEG",
    "BMP",
    "TIFF",
)  # whatever a file is called: Pillow would start another program for some others

_EIGHT_BIT = {
    "1": "L",
    "L": "L",
    "LA": "L",
    "P": "RGB",
    "PA": "RGB",
    "RGB": "RGB",
    "RGBA": "RGB",
    "RGBX": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
}
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
_BITS_PER_SAMPLE = 258  # TIFF tag


class Pixels(NamedTuple):
    """A decoded file: `values` (H, W) grey or (H, W, 3), uint8 or uint16, of which `full` is white."""

    values: NDArray[np.uint8] | NDArray[np.uint16]
    full: int


def file_hash(path: Path) -> str:
    """SHA-256 of the file's bytes: the identity of an image. Raises DataError naming the file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the file") from error


def array_hash(array: NDArray[np.uint8] | NDArray[np.uint16] | BoolArray) -> str:
    """SHA-256 of shape, dtype and content: the identity of an image that is no file of its own."""
    digest = hashlib.sha256(f"{array.shape} {array.dtype.str} ".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


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
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            return _pixels(image, content, path)
    except _BROKEN as error:
        raise DataError(f"{path}: not a readable image ({error}); replace or remove the file") from error


def _pixels(image: Image.Image, content: bytes, path: Path) -> Pixels:
    """Pixels of an opened image, by its mode."""
    if getattr(image, "n_frames", 1) > 1:
        raise DataError(f"{path}: holds several pages; save each page as a file of its own")
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.mode in ("RGB", "RGBA") and _tiff_bits(image) == 16:
        return _tiff_pixels(content)
    if image.mode.startswith("I;16"):
        return Pixels(np.asarray(image).astype(np.uint16), 65535)
    if isinstance(image, PngImagePlugin.PngImageFile) and str(image.tile[0].args).endswith(";16B"):
        return _deep_png_pixels(image, content, path)
    if image.mode not in _EIGHT_BIT:
        raise DataError(f"{path}: pixels of kind {image.mode} have no known range; save it as 8 or 16 bit grey or RGB")
    return Pixels(np.asarray(image.convert(_EIGHT_BIT[image.mode])), 255)


def _tiff_bits(image: TiffImagePlugin.TiffImageFile) -> int:
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, 8)
    return int(bits[0] if isinstance(bits, tuple) else bits)


def _tiff_pixels(content: bytes) -> Pixels:
    """16-bit colour, of which Pillow would keep the upper 8 bits only."""
    with tifffile.TiffFile(BytesIO(content)) as file:
        page = file.pages[0]
        values = page.asarray()
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, -1)
    return Pixels(np.ascontiguousarray(values[..., :3], dtype=np.uint16), 65535)


def _deep_png_pixels(image: Image.Image, content: bytes, path: Path) -> Pixels:
    """16-bit colour PNG: Pillow unpacks one byte of each sample, so it is asked once for either byte."""
    if image.mode not in ("RGB", "RGBA"):
        raise DataError(f"{path}: 16-bit grey with alpha is not supported; save it without alpha")
    upper = np.asarray(image.convert("RGB")).astype(np.uint16)
    with PngImagePlugin.PngImageFile(BytesIO(content)) as again:
        again.tile = [tile._replace(args=str(tile.args).replace(";16B", ";16L")) for tile in again.tile]
        lower = np.asarray(again.convert("RGB")).astype(np.uint16)
    return Pixels(upper * 256 + lower, 65535)


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
        with Image.open(path, formats=_FORMATS) as image:
            return image.height, image.width
    except _BROKEN as error:
        raise DataError(f"{path}: not a readable image ({error}); replace or remove the file") from error
