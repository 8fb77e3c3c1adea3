"""Whether a JPEG can be decoded in the time that its pixels take, and whether the data of its scans last for its pixels."""

from __future__ import annotations

import re
from io import BytesIO
from itertools import pairwise
from typing import NamedTuple

from PIL import ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from .errors import ImageError

_MOST_SCANS = 100  # of one picture: those of encoders in use have about ten
_START, _END, _SCAN, _RESTARTS = 0xD8, 0xD9, 0xDA, 0xDD
_ARITHMETIC = (0xC9, 0xCA)  # whose encoders leave out the last data where they are zero
_ALONE = re.compile(
    rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL
)  # a marker that is neither data, nor a restart, nor filling
_SEGMENTS = range(0xC0, 0xFF)  # markers that a length follows
_BYTES = bytes(167 * place % 255 for place in range(1, 100))
_UNNEEDED = b"".join(
    _BYTES + bytes([0xFF, 0xD0 + number]) for number in range(8)
)  # by whole pictures; with every restart
_SMALL = 2**16  # px, of which the last ones, that the same data tell of, are no small part
_GREY = range(125, 132)  # about 128, the brightness that libjpeg gives to pixels without data


class _Markers(NamedTuple):
    """Of the first picture in a file."""

    kinds: tuple[int, ...]
    ends: tuple[int, ...]  # of the data of its scans


def check_jpeg(content: bytes) -> None:
    """Raises `ImageError` where the first picture has more scans than any encoder makes: a scan of a few bytes passes over all pixels
    once more."""
    if _markers(content).kinds.count(_SCAN) > _MOST_SCANS:
        raise ImageError(f"not a readable image (it has more than {_MOST_SCANS} scans); replace or remove the file")


def check_data(image: JpegImageFile, content: bytes) -> None:
    """Raises `ImageError` where the data of a scan of a decoded picture end before its pixels do, for which decoders put grey.

    Where some are missing, data that are put behind the others become pixels. That takes decoding it again, and is tried where the
    last pixel is grey, or where it need not be: of several scans, with restarts, of four colours, or in the last square, of up to
    32 px, which a large picture may so lack unseen. Pictures in arithmetic coding are not looked at.
    """
    kinds, ends = _markers(content)
    if not ends or any(kind in kinds for kind in _ARITHMETIC):
        return
    told = kinds.count(_SCAN) == 1 and _RESTARTS not in kinds and image.mode != "CMYK"
    if told and image.width * image.height > _SMALL and not _ends_in_grey(image):
        return
    parts = [content[start:end] for start, end in pairwise((0, *ends, len(content)))]
    with JpegImageFile(BytesIO(_UNNEEDED.join(parts))) as longer:
        if ImageChops.difference(image, longer).getbbox(alpha_only=False) is not None:
            raise ImageError("not a readable image (its data end before its pixels do); replace or remove the file")


def _ends_in_grey(image: JpegImageFile) -> bool:
    """By the brightness of the last pixel: its colour is blended with that of pixels above."""
    box = (image.width - 1, image.height - 1, image.width, image.height)
    return image.crop(box).convert("L").getpixel((0, 0)) in _GREY


def _markers(content: bytes) -> _Markers:
    """Up to the first picture's end, or to one scan too many; no ends of data where the picture has none."""
    place, kinds, ends, in_scan = 2, list[int](), list[int](), False
    while found := _ALONE.search(content, place):
        kind, place = found[1][0], found.end()
        if in_scan:
            ends.append(found.start())
        if kind == _END:
            return _Markers(tuple(kinds), tuple(ends))
        kinds.append(kind)
        in_scan = kind == _SCAN
        if kinds.count(_SCAN) > _MOST_SCANS:
            break
        if kind in _SEGMENTS and kind != _START:
            place += int.from_bytes(content[place : place + 2], "big")
    return _Markers(tuple(kinds), ())
