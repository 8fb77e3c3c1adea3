"""What files say of themselves (orientation, depth, polarity, pages) and what hostile ones would cost: one table each."""

from __future__ import annotations

import io
import lzma
import struct
import subprocess
import sys
import time
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from data_builders import noise
from PIL import Image, ImageOps, PngImagePlugin

from radar.data.file_reader import FileReader
from radar.errors import DataError
from radar.runtime.decoding import decode, shape
from radar.runtime.errors import ImageError
from radar.runtime.exported import ExportedModel
from radar.runtime.jpeg import check_jpeg

GREY = noise(0, 12, 20)
COLOUR = np.random.default_rng(1).integers(0, 256, (12, 20, 3), dtype=np.uint8)
DEEP = np.random.default_rng(2).integers(0, 65536, (12, 20), dtype=np.uint16)
DEEP_COLOUR = np.random.default_rng(3).integers(0, 65536, (12, 20, 3), dtype=np.uint16)
MEGAPIXELS = 200.0
EXPORTED = SimpleNamespace(
    fingerprint="",
    threshold=None,
    preprocessing=SimpleNamespace(megapixels=MEGAPIXELS, side=None),
    input=SimpleNamespace(pictures_per_pass=1),
)
TURNED = {  # orientation: the upright picture of what is stored, by the definition of EXIF
    1: lambda v: v,
    2: np.fliplr,
    3: lambda v: np.flipud(np.fliplr(v)),
    4: np.flipud,
    5: lambda v: np.swapaxes(v, 0, 1),
    6: lambda v: np.fliplr(np.swapaxes(v, 0, 1)),
    7: lambda v: np.flipud(np.fliplr(np.swapaxes(v, 0, 1))),
    8: lambda v: np.flipud(np.swapaxes(v, 0, 1)),
}


