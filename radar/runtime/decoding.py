"""The bytes of an image file to the pixels that they hold."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from .errors import ImageError

FORMATS = (
    "PNG",
    "JPEG",
    "BMP",
    "TIFF",
)  # whatever a file is called: Pillow would start another program for some others

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

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
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
_BITS_PER_SAMPLE = 258  # TIFF tag


class Pixels(NamedTuple):
    """A decoded file: `values` (H, W) grey or (H, W, 3), uint8 or uint16, of which `full` is white."""

    values: NDArray[np.uint8] | NDArray[np.uint16]
    full: int


def decode(content: bytes) -> Pixels:
    """The pixels of a PNG, JPEG, BMP or TIFF of 8 or 16 bits, in a file's bytes; alpha is dropped. Raises `ImageError`."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            return _pixels(image, content)
    except UnidentifiedImageError:  # whose message names an address in memory
        raise ImageError("not a readable image (no PNG, JPEG, BMP or TIFF); replace or remove the file") from None
    except BROKEN as error:
        raise ImageError(f"not a readable image ({error}); replace or remove the file") from error


def _pixels(image: Image.Image, content: bytes) -> Pixels:
    """Pixels of an opened image, by its mode."""
    if getattr(image, "n_frames", 1) > 1:
        raise ImageError("holds several pages; save each page as a file of its own")
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.mode in ("RGB", "RGBA") and _tiff_bits(image) == 16:
        return _tiff_pixels(content)
    if image.mode.startswith("I;16"):
        return Pixels(np.asarray(image).astype(np.uint16), 65535)
    if isinstance(image, PngImagePlugin.PngImageFile) and str(image.tile[0].args).endswith(";16B"):
        return _deep_png_pixels(image, content)
    if image.mode not in _EIGHT_BIT:
        raise ImageError(f"pixels of kind {image.mode} have no known range; save it as 8 or 16 bit grey or RGB")
    return Pixels(np.asarray(image.convert(_EIGHT_BIT[image.mode])), 255)


def _tiff_bits(image: TiffImagePlugin.TiffImageFile) -> int:
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, 8)
    return int(bits[0] if isinstance(bits, tuple) else bits)


def _tiff_pixels(content: bytes) -> Pixels:
    """16-bit colour, of which Pillow would keep the upper 8 bits only."""
    try:
        import tifffile  # noqa: PLC0415 - which few need, so the runtime does without
    except ImportError:
        raise ImageError("a TIFF of 16-bit colour needs tifffile; get it with pip install tifffile") from None
    with tifffile.TiffFile(BytesIO(content)) as file:
        page = file.pages[0]
        values = page.asarray()
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, -1)
    return Pixels(np.ascontiguousarray(values[..., :3], dtype=np.uint16), 65535)


def _deep_png_pixels(image: Image.Image, content: bytes) -> Pixels:
    """16-bit colour PNG: Pillow unpacks one byte of each sample, so it is asked once for either byte."""
    if image.mode not in ("RGB", "RGBA"):
        raise ImageError("16-bit grey with alpha is not supported; save it without alpha")
    upper = np.asarray(image.convert("RGB")).astype(np.uint16)
    with PngImagePlugin.PngImageFile(BytesIO(content)) as again:
        again.tile = [tile._replace(args=str(tile.args).replace(";16B", ";16L")) for tile in again.tile]
        lower = np.asarray(again.convert("RGB")).astype(np.uint16)
    return Pixels(upper * 256 + lower, 65535)
