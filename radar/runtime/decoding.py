"""The bytes of an image file to the pixels that they hold, as every viewer shows them: upright, and black where it is dark."""

from __future__ import annotations

import logging
import math
import re
import warnings
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from .bmp import check_bmp
from .errors import ImageError
from .jpeg import check_data, check_jpeg
from .png import SIGNATURE, check_png
from .tiff import TiffFile, check_tiff, deep_colours, is_deep_colour, is_twelve_bit, is_white_zero, orientation_in_xmp

LARGEST_PHOTO = 2**31  # bytes of a file that is read: 16 bits of three colours of 350 million pixels
EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

# By content, whatever a file is called, and never through `Image.open`: that starts another program for some formats, and has a
# limit on pixels that is the whole process's.
_KINDS: tuple[tuple[tuple[bytes, ...], type[ImageFile.ImageFile]], ...] = (
    ((SIGNATURE,), PngImagePlugin.PngImageFile),
    ((b"\xff\xd8\xff",), JpegImagePlugin.JpegImageFile),  # of several pictures in one file it reads the first
    ((b"BM",), BmpImagePlugin.BmpImageFile),
    (tuple(TiffImagePlugin.PREFIXES), TiffFile),
)
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
_ORIENTATION = 274  # tag of EXIF
_XMP = ("XML:com.adobe.xmp", "xmp")  # as Pillow calls it in a PNG and in a JPEG
_MAY_TURN = (b"eXIf", b"exif", b"xmp")  # one of which a PNG holds that says how it is turned
_SIDEWAYS = (5, 6, 7, 8)  # orientations in which height and width change places
_PILLOW = re.compile(r"PIL\.")
_UNTOLD = ("ignore", None, Warning, _PILLOW, 0)  # a filter of warnings, as Python keeps it
_Level = TypeVar("_Level", np.uint8, np.uint16)
Tell = Callable[[str], None]
logging.getLogger("PIL").addHandler(logging.NullHandler())  # or Python itself would print what nobody asked to log


class Pixels(NamedTuple):
    """A decoded file: `values` (H, W) grey or (H, W, 3), uint8 or uint16, of which `full` is white."""

    values: NDArray[np.uint8] | NDArray[np.uint16]
    full: int


def decode(content: bytes, megapixels: float = math.inf, tell: Tell | None = None) -> Pixels:
    """The pixels of a PNG, JPEG, BMP or TIFF of 8 or 16 bits, in a file's bytes; alpha is dropped.

    More than `megapixels` million pixels are refused by the header, before memory is taken for them. Of several pictures in a
    photo, or a TIFF with previews, the first is read, which `tell` is told. Raises `ImageError`.
    """

    def read(image: Image.Image) -> Pixels:
        if "mp" in image.info and tell is not None:
            tell("hold several pictures, of which the first is read")
        if isinstance(image, TiffFile) and check_tiff(image, content) and tell is not None:
            tell("hold a preview beside the picture, which is not read")
        if isinstance(image, PngImagePlugin.PngImageFile):
            if image.is_animated:
                raise ImageError("holds several pages; save each page as a file of its own")
            check_png(content)
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            check_jpeg(content)
        if isinstance(image, BmpImagePlugin.BmpImageFile):
            check_bmp(image, content)
        pixels = _pixels(image, content)
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            check_data(image, content)
        return pixels

    return reading(content, megapixels, read)


def shape(content: bytes, megapixels: float = math.inf) -> tuple[int, int]:
    """Height and width in px of what `decode` gives, from the header. Raises `ImageError`."""

    def read(image: Image.Image) -> tuple[int, int]:
        width, height = image.stored_size if isinstance(image, TiffFile) else image.size
        return (width, height) if _orientation(image, content) in _SIDEWAYS else (height, width)

    return reading(content, megapixels, read)


_Read = TypeVar("_Read")


def reading(content: bytes, megapixels: float, read: Callable[[Image.Image], _Read]) -> _Read:
    """What `read` finds in the image, opened by what its bytes begin with and not yet decoded. Raises `ImageError`."""
    _silence_pillow()
    kind = next((kind for starts, kind in _KINDS if content.startswith(starts)), None)
    if kind is None:
        raise ImageError("not a readable image (no PNG, JPEG, BMP or TIFF); replace or remove the file")
    try:
        with kind(BytesIO(content)) as image:
            if (found := pixel_count(image)) > megapixels * 1e6:
                raise ImageError(
                    f"has {found / 1e6:.4g} million pixels, and at most {megapixels:g} are read; raise dataset.megapixels, or cut it"
                )
            return read(image)
    except ImageError:
        raise
    except Exception as error:  # decoders raise whatever a broken file makes them
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"not a readable image ({reason}); replace or remove the file") from error


