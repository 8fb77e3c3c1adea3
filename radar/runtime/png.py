"""Whether a PNG is whole: Pillow calls a file sound whose rows end half-way, and leaves the rest black."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

from .errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3  # colour type
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type
_PASSES = (  # Adam7: first column and row, steps
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip
_BLOCK = 1 << 20  # bytes that are unpacked at once, and kept no longer
_HEAD = struct.Struct(">I4s")


def check_png(content: bytes) -> None:
    """Raises `ImageError` where a checksum of the pixel data differs, where they end before the last row, or where it has two
    headers, palettes or EXIF chunks, or no palette for pixels that name its colours.
    """
    header = content[len(SIGNATURE) + _HEAD.size :][:13]
    unpacker, missing = zlib.decompressobj(), _raw_size(*struct.unpack(">IIBBBBB", header))
    before = Counter[bytes]()
    for kind, data in _chunks(content):
        before[kind] += 1
        if before[b"IHDR"] > 1:
            raise ImageError("not a readable image (it has two headers); replace or remove the file")
        if before[b"PLTE"] > 1:
            raise ImageError("not a readable image (it has two palettes); replace or remove the file")
        if before[b"eXIf"] > 1:
            raise ImageError("not a readable image (it says twice how it is turned); replace or remove the file")
        if kind != b"IDAT":
            continue
        if header[9] == _PALETTE and not before[b"PLTE"]:
            raise ImageError("not a readable image (it has no palette); replace or remove the file")
        left: memoryview | bytes = data
        while left and missing > 0 and not unpacker.eof:
            missing -= len(unpacker.decompress(left, _BLOCK))
            left = unpacker.unconsumed_tail
    if missing > 0:
        raise ImageError("not a readable image (its rows end half-way); replace or remove the file")


def _raw_size(width: int, height: int, depth: int, colour: int, _packing: int, _filter: int, interlaced: int) -> int:
    """Bytes of all rows, each with the byte that names its filter."""
    bits = depth * _SAMPLES.get(colour, 0)
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - left) // across), -(-(height - top) // down)) for left, top, across, down in passes)
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 and rows > 0)


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and data of each; of those that hold pixels the checksum is looked at."""
    view, place = memoryview(content), len(SIGNATURE)
    while place + _HEAD.size <= len(view):
        size, kind = _HEAD.unpack_from(view, place)
        data = view[place + _HEAD.size : place + _HEAD.size + size]
        place += _HEAD.size + size + 4
        if kind == b"IDAT" and zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big") != view[place - 4 : place]:
            raise ImageError("not a readable image (a checksum of its pixel data differs); replace or remove the file")
        yield kind, data
