"""Whether a JPEG can be decoded in the time that its pixels take, and whether its data last for them."""

from __future__ import annotations

import re
from io import BytesIO
from typing import NamedTuple

from PIL import ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from .errors import ImageError

_MOST_SCANS = 100  # of one picture: those of encoders in use have about ten
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_UNTOLD = (
    0xC2,
    0xDD,
)  # of progressive pictures and of restarts: where data are missing the last pixel need not be grey
_ALONE = re.compile(
    rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL
)  # a marker that is neither data, nor a restart, nor filling
_SEGMENTS = range(0xC0, 0xFF)  # markers that a length follows
_BYTES = bytes(167 * place % 255 for place in range(1, 100))
_FURTHER = b"".join(
    _BYTES + bytes([0xFF, 0xD0 + number]) for number in range(8)
)  # data that no picture needs, with every restart
_SMALL = 2**16  # px, of which the last ones, that the same data tell of, are no small part
_MISSING = (127, 128)  # what libjpeg puts where there are no data, in every plane


class _Markers(NamedTuple):
    """Of the first picture in a file."""

    scans: int
    untold: bool  # whether some of `_UNTOLD` are among them
    end: int | None  # where its last data end; None: nothing says so


def check_jpeg(content: bytes) -> None:
    """Raises `ImageError` where the first picture has more scans than any encoder makes: a scan of a few bytes passes over all pixels
    once more."""
    if _markers(content).scans > _MOST_SCANS:
        raise ImageError(f"not a readable image (it has more than {_MOST_SCANS} scans); replace or remove the file")


def check_data(image: JpegImageFile, content: bytes) -> None:
    """Raises `ImageError` where the data of a decoded picture end before its pixels do, behind which decoders put grey.

    Where something is missing, data that are put behind the others become pixels. That is tried where the last pixel is grey, or where
    it cannot tell: of a large picture, the data of the last square, of up to 32 px, may be missing unseen.
    """
    found, last = _markers(content), image.getpixel((image.width - 1, image.height - 1))
    missing = all(value in _MISSING for value in (last if isinstance(last, tuple) else (last,)))
    small = image.width * image.height <= _SMALL
    if found.end is None or not (missing or small or found.untold):
        return
    with JpegImageFile(BytesIO(content[: found.end] + _FURTHER + content[found.end :])) as longer:
        if ImageChops.difference(image, longer).getbbox(alpha_only=False) is not None:
            raise ImageError("not a readable image (its data end before its pixels do); replace or remove the file")


def _markers(content: bytes) -> _Markers:
    place, scans, untold = 2, 0, False
    while found := _ALONE.search(content, place):
        kind, place = found[1][0], found.end()
        if kind == _END:
            return _Markers(scans, untold, found.start())
        scans += kind == _SCAN
        untold |= kind in _UNTOLD
        if scans > _MOST_SCANS:
            break
        if kind in _SEGMENTS and kind != _START:
            place += int.from_bytes(content[place : place + 2], "big")
    return _Markers(scans, untold, None)