def tiff(values: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def pillow(values: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    (values if isinstance(values, Image.Image) else Image.fromarray(values)).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 0, interlaced: int = 0, before: bytes = b""
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    parts = (chunk(b"IHDR", header), before, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def raw_tiff(tags: dict[int, tuple[int, int]], data: bytes = b"") -> bytes:
    """Little-endian, one page: tag to (type, value)."""
    entries = sorted(tags.items())
    head = 8 + 2 + 12 * len(entries) + 4
    ifd = struct.pack("<H", len(entries))
    for tag, (kind, value) in entries:
        ifd += struct.pack("<HHII", tag, kind, 1, head if tag == 273 else value)
    return b"II*\0" + struct.pack("<I", 8) + ifd + struct.pack("<I", 0) + data


def twelve_bit(values: np.ndarray, *, photometric: int) -> bytes:
    pairs = values.astype(int).reshape(-1, 2)
    data = b"".join(bytes([a >> 4, ((a & 15) << 4) | (b >> 8), b & 255]) for a, b in pairs)
    height, width = values.shape
    tags = {
        256: (4, width),
        257: (4, height),
        258: (3, 12),
        259: (3, 1),
        262: (3, photometric),
        273: (4, 0),
        277: (3, 1),
    }
    return raw_tiff(tags | {278: (4, height), 279: (4, len(data))}, data)


def exif(orientation: int) -> Image.Exif:
    said = Image.Exif()
    said[274] = orientation
    return said


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize(
    "values", [GREY, COLOUR, DEEP, DEEP_COLOUR], ids=["grey", "colour", "deep grey", "deep colour"]
)
def test_a_tiff_is_read_upright(orientation, values):
    content = tiff(
        values, photometric="rgb" if values.ndim == 3 else "minisblack", extratags=[(274, 3, 1, orientation, True)]
    )
    pixels = decode(content)
    np.testing.assert_array_equal(pixels.values, TURNED[orientation](values))
    assert shape(content) == pixels.values.shape[:2]


def xmp(orientation: int, form: str = 'tiff:Orientation="%d"') -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{form % orientation}</x:xmpmeta>'.encode()


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize(
    "values", [GREY, COLOUR, DEEP, DEEP_COLOUR], ids=["grey", "colour", "deep grey", "deep colour"]
)
@pytest.mark.parametrize("layout", [{}, {"compression": "zlib"}], ids=["strips", "zlib"])
def test_a_tiff_whose_orientation_stands_in_xmp_is_read_upright(orientation, values, layout):
    said = xmp(orientation)
    tags = [(700, 1, len(said), said, True)]
    content = tiff(values, photometric="rgb" if values.ndim == 3 else "minisblack", extratags=tags, **layout)
    np.testing.assert_array_equal(decode(content).values, TURNED[orientation](values))
    assert shape(content) == TURNED[orientation](values).shape[:2]


@pytest.mark.parametrize("values", [GREY, COLOUR, DEEP_COLOUR], ids=["grey", "colour", "deep colour"])
@pytest.mark.parametrize("kind", ["text", "undefined", "element", "its tag says otherwise"])
def test_however_an_orientation_stands_in_xmp_header_and_pixels_agree(values, kind):
    said = xmp(6, "<tiff:Orientation>%d</tiff:Orientation>" if kind == "element" else 'tiff:Orientation="%d"')
    tags = {
        "text": [(700, "s", 0, said, True)],
        "its tag says otherwise": [(700, 1, len(said), said, True), (274, 3, 1, 1, True)],
    }.get(kind, [(700, 7 if kind == "undefined" else 1, len(said), said, True)])
    content = tiff(values, photometric="rgb" if values.ndim == 3 else "minisblack", extratags=tags)
    shown = values if kind == "its tag says otherwise" else TURNED[6](values)
    np.testing.assert_array_equal(decode(content).values, shown)
    assert shape(content) == shown.shape[:2]


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("values", [GREY, COLOUR, DEEP], ids=["grey", "colour", "deep"])
def test_a_png_whose_orientation_stands_in_xmp_is_read_upright(orientation, values):
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp(orientation).decode())
    content = pillow(values, "PNG", pnginfo=text)
    np.testing.assert_array_equal(decode(content).values, TURNED[orientation](values))
    assert shape(content) == TURNED[orientation](values).shape[:2]


@pytest.mark.parametrize("orientation", TURNED)
def test_a_jpeg_whose_orientation_stands_in_xmp_is_read_upright(orientation):
    content = pillow(COLOUR, "JPEG", xmp=xmp(orientation))
    np.testing.assert_array_equal(decode(content).values, TURNED[orientation](decode(pillow(COLOUR, "JPEG")).values))
    assert shape(content) == decode(content).values.shape[:2]


@pytest.mark.parametrize(
    "said", [xmp(66), xmp(0), xmp(9), xmp(18), xmp(6, 'tiff:Orientation="0%d"'), xmp(6, 'tiff:Orientation="%d.5"')]
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_only_one_to_eight_turn_a_photo(said, kind):
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", said.decode())
    content = pillow(COLOUR, "PNG", pnginfo=text) if kind == "PNG" else pillow(COLOUR, "JPEG", xmp=said)
    np.testing.assert_array_equal(decode(content).values, decode(pillow(COLOUR, kind)).values)
    assert shape(content) == COLOUR.shape[:2]


def test_exif_counts_for_more_than_xmp():
    content = pillow(COLOUR, "JPEG", exif=exif(3), xmp=xmp(6))
    np.testing.assert_array_equal(decode(content).values, TURNED[3](decode(pillow(COLOUR, "JPEG")).values))


@pytest.mark.parametrize(
    "said", [1 << 31, b"\xff\xfe", xmp(0), xmp(9), xmp(66), xmp(61), b'tiff:Orientation="', b'tiff:Orientation="x"']
)
@pytest.mark.parametrize("values", [GREY, COLOUR, DEEP_COLOUR], ids=["grey", "colour", "deep colour"])
def test_an_orientation_in_xmp_that_is_none_turns_neither_pixels_nor_size(said, values):
    tags = [(700, 4, 1, said, True) if isinstance(said, int) else (700, 1, len(said), said, True)]
    content = tiff(values, photometric="rgb" if values.ndim == 3 else "minisblack", extratags=tags)
    np.testing.assert_array_equal(decode(content).values, values)
    assert shape(content) == values.shape[:2]


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "PNG, deep", "PNG, said behind the pixels", "JPEG, CMYK"])
def test_a_photo_is_read_upright(orientation, kind):
    tags = exif(orientation)
    if kind == "PNG, deep":
        content = pillow(Image.fromarray(DEEP), "PNG", exif=tags)
    elif kind == "PNG, said behind the pixels":
        plain = pillow(COLOUR, "PNG")
        content = plain[:-12] + chunk(b"eXIf", tags.tobytes().removeprefix(b"Exif\0\0")) + plain[-12:]
    elif kind == "JPEG, CMYK":
        content = pillow(Image.fromarray(COLOUR).convert("CMYK"), "JPEG", exif=tags)
    else:
        content = pillow(COLOUR, kind, exif=tags)
    stored = content.replace(b"eXIf", b"eXIg").replace(b"Exif\0\0", b"Exig\0\0")  # the same without a word of it
    pixels = decode(content)
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        shown = ImageOps.exif_transpose(image)
        expected = np.asarray(shown if kind == "PNG, deep" else shown.convert("RGB"))
    np.testing.assert_array_equal(pixels.values, expected)
    assert shape(content) == pixels.values.shape[:2]
    if kind.startswith("JPEG"):
        np.testing.assert_array_equal(pixels.values, TURNED[orientation](decode(stored).values))


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_orientation_that_is_none_turns_neither_pixels_nor_size(orientation, kind):
    content = pillow(GREY, kind, exif=exif(orientation))
    assert decode(content).values.shape == shape(content) == GREY.shape


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}])
def test_as_many_scans_as_encoders_make_are_read(options):
    content = pillow(COLOUR, "JPEG", **options)
    with Image.open(io.BytesIO(content)) as opened:
        np.testing.assert_array_equal(decode(content).values, np.asarray(opened))
    assert decode(with_scans(50)).values.shape == GREY.shape


