"""What a TIFF says of itself that Pillow does not heed: its pages, 12 bits, 16 bits whose zero is white, 16 bits of colour."""

from __future__ import annotations

import math
import re
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from .errors import ImageError
from .tiff_parts import DEFLATE, LZMA, PACK_BITS, UNPACKED, check_parts, several

# tags
_ORIENTATION, _XMP = 274, 700
_KIND_OF_PAGE, _BITS, _PHOTOMETRIC = 254, 258, 262
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_SAMPLE_FORMAT, _VOLUME_DEPTH, _TILE_DEPTH = 339, 32997, 32998
_COLOURS, _PALETTE = 320, 3  # a palette, and the photometric kind that has one
_DEEP = 256  # a palette's numbers have 16 bits
_PREVIEW = 1  # bit of the kind of a page
_MOST_PREVIEWS = 16  # pages that are looked at: each is half as wide as the one before
_UNSIGNED = 1
_ASSOCIATED = 1  # kind of a further sample: alpha, by which the colours were multiplied
_FULL = 65_535  # of 16 bits
_TURNED = re.compile(rb'tiff:Orientation(?:="|>)([1-8])["<]')  # in XMP, where Pillow looks for it in a PNG or JPEG
_LZMA_MEMORY = 256 << 20  # bytes, of which a stream of the strongest preset takes a third


