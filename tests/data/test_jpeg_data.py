"""JPEGs whose data end before their pixels do are refused, wherever they were cut, and no whole one is."""

from __future__ import annotations

import base64
import io
import re
import time
from itertools import pairwise
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
# 24 × 24 px, in base 85, as Pillow writes neither: a scan for each colour, and arithmetic coding (cjpeg of libjpeg-turbo 2.1.5)
SCANS = (
    rb"|JeWF01!$>Nk#wx0RR9200961|JwjV04N+DBOVzjBOxO#D=08LWI;SPH#~b-T}fn-"
    rb"fSHz$fQ*WuwC2O0s@koJjL84X+V1uL|Noo8|NsB`|K|Pw`2X7gLjfx-Ej%?mc0oaQ_@#`c`1ttv`1ttv`1ttv`1ttv`1ttv`1ttv`1ttv"
    rb"`1ttv`1ttv`1ttv`1ttv`1ttv`1t?801*fP7yuXp0U`hb5di}c0sq7R7ytnP0|5X40000000000000930Rja7!~h%+00IL50|5X400000"
    rb"000000RjL65fULW6aU%(2mt{A06ze`DJnO6hNP*{>`I>rVrCrKVbSE!1SteSQdx+}+w?_z9!YhIq!?=H%b`F2!~hln0RaI30000000000"
    rb"000000Rsg8!~hx*0RRI40{{R300000000000RRFK0}?U++5iXv0ucZ|0BTyk!rey}XBBI#zaR|%!~hln0RaI30000000000000000|5g6"
    rb"!~hx*00RL40{{R30000000000009CK0}>(s+5iXv0}%i}03~XDWUQyA`mMoN9H0N$"
)
ARITHMETIC = (
    rb"|JeWF01!$>Nk#wx0RR9200961|JwkA5CA9u8~`2wBLE%%82~5%BLE=)BLFP`D*z|}FaSINWB@?`JODQUHvl{UdjMDfT>wb{WB`!>fB=~Q"
    rb"mH>|cfB=jDiU6Phv;gJ+!vLTFssP#mtpJJui~z_15dg~o+5qkV^#K9_1OWm7n*hN98v!o?7y$YKECA*J{Q&|1`2X7gLjfx-Ej%?mc0oaQ"
    rb"_@#`c`1ttv`1ttv`1ttv`1ttv`1ttv`1ttv`1ttv`1ttv`1ttv`1ttv`1ttv`1ttv`1t?H01*fP7yuXp0U`hb5di}c0sqVZ3IGrg1pyEd"
    rb"1^?Or3<CiG0ucid06ze&+!92=Wqr*{AG6Cp7UeP^WFjdB-"
    rb"yDX3m7CugscluARIo!8Yzn#ceLu`Kl6@!oqQBe<A4Kmc6a>52TUu!7;(8sABSo-ljbJeU*#"
)


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


def test_each_of_several_scans_needs_its_data() -> None:
    content = base64.b85decode(SCANS)
    assert decode(content).values.shape == (24, 24, 3)
    starts = [found.start() for found in re.finditer(rb"\xff\xda", content)]
    assert len(starts) == 3
    for start, following in pairwise([*starts, len(content) - len(END)]):
        header = start + 2 + int.from_bytes(content[start + 2 : start + 4], "big")
        data = re.search(rb"\xff[^\x00]", content[header:])
        assert data is not None
        end = min(header + data.start(), following)
        with pytest.raises(ImageError, match="its data end before its pixels do"):
            decode(content[: (header + end) // 2].removesuffix(b"\xff") + content[end:])


def test_arithmetic_coding_is_read() -> None:
    values = decode(base64.b85decode(ARITHMETIC)).values.astype(int)
    assert values.shape == (24, 24, 3) and np.abs(values - decode(base64.b85decode(SCANS)).values).mean() < 20


@pytest.mark.parametrize("rows", [7, 8, 9, 16, 17])
def test_data_that_end_at_a_restart_are_refused(rows: int) -> None:
    content = jpeg(texture((8 * rows, 64), 1), "L", {"restart_marker_rows": 1})
    restarts = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", content)]
    assert len(restarts) == rows - 1
    for place in restarts:
        for cut in (place - 3, place, place + 2, place + 5):
            with pytest.raises(ImageError, match="its data end before its pixels do"):
                decode(content[:cut].removesuffix(b"\xff") + END)


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_filling_before_a_marker_is_read(options: dict[str, Any]) -> None:
    content = jpeg(texture((64, 64), 3), "RGB", options)
    whole = decode(content).values
    np.testing.assert_array_equal(decode(content[:-2] + b"\xff\xff" + END).values, whole)


def test_many_markers_take_no_time() -> None:
    content = jpeg(texture((64, 64), 1), "L", {})
    began = time.process_time()
    assert decode(content[:2] + b"\xff\xfe\x00\x02" * 100_000 + content[2:]).values.shape == (64, 64)
    assert time.process_time() - began < 5