def test_filling_between_markers_takes_no_time():
    began = time.process_time()
    check_jpeg(b"\xff\xd8" + (b"\xff" * 200_000 + b"\x00") * 5)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "layout", [{}, {"tile": (16, 16)}, {"rowsperstrip": 5}, {"compression": "zlib", "rowsperstrip": 5}]
)
@pytest.mark.parametrize("values", [GREY, DEEP, COLOUR, DEEP_COLOUR], ids=["grey", "deep", "colour", "deep colour"])
def test_strips_and_tiles_that_are_whole_are_read(layout, values):
    np.testing.assert_array_equal(decode(tiff(values, **layout)).values, values)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_broken_word_on_orientation_says_nothing():
    for said in (b"", b"MM\0*\0\0\0\x08", b"nonsense", exif(9).tobytes()[6:], exif(0).tobytes()[6:]):
        content = png(20, 12, b"".join(b"\0" + row.tobytes() for row in GREY), before=chunk(b"eXIf", said))
        np.testing.assert_array_equal(decode(content).values, GREY)


SAID = {  # bytes, and what they show
    "8 bits": (tiff(GREY), GREY),
    "8 bits, white is zero": (tiff(255 - GREY, photometric="miniswhite"), GREY),
    "16 bits": (tiff(DEEP), DEEP),
    "16 bits, white is zero": (tiff(65535 - DEEP, photometric="miniswhite"), DEEP),
    "16 bits, white is zero, packed": (tiff(65535 - DEEP, photometric="miniswhite", compression="zlib"), DEEP),
    "16 bits, big end first": (tiff(DEEP, byteorder=">"), DEEP),
    "BigTIFF": (tiff(GREY, bigtiff=True), GREY),
    "tiles": (tiff(COLOUR, tile=(16, 16), photometric="rgb"), COLOUR),
    "planes": (tiff(np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate"), COLOUR),
    "deep tiles": (tiff(DEEP_COLOUR, tile=(16, 16), photometric="rgb"), DEEP_COLOUR),
    "1 bit": (pillow(Image.fromarray(GREY > 100), "TIFF", compression="packbits"), np.where(GREY > 100, 255, 0)),
    "1 bit, PNG": (pillow(Image.fromarray(GREY > 100), "PNG"), np.where(GREY > 100, 255, 0)),
    "1 bit, BMP": (pillow(Image.fromarray(GREY > 100), "BMP"), np.where(GREY > 100, 255, 0)),
    "grey and alpha": (pillow(Image.merge("LA", [Image.fromarray(GREY)] * 2), "PNG"), GREY),
    "colour and alpha": (pillow(np.dstack([COLOUR, GREY]), "PNG"), COLOUR),
    "palette": (
        pillow(Image.fromarray(GREY // 64 * 64).convert("P"), "PNG", transparency=3),
        np.dstack([GREY // 64 * 64] * 3),
    ),
    "called otherwise": (pillow(GREY, "BMP"), GREY),
}


@pytest.mark.parametrize("said", SAID)
def test_what_a_file_says_of_itself_is_heeded(said):
    content, expected = SAID[said]
    pixels = decode(content, MEGAPIXELS)
    np.testing.assert_array_equal(pixels.values, expected)
    assert pixels.full == (65535 if expected.dtype == np.uint16 else 255)
    assert shape(content, MEGAPIXELS) == expected.shape[:2]


@pytest.mark.parametrize("photometric", [0, 1])
def test_twelve_bits_are_spread_over_the_range(photometric):
    values = np.arange(240).reshape(12, 20) * 17
    values[-1, -1] = 4095
    if photometric == 0:
        with pytest.raises(ImageError, match="unknown pixel mode"):  # which no writer is known to make
            decode(twelve_bit(4095 - values, photometric=0))
        return
    pixels = decode(twelve_bit(values, photometric=1))
    np.testing.assert_allclose(pixels.values / pixels.full, values / 4095, atol=1 / 65535)
    assert pixels.values.max() == pixels.full


def with_previews(kinds: list[int]) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for index, kind in enumerate(kinds):
            file.write(GREY[:: 1 + index, :: 1 + index], subfiletype=kind)
    return buffer.getvalue()


FIRST = {
    "a phone's photo": (
        pillow(COLOUR, "MPO", save_all=True, append_images=[Image.fromarray(255 - COLOUR)]),
        pillow(COLOUR, "JPEG"),
        "hold several pictures",
    ),
    "a TIFF with a preview": (with_previews([0, 1]), tiff(GREY), "hold a preview"),
    "a pyramid": (with_previews([0, 1, 1, 1]), tiff(GREY), "hold a preview"),
}


@pytest.mark.parametrize("kind", FIRST)
def test_of_several_pictures_the_first_is_read_and_said(kind):
    content, first, said = FIRST[kind]
    told: list[str] = []
    np.testing.assert_array_equal(decode(content, MEGAPIXELS, told.append).values, decode(first).values)
    assert len(told) == 1
    assert said in told[0]


@pytest.mark.parametrize("kind", [*SAID, *FIRST])
def test_training_prediction_and_export_read_the_same(tmp_path, kind):
    content = (SAID | FIRST)[kind][0]
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    reader = FileReader(megapixels=MEGAPIXELS)
    exported = ExportedModel(EXPORTED, None)
    trained, asked, run = reader.pixels(path), reader.read(path, content)[0], exported.decode(path, content)[0]
    for pixels in (asked, run):
        np.testing.assert_array_equal(pixels.values, trained.values)
        assert (pixels.full, pixels.values.dtype) == (trained.full, trained.values.dtype)
    assert reader.read(path, content)[1] == exported.decode(path, content)[1] == reader.content_hash(path)


@pytest.mark.parametrize("way", ["training", "prediction", "export"])
def test_training_prediction_and_export_refuse_the_same(tmp_path, way):
    path, reader = tmp_path / "photo.png", FileReader(megapixels=MEGAPIXELS)
    for content in (HUGE["PNG"], png(40, 40, b""), b"no image", with_previews([0, 0])):
        path.write_bytes(content)
        with pytest.raises(ImageError) as said:
            decode(content, MEGAPIXELS)
        with pytest.raises((DataError, ImageError)) as caught:
            if way == "training":
                reader.pixels(path)
            elif way == "prediction":
                reader.read(path, content)
            else:
                ExportedModel(EXPORTED, None).decode(path, content)
        assert str(caught.value).removeprefix(f"{path}: ") == str(said.value)


def many_pages(count: int) -> bytes:
    content = bytearray(pillow(GREY, "TIFF"))
    (start,) = struct.unpack_from("<I", content, 4)
    (tags,) = struct.unpack_from("<H", content, start)
    page, end = bytes(content[start : start + 2 + 12 * tags]), start + 2 + 12 * tags
    struct.pack_into("<I", content, end, len(content))
    for index in range(count):
        following = len(content) + len(page) + 4
        content += page + struct.pack("<I", following if index < count - 1 else 0)
    return bytes(content)


def short_strip() -> bytes:
    """16-bit colour whose packed strip holds half of its rows."""
    half = zlib.compress(DEEP_COLOUR[:6].tobytes())
    content = bytearray(tiff(DEEP_COLOUR, photometric="rgb", compression="zlib", rowsperstrip=len(DEEP_COLOUR)))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        start, size = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    content[start : start + size] = half.ljust(size, b"\0")
    return bytes(content)


def deep_strip(packing: int, packed: bytes) -> bytes:
    """16-bit colour of 20 x 12 px in one strip that is packed so."""
    content = bytearray(tiff(DEEP_COLOUR, photometric="rgb", rowsperstrip=len(DEEP_COLOUR)))
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", content, place)
        if tag == 259:
            struct.pack_into("<H", content, place + 8, packing)
        if tag == 273:
            struct.pack_into("<HII", content, place + 2, 4, 1, len(content))
        if tag == 279:
            struct.pack_into("<HII", content, place + 2, 4, 1, len(packed))
    return bytes(content) + packed


def deep_bomb(packing: int, size: int) -> bytes:
    """The rows of 16-bit colour, and zeros behind them in the same strip."""
    rows, zeros = DEEP_COLOUR.tobytes(), bytes(size)
    if packing == 32773:
        literal = b"".join(
            bytes([len(part) - 1]) + part for part in (rows[at : at + 128] for at in range(0, len(rows), 128))
        )
        return deep_strip(packing, literal + b"\x81\0" * (size // 128))
    pack = {8: zlib.compress, 32946: zlib.compress, 34925: lzma.compress}[packing]
    return deep_strip(packing, pack(rows + zeros))


def with_strips(values: np.ndarray, strips: int, *, taller: int = 1, **options) -> bytes:
    """A TIFF that names the first of its strips alone, or is said to be some rows taller."""
    content = bytearray(tiff(values, rowsperstrip=3, **options))
    (start,) = struct.unpack_from("<I", content, 4)
    (tags,) = struct.unpack_from("<H", content, start)
    for place in range(start + 2, start + 2 + 12 * tags, 12):
        tag, kind, _, value = struct.unpack_from("<HHII", content, place)
        if tag in (273, 279):
            struct.pack_into("<I", content, place + 4, strips)
        if tag == 257:
            struct.pack_into("<I" if kind == 4 else "<H", content, place + 8, value * taller)
    return bytes(content)


def short_by(values: np.ndarray, missing: int) -> bytes:
    """A TIFF of one strip that says it has so many bytes fewer; others follow behind it."""
    height, width = values.shape
    tags = ONE_STRIP | {256: (4, width), 257: (4, height), 278: (4, height), 279: (4, values.size - missing)}
    return raw_tiff(tags, values.tobytes())


def with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times."""
    content = pillow(GREY, "JPEG", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + scan * count + content[-2:]


def header(height: int, colour: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", 20, height, 8, colour, 0, 0, 0))


def bmp(rows: bytes, *, width: int = 4, height: int = 2, packing: int = 1, colours: int = 256) -> bytes:
    """With a palette of `colours` blues, and rows that are packed (1: bytes, 2: halves), or not (0)."""
    bits = 4 if packing == 2 else 8
    names = b"".join(bytes([200 - index % 200, 0, 0, 0]) for index in range(colours))
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, len(rows), 0, 0, colours, 0)
    offset = 14 + len(header) + len(names)
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + header + names + rows


def shifted(content: bytes) -> bytes:
    """A BMP whose pixels begin a byte later."""
    (offset,) = struct.unpack_from("<I", content, 10)
    return content[:10] + struct.pack("<I", offset + 1) + content[14:offset] + b"\0" + content[offset:]


def turned_by(orientation: int) -> bytes:
    """EXIF that says so."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def palette_png(index: int, colours: int, depth: int = 8) -> bytes:
    row = b"\0" + bytes(int(f"{index:0{depth}b}" * (8 // depth), 2) for _ in range(-(-20 * depth // 8)))
    names = chunk(b"PLTE", bytes(range(100, 100 + 3 * colours)))
    return png(20, 12, row * 12, depth=depth, colour=3, before=names)


PACKED_BMP = {  # rows of 4 px from the lowest up, 9 and 7
    "runs": (bmp(b"\x04\x09\0\0\x04\x07\0\1"), [[7] * 4, [9] * 4]),
    "runs without an end": (bmp(b"\x04\x09\0\0\x04\x07"), [[7] * 4, [9] * 4]),
    "an end of each row": (bmp(b"\x04\x09\0\0\x04\x07\0\0\0\1"), [[7] * 4, [9] * 4]),
    "as they are": (bmp(b"\0\x03\1\2\3\0\1\x04\0\0\x02\x07\x02\x08\0\1"), [[7, 7, 8, 8], [1, 2, 3, 4]]),
    "halves": (bmp(b"\x04\x12\0\0\0\x04\x34\x56\0\1", packing=2, colours=16), [[3, 4, 5, 6], [1, 2, 1, 2]]),
    "a run that is too long": (bmp(b"\x06\x09\0\0\x04\x07\0\1"), [[7] * 4, [9] * 4]),
}


@pytest.mark.parametrize("kind", PACKED_BMP)
def test_a_packed_bmp_that_is_whole_is_read(kind):
    content, indices = PACKED_BMP[kind]
    np.testing.assert_array_equal(decode(content).values[..., 2], 200 - np.array(indices))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_palette_of_as_many_colours_as_are_named_is_read(depth):
    assert (decode(palette_png(1, 2, depth)).values == [103, 104, 105]).all()


ROWS = b"".join(b"\0" + row.tobytes() for row in GREY)
ONE_STRIP = {256: (4, 8), 257: (4, 8), 258: (3, 8), 259: (3, 1), 262: (3, 1), 273: (4, 0), 277: (3, 1), 279: (4, 64)}
REFUSED = {
    "pages": (lambda: with_previews([0, 0]), "several pages"),
    "a page behind a preview": (lambda: with_previews([0, 1, 0]), "several pages"),
    "sixty thousand pages": (lambda: many_pages(60_000), "several pages"),
    "a preview first": (lambda: with_previews([1, 0]), "first page is a preview"),
    "a volume": (lambda: raw_tiff(ONE_STRIP | {32997: (4, 3)}, bytes(64)), "holds a volume"),
    "an animation": (lambda: pillow(COLOUR, "PNG", save_all=True, append_images=[Image.fromarray(255 - COLOUR)]), "pages"),
    "a sign": (lambda: tiff(GREY.astype(np.int8)), "sign"),
    "a sign, 16 bits": (lambda: tiff(DEEP.astype(np.int16)), "no known range"),
    "32 bits": (lambda: tiff(DEEP.astype(np.uint32)), "no known range"),
    "floats": (lambda: tiff(GREY.astype(np.float32)), "no known range"),
    "half floats": (lambda: tiff(GREY.astype(np.float16)), "not a readable image"),
    "rows that end half-way": (lambda: png(40, 40, (b"\0" + b"\x80" * 40) * 20), "end half-way"),
    "rows that end before the last": (lambda: png(40, 40, (b"\0" + b"\x80" * 40) * 39), "end half-way"),
    "deep rows that end half-way": (lambda: png(40, 40, (b"\0" + b"\x80" * 80) * 20, depth=16), "end half-way"),
    "deep colours that end": (lambda: png(40, 40, (b"\0" + b"\x80" * 240) * 30, depth=16, colour=2), "end half-way"),
    "one bit that ends": (lambda: png(40, 40, (b"\0" + b"\x80" * 5) * 30, depth=1), "end half-way"),
    "interlaced rows that end": (lambda: png(40, 40, b"\0" * 1500, interlaced=1), "end half-way"),
    "no rows": (lambda: png(40, 40, b""), "end half-way"),
    "a flipped bit": (lambda: pillow(GREY, "PNG", compress_level=0).replace(GREY[5].tobytes(), GREY[6].tobytes()), "checksum"),
    "deep TIFF that ends": (lambda: tiff(DEEP_COLOUR, photometric="rgb")[:-300], "half-way"),
    "deep packed TIFF that ends": (short_strip, "corrupted"),
    "deep TIFF that goes on, deflate": (lambda: deep_bomb(8, 1), "more than its rows"),
    "deep TIFF that goes on, old deflate": (lambda: deep_bomb(32946, 1), "more than its rows"),
    "deep TIFF that goes on, LZMA": (lambda: deep_bomb(34925, 1), "more than its rows"),
    "deep TIFF that goes on, LZMA of two streams": (
        lambda: deep_strip(34925, lzma.compress(DEEP_COLOUR.tobytes()) + lzma.compress(bytes(9))), "more than its rows"),
    "deep TIFF that goes on, packed bits": (lambda: deep_bomb(32773, 128), "more than its rows"),
    "deep TIFF of LZW": (lambda: deep_strip(5, b"x"), "packed so"),
    "deep TIFF of tiles in layers": (lambda: raw_tiff(ONE_STRIP | {32998: (4, 1 << 20)}, bytes(64)), "holds a volume"),
    "strips that are missing": (lambda: with_strips(GREY, 2), "end half-way"),
    "strips that are missing, zlib": (lambda: with_strips(GREY, 3, compression="zlib"), "end half-way"),
    "strips that are missing, deep": (lambda: with_strips(DEEP, 2), "end half-way"),
    "strips that are missing, colour": (lambda: with_strips(COLOUR, 2, photometric="rgb"), "end half-way"),
    "strips that are missing, deep colour": (lambda: with_strips(DEEP_COLOUR, 2, photometric="rgb"), "end half-way"),
    "strips that are missing, deep colour, zlib": (
        lambda: with_strips(DEEP_COLOUR, 2, photometric="rgb", compression="zlib"), "end half-way"),
    "strips of one plane": (lambda: with_strips(np.moveaxis(COLOUR, 2, 0), 4, photometric="rgb", planarconfig="separate"), "half-way"),
    "a picture that is taller than its strips": (lambda: with_strips(GREY, 4, taller=2), "end half-way"),
    "a strip that is short": (lambda: short_by(GREY, 20), "end half-way"),
    "two headers": (lambda: png(20, 12, ROWS, before=header(120)), "two headers"),
    "two headers alike": (lambda: png(20, 12, ROWS, before=header(12)), "two headers"),
    "no palette": (lambda: png(20, 12, ROWS, colour=3), "no palette"),
    "two palettes": (
        lambda: png(20, 12, ROWS, colour=3, before=2 * chunk(b"PLTE", bytes(768))), "two palettes"),
    "two EXIF chunks": (
        lambda: png(20, 12, ROWS, before=b"".join(chunk(b"eXIf", turned_by(turn)) for turn in (6, 1))), "how it is turned"),
    "a TIFF palette of 8 bits": (
        lambda: tiff(GREY, photometric="palette", colormap=np.tile(np.arange(256, dtype=np.uint16), (3, 1))), "palette has 8 bits"),
    "a packed BMP at an odd place": (lambda: shifted(bmp(b"\0\x03\1\2\3\0\1\x04\0\0\x04\x07\0\1")), "odd place"),
    "an empty palette": (lambda: palette_png(0, 0), "colours that it does not have"),
    "a palette that is too short": (lambda: palette_png(2, 2), "colours that it does not have"),
    "a palette that is too short, 4 bits": (lambda: palette_png(15, 15, 4), "colours that it does not have"),
    "a palette that is too short, 1 bit": (lambda: palette_png(1, 1, 1), "colours that it does not have"),
    "a BMP palette that is too short": (lambda: bmp(bytes(7) + b"\x05", packing=0, colours=5), "colours that it does not have"),
    "a packed BMP whose row is short": (lambda: bmp(b"\x02\x09\0\0\x04\x07\0\1"), "packed row"),
    "a packed BMP whose last row is short": (lambda: bmp(b"\x04\x09\0\0\x02\x07\0\0\0\1"), "packed row"),
    "a packed BMP without a row": (lambda: bmp(b"\x04\x09\0\0\0\0\0\1"), "packed row"),
    "a packed BMP that ends": (lambda: bmp(b"\x04\x09\0\1"), "packed row"),
    "a packed BMP that breaks off": (lambda: bmp(b"\x04\x09\0"), "packed row"),
    "a packed BMP that passes over pixels": (lambda: bmp(b"\x01\x09\0\2\2\0\x01\x09\0\0\x04\x07\0\1"), "packed row"),
    "a packed BMP that passes over a row": (lambda: bmp(b"\0\2\0\1\x04\x07\0\1"), "packed row"),
    "a packed BMP whose row is long": (lambda: bmp(b"\0\x05\1\2\3\4\5\0\0\0\x04\x07\0\1"), "packed row"),
    "a packed BMP of halves whose row is short": (
        lambda: bmp(b"\x03\x12\0\0\x04\x34\0\1", packing=2, colours=16), "packed row"),
    "a thousand scans": (lambda: with_scans(1000), "more than 100 scans"),
    "GIF": (lambda: pillow(COLOUR, "GIF"), "no PNG, JPEG, BMP or TIFF"),
    "WebP": (lambda: pillow(COLOUR, "WEBP"), "no PNG, JPEG, BMP or TIFF"),
    "HEIC": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "no PNG, JPEG, BMP or TIFF"),
    "EPS": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n", "no PNG, JPEG, BMP or TIFF"),
    "text": (lambda: b"no image", "no PNG, JPEG, BMP or TIFF"),
    "nothing": (lambda: b"", "no PNG, JPEG, BMP or TIFF"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_truly_is_refused_in_one_line_and_at_once(kind):
    make, said = REFUSED[kind]
    content, began = make(), time.process_time()
    with pytest.raises(ImageError, match=said) as caught:
        decode(content, MEGAPIXELS)
    assert time.process_time() - began < 2
    assert "\n" not in str(caught.value)


def test_interlaced_rows_are_whole_where_pillow_reads_them():
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    parts = (GREY[top::down, left::across] for left, top, across, down in passes)
    rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    content = png(20, 12, rows, interlaced=1)
    np.testing.assert_array_equal(decode(content).values, GREY)
    with pytest.raises(ImageError, match="half-way"):
        decode(png(20, 12, rows[:-1], interlaced=1))


HUGE = {  # few bytes that declare many pixels
    "PNG": png(30000, 30000, b""),
    "PNG, 4 gigapixels": png(65000, 65000, b""),
    "JPEG": pillow(GREY, "JPEG").replace(struct.pack(">HH", 12, 20), struct.pack(">HH", 60000, 60000), 1),
    "BMP": pillow(COLOUR, "BMP").replace(struct.pack("<ii", 20, 12), struct.pack("<ii", 60000, 60000), 1),
    "TIFF": raw_tiff({256: (4, 60000), 257: (4, 60000), 258: (3, 8), 262: (3, 1), 273: (4, 0), 279: (4, 1)}, b"x"),
    "TIFF, a tile": raw_tiff(
        {256: (4, 8), 257: (4, 8), 258: (3, 8), 259: (3, 8), 262: (3, 1), 322: (4, 30000), 323: (4, 30000), 324: (4, 8), 325: (4, 1)}
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HUGE)
@pytest.mark.parametrize("read", [decode, shape])
def test_more_pixels_than_are_allowed_are_refused_by_the_header(kind, read):
    with pytest.raises(ImageError, match=r"million pixels, and at most 200 are read; raise dataset\.megapixels"):
        read(HUGE[kind], MEGAPIXELS)


def test_as_many_pixels_as_are_allowed_are_read():
    assert decode(png(20, 10, (b"\0" + b"\x80" * 20) * 10), 200e-6).values.shape == (10, 20)
    with pytest.raises(ImageError, match="million pixels"):
        decode(png(20, 10, (b"\0" + b"\x80" * 20) * 10), 199e-6)


def test_a_bomb_within_the_limit_takes_no_memory(tmp_path):
    """190 million pixels are declared, and no row is there: this is found before the picture has a place."""
    assert peak(png(19000, 10000, b"")) < 30e6


@pytest.mark.parametrize("packing", [8, 32946, 34925, 32773])
def test_a_bomb_in_a_strip_takes_no_memory(packing):
    content = deep_bomb(packing, 200 << 20)
    assert len(content) < 4 << 20
    assert peak(content) < 60e6


@pytest.mark.parametrize("packing", [8, 32946, 34925, 32773])
def test_a_packed_strip_of_16_bit_colour_is_read(packing):
    np.testing.assert_array_equal(decode(deep_bomb(packing, 0)).values, DEEP_COLOUR)


@pytest.mark.parametrize("text", ["zTXt", "iCCP"])
def test_a_bomb_in_a_text_is_not_unpacked(text):
    bomb = b"name\0\0" + zlib.compress(bytes(200 << 20), 9)
    content = png(20, 12, b"".join(b"\0" + row.tobytes() for row in GREY), before=chunk(text.encode(), bomb))
    assert len(content) < 1 << 20
    assert peak(content) < 100e6


BYTES_PER_PIXEL = 36  # what reading and preparing an image take at most, beside the file itself
LARGE = {
    "grey": lambda side: png(side, side, bytes(side * (side + 1))),
    "colour": lambda side: png(side, side, bytes(side * (3 * side + 1)), colour=2),
    "deep colour": lambda side: png(side, side, bytes(side * (6 * side + 1)), depth=16, colour=2),
    "deep TIFF": lambda side: tiff(np.zeros((side, side, 3), np.uint16), photometric="rgb", compression="zlib"),
    "turned": lambda side: pillow(Image.new("RGB", (side, side)), "JPEG", exif=exif(6)),
}


@pytest.mark.parametrize("kind", LARGE)
def test_memory_per_pixel_is_bounded(kind):
    side = 2000
    assert peak(LARGE[kind](side)) / side**2 < BYTES_PER_PIXEL


_PEAK = """
import sys
import tifffile
import radar.runtime.decoding, radar.runtime.preprocessing as preprocessing
from radar.runtime.errors import ImageError

def taken(name):
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

content = sys.stdin.buffer.read()
before = taken("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
try:
    pixels = radar.runtime.decoding.decode(content, 200)
    preprocessing.preprocess(pixels, preprocessing.Preprocessing("luma_chroma", 100, None, "stretch", None, None, "lanczos"))
except ImageError:
    pass
print(taken("VmHWM") - before)
"""


def peak(content: bytes) -> int:
    """Bytes that a process of its own takes to read and prepare an image."""
    done = subprocess.run([sys.executable, "-c", _PEAK], input=content, capture_output=True, check=True)
    return int(done.stdout)


def test_pillows_own_limit_is_left_alone():
    before = Image.MAX_IMAGE_PIXELS
    decode(SAID["tiles"][0], MEGAPIXELS)
    assert before == Image.MAX_IMAGE_PIXELS is not None
    assert PngImagePlugin.MAX_TEXT_CHUNK <= 1 << 20


@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_a_palette_that_no_pixel_names_is_passed_over(photometric):
    values = GREY if photometric == "minisblack" else COLOUR
    unused = [(320, 3, 768, tuple(range(256)) * 3, True)]
    assert (
        decode(tiff(values, photometric=photometric, extratags=unused)).values
        == decode(tiff(values, photometric=photometric)).values
    ).all()


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_that_were_multiplied_by_alpha_are_as_before(planar: str) -> None:
    """In 16 bits as in 8: what is half transparent is not dark."""
    random = np.random.default_rng(0)
    whole = random.integers(0, 65_536, (9, 7, 3))
    alpha = random.choice([0, 1000, 32_768, 65_535], (9, 7, 1))
    stored = np.concatenate([np.rint(whole * (alpha / 65_535)), alpha], axis=-1).astype(np.uint16)
    layout = stored if planar == "contig" else np.moveaxis(stored, -1, 0)
    wanted = np.where(alpha == 0, 0, whole)
    content = tiff(np.ascontiguousarray(layout), photometric="rgb", planarconfig=planar, extrasamples=["assocalpha"])
    found = decode(content, 1.0).values
    assert np.abs(found.astype(int) - wanted).max() <= 35, "of 1000 levels of alpha, half a level"
    assert np.abs(found.astype(int) - wanted)[np.broadcast_to(alpha > 30_000, wanted.shape)].max() <= 2
    other = tiff(np.ascontiguousarray(layout), photometric="rgb", planarconfig=planar, extrasamples=["unassalpha"])
    assert np.array_equal(decode(other, 1.0).values, stored[..., :3])
