"""Strips and tiles of TIFFs that hold too few data are refused, however they are packed, and no whole one is."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from test_jpeg_data import texture

from radar.runtime.decoding import decode
from radar.runtime.errors import ImageError

PACKINGS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd", "jpeg")
UNNOTICED = ("tiff_ccitt", "group3", "group4", "webp", "tiff_sgilog")
STRIP_ROWS, STRIPS, STRIP_BYTES = 278, 273, 279
END = b"\xff\xd9"


def packed(picture: Image.Image, packing: str, rows: int) -> bytes:
    """A TIFF of strips of `rows`."""
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF", compression=packing, strip_size=rows * picture.width * len(picture.mode))
    return buffer.getvalue()


def entries(content: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Place, tag, kind and count of each entry."""
    (start,) = struct.unpack_from("<I", content, 4)
    (tags,) = struct.unpack_from("<H", content, start)
    for place in range(start + 2, start + 2 + 12 * tags, 12):
        yield (place, *struct.unpack_from("<HHI", content, place))


def numbers(content: bytes, tag: int) -> tuple[int, str, list[int]]:
    """Where the numbers of a tag lie, how one is written, and they."""
    (place, _, kind, count) = next(each for each in entries(content) if each[1] == tag)
    form = {3: "<H", 4: "<I"}[kind]
    size = struct.calcsize(form)
    at = place + 8 if size * count <= 4 else struct.unpack_from("<I", content, place + 8)[0]
    return at, form, [struct.unpack_from(form, content, at + size * number)[0] for number in range(count)]


def with_length(content: bytes, strip: int, length: int) -> bytes:
    """The same, one strip of which is said to have so many bytes."""
    at, form, _ = numbers(content, STRIP_BYTES)
    changed = bytearray(content)
    struct.pack_into(form, changed, at + struct.calcsize(form) * strip, length)
    return bytes(changed)


def picture(mode: str, shape: tuple[int, int] = (70, 52)) -> Image.Image:
    values = texture(shape, 3 if mode == "RGB" else 1)
    return Image.fromarray(values if mode == "RGB" else values.squeeze(-1)).convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("rows", [16, 70])
def test_a_strip_that_ends_early_is_refused(packing: str, mode: str, rows: int) -> None:
    if packing == "jpeg" and mode == "1":
        pytest.skip("JPEG has no pictures of 1 bit")
    whole = packed(picture(mode), packing, rows)
    pixels = decode(whole).values
    if packing != "jpeg":
        np.testing.assert_array_equal(pixels.squeeze(), np.asarray(picture(mode)) * (255 if mode == "1" else 1))
    lengths = numbers(whole, STRIP_BYTES)[2]
    for strip in {0, len(lengths) - 1}:
        for share in (0.05, 0.3, 0.5, 0.7, 0.9):
            with pytest.raises(ImageError):
                decode(with_length(whole, strip, int(share * lengths[strip])))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_in_a_strip_that_says_it_ends_early_is_refused(mode: str) -> None:
    whole = packed(picture(mode), "jpeg", 70)
    (begin,), (length,) = numbers(whole, STRIPS)[2], numbers(whole, STRIP_BYTES)[2]
    for share in (0.3, 0.5, 0.9):
        cut = bytearray(whole)
        place = begin + int(share * length)
        cut[place : place + 2] = END
        with pytest.raises(ImageError, match="end before its pixels do"):
            decode(bytes(cut))


def test_a_jpeg_that_is_smaller_than_its_strip_is_refused() -> None:
    whole = packed(picture("L"), "jpeg", 70)
    (begin,) = numbers(whole, STRIPS)[2]
    header = whole.index(b"\xff\xc0", begin) + 5  # height and width in its frame's header
    changed = bytearray(whole)
    struct.pack_into(">H", changed, header, 40)
    with pytest.raises(ImageError, match="rows end half-way"):
        decode(bytes(changed))


@pytest.mark.parametrize("packing", UNNOTICED)
def test_packing_whose_decoder_does_not_notice_is_refused(packing: str) -> None:
    mode = {"webp": "RGB", "tiff_sgilog": "L"}.get(packing, "1")
    try:
        whole = packed(picture(mode), packing, 16)
    except (OSError, RuntimeError, KeyError) as error:
        pytest.skip(f"this Pillow does not write it ({error})")
    with pytest.raises(ImageError, match=re.escape("save it with deflate or unpacked")):
        decode(whole)


