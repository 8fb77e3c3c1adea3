"""The strips or tiles of a TIFF: whether all are there, and hold all of their pixels.

Pillow leaves the rows of missing ones black, or reads on behind short ones. Of the kinds of packing those are read whose
decoders notice that data are missing, which those of fax do not, and JPEG, which is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from PIL import TiffImagePlugin as Tags
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from .errors import ImageError
from .jpeg import check_data, check_jpeg

UNPACKED, DEFLATE, LZMA, PACK_BITS = 1, (8, 32946), 34925, 32773  # kinds of packing
_LZW, _JPEG, _ZSTANDARD = 5, 7, 50000
_READ = frozenset({UNPACKED, *DEFLATE, LZMA, PACK_BITS, _LZW, _JPEG, _ZSTANDARD})
_SUBSAMPLED = 6  # photometric kind: chroma of fewer pixels
_PLANES_APART = 2
_END = b"\xff\xd9"  # of a JPEG, and of its tables
_GREY_AND_ALPHA = 2  # samples
_MOST_TABLES = 2**16  # bytes, where tables in use have fewer than 2,000
_BLOCK = 16  # px: most rows of one block of a JPEG, whose last may lie beyond the picture


class _Part(NamedTuple):
    """A strip or a tile: where its data begin, how many bytes they are, and its px; up to `most_rows` may be stored."""

    begin: int
    length: int
    columns: int
    rows: int
    most_rows: int


def check_parts(tags: ImageFileDirectory_v2, content: bytes) -> None:
    """Raises `ImageError` where strips or tiles of the page of `tags` are missing or short, or packed so that it would not be seen."""
    packing = int(tags.get(Tags.COMPRESSION, UNPACKED))
    if packing not in _READ:
        raise ImageError(
            "is packed in a way that is not read, as fax, old JPEG and WebP are; save it with deflate or unpacked"
        )
    if packing == _JPEG and int(tags.get(Tags.SAMPLESPERPIXEL, 1)) == _GREY_AND_ALPHA and _planes(tags) == 1:
        raise ImageError("is grey with alpha, packed as JPEG, which is not read; save it with deflate or unpacked")
    lengths = several(tags, Tags.TILEBYTECOUNTS) + several(tags, Tags.STRIPBYTECOUNTS)
    tables = _first_bytes(tags.get(Tags.JPEGTABLES))
    if packing == _JPEG and (not 0 < sum(lengths) <= len(content) or len(tables) > _MOST_TABLES):
        # each part is looked at, with the tables, and parts may overlap
        raise ImageError("not a readable image (its parts do not fit into it); replace or remove the file")
    for part in _parts(tags, len(content)):
        if packing == UNPACKED and part.length < _least(part, tags):
            raise ImageError("not a readable image (its rows end half-way); replace or remove the file")
        if packing == _JPEG:
            _check_jpeg_part(part, tables, content)


def _parts(tags: ImageFileDirectory_v2, size: int) -> Iterator[_Part]:
    width, height, tiled = int(tags[Tags.IMAGEWIDTH]), int(tags[Tags.IMAGELENGTH]), Tags.TILEOFFSETS in tags
    if tiled:
        columns, rows = int(tags[Tags.TILEWIDTH]), int(tags[Tags.TILELENGTH])
        begins, lengths = several(tags, Tags.TILEOFFSETS), several(tags, Tags.TILEBYTECOUNTS)
    else:
        columns, rows = width, min(int(tags.get(Tags.ROWSPERSTRIP, height)), height)
        begins, lengths = several(tags, Tags.STRIPOFFSETS), several(tags, Tags.STRIPBYTECOUNTS)
    if min(columns, rows) < 1:
        raise ImageError("not a readable image (its strips have no rows); replace or remove the file")
    down, across = -(-height // rows), -(-width // columns)
    count = _planes(tags) * down * across
    if len(begins) < count or 0 < len(lengths) < count:
        raise ImageError("not a readable image (its rows end half-way); replace or remove the file")
    most = rows if tiled else min(int(tags.get(Tags.ROWSPERSTRIP, height)), -(-height // _BLOCK) * _BLOCK)
    last = rows if tiled else height - (down - 1) * rows  # the last strip of each plane is shorter
    for part, begin in enumerate(begins[:count]):
        length = lengths[part] if lengths else size  # unsaid, up to the next one or to the file's end
        yield _Part(
            begin, length, columns, last if part % (down * across) == down * across - 1 else rows, max(rows, most)
        )


def _least(part: _Part, tags: ImageFileDirectory_v2) -> int:
    """How many bytes it has where nothing is packed; 0 where it takes more to know."""
    if tags.get(Tags.PHOTOMETRIC_INTERPRETATION) == _SUBSAMPLED:
        return 0
    bits = several(tags, Tags.BITSPERSAMPLE) or (1,)
    return -(-part.columns * (sum(bits) if _planes(tags) == 1 else bits[0]) // 8) * part.rows


def _planes(tags: ImageFileDirectory_v2) -> int:
    apart = tags.get(Tags.PLANAR_CONFIGURATION, 1) == _PLANES_APART
    return int(tags.get(Tags.SAMPLESPERPIXEL, 1)) if apart else 1


def _check_jpeg_part(part: _Part, tables: bytes, content: bytes) -> None:
    """A strip or tile is a JPEG that may leave its tables to the page's."""
    own = content[part.begin : part.begin + part.length]
    whole = tables[: tables.rfind(_END)] + own[len(_END) :] if _END in tables else own
    check_jpeg(whole)
    with JpegImageFile(BytesIO(whole)) as image:
        if image.width < part.columns or image.height < part.rows:
            raise ImageError("not a readable image (its rows end half-way); replace or remove the file")
        if image.width > part.columns or image.height > part.most_rows:  # before it takes memory
            raise ImageError("not a readable image (a part is larger than its place); replace or remove the file")
        image.load()
        check_data(image, whole)


def _first_bytes(value: object) -> bytes:
    value = value[0] if isinstance(value, tuple) else value
    return value if isinstance(value, bytes) else b""


def several(tags: ImageFileDirectory_v2, tag: int) -> tuple[int, ...]:
    """The numbers of a tag, of which there may be one."""
    value = tags.get(tag, ())
    return tuple(map(int, value)) if isinstance(value, tuple) else (int(value),)
