from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from data_builders import image_config, noise, save
from PIL import Image

from radar.data.decoding import image_shape, read_pixels
from radar.data.masks import read_mask
from radar.data.preprocessing import preprocess
from radar.errors import DataError


def deep_png(path, values: np.ndarray) -> None:
    """A 16-bit colour PNG, (H, W, 3 or 4), which Pillow cannot write."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def test_sixteen_bit_grey_png_keeps_every_level(tmp_path):
    values = np.array([[0, 1, 255, 256], [32767, 32768, 65534, 65535]], np.uint16)
    image, _ = preprocess(read_pixels(save(tmp_path / "a.png", values)), image_config())
    assert image.shape == (1, 2, 4)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[0], values / 65535 * 2 - 1, atol=1e-7)


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour_png_keeps_every_level(tmp_path, channels):
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    deep_png(tmp_path / "a.png", values)
    pixels = read_pixels(tmp_path / "a.png")
    assert pixels.full == 65535
    np.testing.assert_array_equal(pixels.values, values[..., :3])


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_sixteen_bit_colour_tiff_keeps_every_level(tmp_path, planar):
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar)
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.tif").values, values)


@pytest.mark.parametrize(
    ("mode", "extension"),
    [
        ("L", "png"),
        ("RGB", "png"),
        ("RGB", "bmp"),
        ("RGB", "tiff"),
        ("P", "png"),
        ("RGBA", "png"),
        ("LA", "png"),
        ("1", "png"),
    ],
)
def test_grey_is_pillows_luma(tmp_path, mode, extension):
    source = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 11, 3), dtype=np.uint8)).convert(mode)
    source.save(tmp_path / f"a.{extension}")
    image, _ = preprocess(read_pixels(tmp_path / f"a.{extension}"), image_config())
    luma = np.asarray(source.convert("RGB" if mode != "LA" else "L").convert("L"))
    np.testing.assert_allclose((image[0] + 1) * 127.5, luma, atol=0.51)  # Pillow rounds to whole levels


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(np.array([[0, 127, 128, 255]], np.uint8), [0, 0, 1, 1], id="eight bit"),
        pytest.param(np.array([[0, 32767, 32768, 65535]], np.uint16), [0, 0, 1, 1], id="sixteen bit"),
        pytest.param(np.array([[0, 1, 1, 0]], np.uint8), [0, 1, 1, 0], id="zero and one"),
        pytest.param(np.zeros((1, 4), np.uint8), [0, 0, 0, 0], id="empty"),
        pytest.param(np.array([[[0, 0, 0], [255, 0, 0], [255] * 3, [9, 9, 9]]], np.uint8), [0, 1, 1, 0], id="colour"),
    ],
)
def test_masks_are_thresholded_at_half_the_range(tmp_path, values, expected):
    path = save(tmp_path / "m.png", values)
    mask = read_mask(path, (1, 4), inverted=False).marked
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask[0], np.array(expected, bool))
    np.testing.assert_array_equal(read_mask(path, (1, 4), inverted=True).marked, ~mask)


def test_a_mask_of_another_size_is_refused(tmp_path):
    path = save(tmp_path / "m.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(DataError, match=r"m\.png: the mask is 5 x 4 px and its image 6 x 4 px"):
        read_mask(path, (4, 6), inverted=False)


@pytest.mark.parametrize("extension", ["jpg", "png", "bmp", "tiff"])
@pytest.mark.parametrize("kept", [0.98, 0.5, 0.05])
def test_a_truncated_image_is_refused_by_name(tmp_path, extension, kept):
    path = save(tmp_path / f"cut.{extension}", noise(0, 64, 64))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(DataError, match=rf"cut\.{extension}"):
        read_pixels(path)


@pytest.mark.parametrize("content", [b"", b"not an image at all"])
def test_what_is_no_image_is_refused_by_name(tmp_path, content):
    (tmp_path / "no.png").write_bytes(content)
    with pytest.raises(DataError, match=r"no\.png: not a readable image"):
        read_pixels(tmp_path / "no.png")


def test_float_and_paged_tiffs_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "float.tif", np.zeros((4, 4), np.float32))
    tifffile.imwrite(tmp_path / "pages.tif", np.zeros((2, 4, 4), np.uint8), photometric="minisblack")
    with pytest.raises(DataError, match="no known range"):
        read_pixels(tmp_path / "float.tif")
    with pytest.raises(DataError, match="several pages"):
        read_pixels(tmp_path / "pages.tif")


def test_what_is_called_png_and_is_a_program_for_a_printer_starts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photo.png"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\nshowpage\n%%EOF\n")
    started = tmp_path / "started"
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for read in (read_pixels, image_shape):
        with pytest.raises(DataError, match="not a readable image"):
            read(path)
    assert not started.exists()
