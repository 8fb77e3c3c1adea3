"""Whether a JPEG can be decoded in the time that its pixels take, and whether the data of its scans last for its pixels."""

from __future__ import annotations

import re
from io import BytesIO
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
_RESTART = re.compile(rb"\xff([\xd0-\xd7])", re.DOTALL)
_BYTES = bytes(167 * place % 255 for place in range(1, 100))  # which no whole picture needs
_SMALL = 2**16  # px, of which the last ones, that the same data tell of, are no small part
_GREY = range(125, 132)  # about 128, the brightness that libjpeg gives to pixels without data


class _Markers(NamedTuple):
    """Of the first picture in a file."""

    kinds: frozenset[int]
    scans: tuple[tuple[int, int], ...]  # where the data of each begin and end


def check_jpeg(content: bytes) -> None:
    """Raises `ImageError` where the first picture has more scans than any encoder makes: a scan of a few bytes passes over all pixels
    once more."""
    if len(_markers(content).scans) > _MOST_SCANS:
        raise ImageError(f"not a readable image (it has more than {_MOST_SCANS} scans); replace or remove the file")


def check_data(image: JpegImageFile, content: bytes) -> None:
    """Raises `ImageError` where the data of a scan of a decoded picture end before its pixels do, for which decoders put grey.

    Where some are missing, data that are put behind the others become pixels. That takes decoding it again, and is tried where the
    last pixel is grey, or where it need not be: of several scans, with restarts, of four colours, or in the last square, of up to
    32 px, which a large picture may so lack unseen. Pictures in arithmetic coding are not looked at.
    """
    kinds, scans = _markers(content)
    if _END not in kinds or any(kind in kinds for kind in _ARITHMETIC):
        return
    told = len(scans) == 1 and _RESTARTS not in kinds and image.mode != "CMYK"
    if told and image.width * image.height > _SMALL and not _ends_in_grey(image):
        return
    with JpegImageFile(BytesIO(_lengthened(content, scans))) as longer:
        if ImageChops.difference(image, longer).getbbox(alpha_only=False) is not None:
            raise ImageError("not a readable image (its data end before its pixels do); replace or remove the file")


def _lengthened(content: bytes, scans: tuple[tuple[int, int], ...]) -> bytes:
    """With more data behind those of each scan, and all restarts, from the one on that would come next."""
    parts, last = list[bytes](), 0
    for begin, end in scans:
        restarts = _RESTART.findall(content, begin, end)
        following = restarts[-1][0] + 1 if restarts else 0xD0
        more = (bytes([0xFF, 0xD0 + (following + number) % 8]) + _BYTES for number in range(8))
        parts += [content[last:end], _BYTES, *more]
        last = end
    return b"".join([*parts, content[last:]])


def _ends_in_grey(image: JpegImageFile) -> bool:
    """By the brightness of the last pixel: its colour is blended with that of pixels above."""
    box = (image.width - 1, image.height - 1, image.width, image.height)
    return image.crop(box).convert("L").getpixel((0, 0)) in _GREY


def _markers(content: bytes) -> _Markers:
    """Up to the first picture's end, or to one scan too many."""
    place, kinds, scans, begin = 2, set[int](), list[tuple[int, int]](), 0
    while len(scans) <= _MOST_SCANS and (found := _ALONE.search(content, place)):
        kind, place = found[1][0], found.end()
        kinds.add(kind)
        if begin:
            data = content[begin : found.start()].rstrip(b"\xff")  # before a marker there may be filling
            scans.append((begin, begin + len(data)))
        if kind == _END:
            break
        if kind in _SEGMENTS and kind != _START:
            place += int.from_bytes(content[place : place + 2], "big")
        begin = place if kind == _SCAN else 0
    return _Markers(frozenset(kinds), tuple(scans))
