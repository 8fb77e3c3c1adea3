"""JPEGs whose data end before their pixels do are refused, wherever they were cut, and no whole one is."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from radar.runtime.decoding import decode
from radar.runtime.errors import ImageError

PLANES = {"L": 1, "RGB": 3, "CMYK": 4}
KINDS: list[dict[str, Any]] = [
    {}, {"subsampling": 0}, {"progressive": True}, {"restart_marker_blocks": 3}, {"quality": 97, "optimize": True},
]  # fmt: skip
END = b"\xff\xd9"


def jpeg(values: np.ndarray, mode: str, options: dict[str, Any]) -> bytes:
    """Of values `(H, W, C)`."""
    buffer = io.BytesIO()
    Image.fromarray(values.squeeze(-1) if mode == "L" else values, mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def texture(shape: tuple[int, int], planes: int) -> np.ndarray:
    drawn = np.random.default_rng(shape[0]).normal(size=(*shape, planes))
    return np.clip(128 + 300 * ndimage.gaussian_filter(drawn, (2, 2, 0)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("mode", PLANES)
@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(64, 64), (97, 131), (200, 33), (8, 8), (1, 1)], ids=str)
def test_data_that_end_early_behind_a_sound_end_are_refused(
    shape: tuple[int, int], options: dict[str, Any], mode: str
) -> None:
    content, refused = jpeg(texture(shape, PLANES[mode]), mode, options), 0
    whole, scan = decode(content).values, content.rindex(b"\xff\xda") + 16
    for cut in np.unique(np.linspace(scan, len(content) - len(END), 12).astype(int))[:-1]:
        try:
            found = decode(content[:cut].removesuffix(b"\xff") + END).values
        except ImageError as error:
            assert "its data end before its pixels do" in str(error)
            refused += 1
        else:  # the last byte may hold nothing but filling
            np.testing.assert_array_equal(found, whole)
    assert refused or max(shape) <= 8, "whose last scan is a few bits"


@pytest.mark.parametrize("mode", PLANES)
@pytest.mark.parametrize("options", [KINDS[0], KINDS[1]], ids=str)
def test_a_large_picture_is_refused_unless_its_last_square_alone_is_gone(options: dict[str, Any], mode: str) -> None:
    content = jpeg(texture((300, 280), PLANES[mode]), mode, options)
    whole, scan = decode(content).values.astype(int), content.rindex(b"\xff\xda") + 16
    for missing in (3, 30, 300, 3000, len(content) - scan - len(END)):
        try:
            found = decode(content[: -missing - len(END)].removesuffix(b"\xff") + END).values
        except ImageError as error:
            assert "its data end before its pixels do" in str(error)
        else:
            assert missing <= 30
            np.testing.assert_array_equal(found[:-18], whole[:-18])
            np.testing.assert_array_equal(found[:, :-18], whole[:, :-18])


@pytest.mark.parametrize("mode", PLANES)
def test_whole_pictures_that_end_in_grey_are_read(mode: str) -> None:
    for seed in range(100):
        stream = np.random.default_rng(seed)
        values = np.full((*stream.integers(1, 300, 2), PLANES[mode]), 128 - seed % 2, dtype=np.uint8)
        options = {**KINDS[seed % len(KINDS)], "quality": int(stream.integers(5, 96))}
        assert decode(jpeg(values, mode, options)).values.shape[:2] == values.shape[:2]