def _silence_pillow() -> None:
    """Pillow warns of what the pixels do not need, without the photo's name; what they need and is not there, it raises.

    One filter for the whole process, as filters of a while are shared by threads; whoever resets them finds it here again.
    """
    if _UNTOLD not in warnings.filters:
        warnings.filterwarnings("ignore", module=_PILLOW.pattern)


def pixel_count(image: Image.Image) -> int:
    """What decoding takes memory for, by the header: the picture, or a tile of it that is larger."""
    tile = image.tile_pixels if isinstance(image, TiffFile) else 0
    return max(image.width * image.height, tile)


def upright(values: NDArray[_Level], orientation: int) -> NDArray[_Level]:
    """`(H, W, …)` as it is to be shown; anything but 2 to 8 says nothing of it."""
    if orientation in _SIDEWAYS:
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def turned_upright(image: Image.Image, values: NDArray[_Level], content: bytes) -> NDArray[_Level]:
    """An image's values as it is to be shown."""
    return upright(values, _orientation(image, content))


def _orientation(image: Image.Image, content: bytes) -> int:
    """As EXIF, XMP or a TIFF's tag has it; what is broken there says nothing of it."""
    if isinstance(image, PngImagePlugin.PngImageFile) and not any(mark in content for mark in _MAY_TURN):
        return 1  # without decoding it, as Pillow would to look behind the pixels
    try:
        return image.orientation if isinstance(image, TiffFile) else _said_beside(image)
    except Exception:
        return 1


def _said_beside(image: Image.Image) -> int:
    """The orientation in what a PNG or JPEG says beside its pixels: EXIF, or else XMP, of which Pillow would read "66" as 6."""
    image.getexif()  # reads what lies behind the pixels, too
    alone = Image.new("1", (1, 1))
    alone.info = {name: value for name, value in image.info.items() if name not in _XMP}
    said = alone.getexif().get(_ORIENTATION)
    if said is not None:
        return int(said)
    return next((orientation_in_xmp(image.info[name]) for name in _XMP if image.info.get(name)), 1)


def _pixels(image: Image.Image, content: bytes) -> Pixels:
    """Pixels of an opened image, by its mode."""
    if isinstance(image, TiffFile) and is_deep_colour(image):
        return Pixels(turned_upright(image, deep_colours(content), content), 65535)
    if image.mode.startswith("I;16"):
        return Pixels(turned_upright(image, _deep_grey(image), content), 65535)
    if isinstance(image, PngImagePlugin.PngImageFile) and str(image.tile[0].args).endswith(";16B"):
        return Pixels(turned_upright(image, _deep_png(image, content), content), 65535)
    if image.mode not in _EIGHT_BIT:
        raise ImageError(f"pixels of kind {image.mode} have no known range; save it as 8 or 16 bit grey or RGB")
    if image.mode == "P":
        _check_palette(image)
    return Pixels(turned_upright(image, _eight_bit(image, _EIGHT_BIT[image.mode]), content), 255)


def _check_palette(image: Image.Image) -> None:
    """Raises `ImageError` where pixels name colours that are not in the palette: Pillow shows them black."""
    palette = image.palette
    colours = 0 if palette is None else len(palette.palette) // (4 if str(palette.rawmode).startswith("BGRX") else 3)
    largest = image.getextrema()[1]  # which decodes, and fills the palette up
    if not isinstance(largest, int | float) or largest >= colours:
        raise ImageError(
            "not a readable image (its pixels name colours that it does not have); replace or remove the file"
        )


def _eight_bit(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    return np.asarray(image if image.mode == mode else image.convert(mode))


def _deep_grey(image: Image.Image) -> NDArray[np.uint16]:
    """16 bits; 12 are spread over them, and a TIFF whose zero is white is turned over."""
    values = np.asarray(image).astype(np.uint16)
    if not isinstance(image, TiffFile):
        return values
    if is_twelve_bit(image):
        values = ((values << 4) | (values >> 8)).astype(np.uint16)
    return np.invert(values) if is_white_zero(image) else values


def _deep_png(image: PngImagePlugin.PngImageFile, content: bytes) -> NDArray[np.uint16]:
    """16-bit colour PNG: Pillow unpacks one byte of each sample, so it is asked once for either byte."""
    if image.mode not in ("RGB", "RGBA"):
        raise ImageError("16-bit grey with alpha is not supported; save it without alpha")
    values = _eight_bit(image, "RGB").astype(np.uint16)
    values <<= 8
    with PngImagePlugin.PngImageFile(BytesIO(content)) as again:
        again.tile = [tile._replace(args=str(tile.args).replace(";16B", ";16L")) for tile in again.tile]
        values |= _eight_bit(again, "RGB")
    return values
