"""Whether a JPEG can be decoded in the time that its pixels take: a scan of a few bytes passes over all of them once more."""

from __future__ import annotations

import re

from .errors import ImageError

_MOST_SCANS = 100  # of one picture: those of encoders in use have about ten
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_ALONE = re.compile(
    rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL
)  # a marker that is neither data, nor a restart, nor filling
_SEGMENTS = range(0xC0, 0xFF)  # markers that a length follows


def check_jpeg(content: bytes) -> None:
    """Raises `ImageError` where the first picture has more scans than any encoder makes."""
    place, scans = 2, 0
    while found := _ALONE.search(content, place):
        kind, place = found[1][0], found.end()
        if kind == _END:
            break
        scans += kind == _SCAN
        if scans > _MOST_SCANS:
            raise ImageError(f"not a readable image (it has more than {_MOST_SCANS} scans); replace or remove the file")
        if kind in _SEGMENTS and kind != _START:
            place += int.from_bytes(content[place : place + 2], "big")