def jpeg_in_strips(side: int, jpeg: bytes, strips: int = 1, **further: int) -> bytes:
    """A grey TIFF, all of whose strips are said to be the same data."""
    height, rows = further.get("height", side), further.get("rows", side // strips)
    tags = {256: side, 257: height, 258: 8, 259: 7, 262: 1, 277: 1, STRIP_ROWS: rows}
    begin = 8 + 2 + 12 * (len(tags) + 2) + 4
    data = begin + 2 * 4 * strips
    lists = struct.pack(f"<{2 * strips}I", *[data] * strips, *[len(jpeg)] * strips)
    if strips == 1:
        tags |= {STRIPS: data, STRIP_BYTES: len(jpeg)}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    if strips > 1:
        entries += [
            struct.pack("<HHII", STRIPS, 4, strips, begin),
            struct.pack("<HHII", STRIP_BYTES, 4, strips, begin + 4 * strips),
        ]
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(sorted(entries)) + bytes(4) + lists + jpeg


def grey_jpeg(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, height), 90).save(buffer, "JPEG")
    return buffer.getvalue()


def test_a_jpeg_that_is_larger_than_its_strip_is_refused_before_it_takes_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert decode(jpeg_in_strips(16, grey_jpeg(16, 16))).values.shape == (16, 16)
    monkeypatch.setattr(JpegImageFile, "load", lambda image: pytest.fail(f"{image.size} px were decoded"))
    for size in ((1000, 1000), (16, 24), (24, 16)):
        with pytest.raises(ImageError, match="larger than its place"):
            decode(jpeg_in_strips(16, grey_jpeg(*size)), megapixels=1)


def test_strips_on_the_same_data_are_not_read_again_and_again() -> None:
    with pytest.raises(ImageError, match="do not fit into it"):
        decode(jpeg_in_strips(16, grey_jpeg(16, 4) + bytes(10**6), strips=4))


def test_a_strip_whose_jpeg_has_rows_beyond_the_picture_is_read() -> None:
    """As of writers that fill the last strip, or the only one, up."""
    for height, rows in ((20, 24), (9, 16), (16, 16)):
        whole = jpeg_in_strips(16, grey_jpeg(16, rows), height=height, rows=rows)
        with Image.open(io.BytesIO(whole)) as image:
            np.testing.assert_array_equal(decode(whole).values, np.asarray(image))
    filled = jpeg_in_strips(16, grey_jpeg(16, 16), strips=2, height=20, rows=16) + bytes(2000)
    with Image.open(io.BytesIO(filled)) as image:
        np.testing.assert_array_equal(decode(filled).values, np.asarray(image))


def with_tables(whole: bytes, behind: bytes) -> bytes:
    """The same, with more behind the tables of its JPEGs."""
    (place, _, _, count) = next(each for each in entries(whole) if each[1] == 347)
    (at,) = struct.unpack_from("<I", whole, place + 8)
    changed = bytearray(whole) + whole[at : at + count] + behind
    struct.pack_into("<II", changed, place + 4, count + len(behind), len(whole))
    return bytes(changed)


def test_tables_of_jpegs_may_have_filling_and_are_no_megabytes() -> None:
    whole = packed(picture("L"), "jpeg", 16)
    np.testing.assert_array_equal(decode(with_tables(whole, bytes(2))).values, decode(whole).values)
    with pytest.raises(ImageError, match="do not fit into it"):
        decode(with_tables(whole, bytes(10**6)))


def test_jpegs_that_do_not_say_how_long_they_are_are_refused() -> None:
    whole = bytearray(packed(picture("L"), "jpeg", 70))
    place = next(place for place, tag, *_ in entries(bytes(whole)) if tag == STRIP_BYTES)
    struct.pack_into("<H", whole, place, 50_000)
    with pytest.raises(ImageError):
        decode(bytes(whole))


def test_grey_with_alpha_in_a_jpeg_is_refused_by_name() -> None:
    buffer = io.BytesIO()
    Image.merge("LA", [picture("L"), picture("L")]).save(buffer, "TIFF", compression="jpeg")
    with pytest.raises(ImageError, match="grey with alpha, packed as JPEG"):
        decode(buffer.getvalue())


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("rows", [16, 33, 70])
def test_a_whole_jpeg_in_strips_is_read_as_pillow_does(mode: str, rows: int) -> None:
    whole = packed(picture("RGB").convert(mode), "jpeg", rows)
    with Image.open(io.BytesIO(whole)) as image:
        expected = np.asarray(image.convert("L" if mode == "L" else "RGB"))
    np.testing.assert_array_equal(decode(whole).values, expected)


def test_many_small_tiles_without_lengths_take_no_memory() -> None:
    side = 3000
    tags = {256: side, 257: side, 258: 8, 259: 1, 262: 1, 277: 1, 322: 1, 323: 1, 324: 8}
    entry = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    tracemalloc.start()
    try:
        with pytest.raises(ImageError):
            decode(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entry + bytes(4))
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_lengths_that_are_not_said_are_no_damage() -> None:
    whole = bytearray(packed(picture("L"), "raw", 70))
    place = next(place for place, tag, *_ in entries(bytes(whole)) if tag == STRIP_BYTES)
    struct.pack_into("<H", whole, place, 50_000)  # a tag that nobody knows
    np.testing.assert_array_equal(decode(bytes(whole)).values.squeeze(), np.asarray(picture("L")))