class TiffFile(TiffImagePlugin.TiffImageFile):
    """A TIFF whose pixels were counted before: Pillow's own limit is not asked, and it is left as it is stored.

    Pillow would turn it when it has decoded it, and by XMP then alone, so header and pixels would differ.
    """

    def load_prepare(self) -> None:
        """Take the memory."""
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size).im
        super().load_prepare()

    def load_end(self) -> None:
        """Keep the size that belongs to the pixels."""
        self._size = self._tile_size

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height before it is turned."""
        return self._tile_size

    @property
    def orientation(self) -> int:
        """How it is to be turned, as its tag says, or else XMP."""
        if _ORIENTATION in self.tag_v2:
            return int(self.tag_v2[_ORIENTATION])
        said = self.tag_v2.get(_XMP)
        return orientation_in_xmp(said[0] if isinstance(said, tuple) else said)

    @property
    def tile_pixels(self) -> int:
        """Of one tile, which may be larger than the picture; 0 where there are none."""
        return int(self.tag_v2.get(_TILE_WIDTH, 0)) * int(self.tag_v2.get(_TILE_HEIGHT, 0))


def orientation_in_xmp(said: object) -> int:
    """1 to 8, where XMP says exactly that; 1 for anything else."""
    said = said.encode("latin-1", "replace") if isinstance(said, str) else said
    found = _TURNED.search(said) if isinstance(said, bytes) else None
    return int(found[1]) if found else 1


def check_tiff(image: TiffFile, content: bytes) -> bool:
    """Whether pages follow that are previews of the first. Raises `ImageError` where one is a picture, or the first is none."""
    if any(int(image.tag_v2.get(tag, 1)) > 1 for tag in (_VOLUME_DEPTH, _TILE_DEPTH)):
        raise ImageError("holds a volume; save each slice as a file of its own")
    if int(image.tag_v2.get(_KIND_OF_PAGE, 0)) & ~2:  # 2: a page of a document
        raise ImageError("its first page is a preview or a mask; save the picture as a file of its own")
    check_parts(image.tag_v2, content)
    has_palette = image.tag_v2.get(_PHOTOMETRIC) == _PALETTE
    # which some readers take for 8 bits, and Pillow for black
    if has_palette and 0 < max(several(image.tag_v2, _COLOURS), default=0) < _DEEP:
        raise ImageError("its palette has 8 bits where TIFF has 16; save it as grey or RGB")
    formats = image.tag_v2.get(_SAMPLE_FORMAT, (_UNSIGNED,))
    if image.mode == "L" and set(formats if isinstance(formats, tuple) else (formats,)) != {_UNSIGNED}:
        raise ImageError("its numbers have a sign, so they have no known range; save it as 8 or 16 bit grey or RGB")
    for page in range(1, _MOST_PREVIEWS + 1):
        try:
            image.seek(page)
        except EOFError:
            return page > 1 and _back(image)
        except SyntaxError:  # Pillow cannot show that page, which is asked what it is all the same
            pass
        if not int(image.tag_v2.get(_KIND_OF_PAGE, 0)) & _PREVIEW:
            break
    raise ImageError("holds several pages; save each page as a file of its own")


def _back(image: TiffFile) -> bool:
    image.seek(0)
    return True


def is_deep_colour(image: TiffFile) -> bool:
    """16 bits a sample, of which Pillow would keep the upper 8 alone."""
    return image.mode in ("RGB", "RGBA") and _bits(image) == 16


def is_twelve_bit(image: TiffFile) -> bool:
    """Which Pillow leaves in the lower bits of 16."""
    return _bits(image) == 12


def is_white_zero(image: TiffFile) -> bool:
    """Which Pillow heeds up to 8 bits alone."""
    return image.tag_v2.get(_PHOTOMETRIC) == 0


def deep_colours(content: bytes) -> NDArray[np.uint16]:
    """16-bit colour `(H, W, 3)` as stored."""
    try:
        import tifffile  # noqa: PLC0415 - which few need, so the runtime does without
    except ImportError:
        raise ImageError("a TIFF of 16-bit colour needs tifffile; get it with pip install tifffile") from None
    with tifffile.TiffFile(BytesIO(content)) as file:
        page: Any = file.pages[0]
        if not all(page.databytecounts) or sum(page.databytecounts) > len(content):
            raise ImageError("not a readable image (its rows end half-way); replace or remove the file")
        _check_unpacked(page, content)
        values = page.asarray()
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, -1)
    colours: NDArray[Any] = values[..., :3]
    if _ASSOCIATED in page.extrasamples and values.shape[-1] > 3:  # as Pillow does with 8 bits
        colours = _unmultiplied(colours, values[..., 3:4])
    return np.ascontiguousarray(colours, dtype=np.uint16)


def _unmultiplied(colours: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Colours `(H, W, 3)` that were multiplied by alpha `(H, W, 1)`, as they were before; as they are where nothing is to be seen."""
    whole = np.where(alpha == 0, _FULL, alpha).astype(np.uint64)
    return np.asarray(np.minimum(colours.astype(np.uint64) * _FULL // whole, _FULL), dtype=np.uint64)


def _check_unpacked(page: Any, content: bytes) -> None:
    """Raises `ImageError` where a strip or tile unpacks to more than its rows, which tifffile would do to the end."""
    if page.compression == UNPACKED:
        return
    most = math.prod(page.chunks) * page.dtype.itemsize
    for start, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        if _holds_more(int(page.compression), content[start : start + length], most):
            raise ImageError("not a readable image (it unpacks to more than its rows); replace or remove the file")


def _holds_more(packing: int, packed: bytes, most: int) -> bool:
    """Whether it unpacks to more than `most` bytes, which is found without unpacking the rest."""
    if packing in DEFLATE:
        return len(zlib.decompressobj().decompress(packed, most + 1)) > most
    if packing == LZMA:
        import lzma  # noqa: PLC0415 - which some builds of Python lack

        unpacker = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
        return len(unpacker.decompress(packed, most + 1)) > most or bool(unpacker.unused_data)  # another stream
    if packing == PACK_BITS:
        return _pack_bits_size(packed) > most
    raise ImageError("16-bit colour is not read from a TIFF that is packed so; save it with deflate or unpacked")


def _pack_bits_size(packed: bytes) -> int:
    place = size = 0
    while place < len(packed):
        count = packed[place]
        size += 257 - count if count > 128 else (count + 1) % 129  # repeated, as it is, or nothing
        place += 2 if count > 128 else 1 + (count + 1) % 129
    return size


def _bits(image: TiffFile) -> int:
    bits = image.tag_v2.get(_BITS, 8)
    return int(bits[0] if isinstance(bits, tuple) else bits)
