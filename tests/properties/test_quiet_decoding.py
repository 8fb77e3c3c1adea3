"""Whatever is wrong with a photo's bytes, its decoder prints nothing: what is to be said is said by name, elsewhere."""

from __future__ import annotations

import base64
import contextlib
import io
import struct
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from radar.runtime.decoding import decode, reading, shape
from radar.runtime.errors import ImageError

_PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x63\0\x12\x01\x03\0"  # it says that it has 99 tags, and ends within the first


def _stored(kind: str, picture: Image.Image = _PICTURE, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _tiff_with_a_tag_beyond_its_end() -> bytes:
    content = bytearray(_stored("TIFF", software="radar" * 20))
    place = content.index(struct.pack("<HH", 305, 2))
    content[place + 8 : place + 12] = struct.pack("<I", 10**6)
    return bytes(content)


def _tiff_of_many_samples() -> bytes:
    content = bytearray(_stored("TIFF"))
    place = content.index(struct.pack("<HH", 277, 3))
    content[place + 8 : place + 10] = struct.pack("<H", 99)
    return bytes(content)


CONTENTS = {
    "PNG, EXIF": _stored("PNG", exif=_EXIF),
    "JPEG, EXIF": _stored("JPEG", exif=_EXIF),
    "JPEG, no EXIF in EXIF": _stored("JPEG", exif=b"Exif\0\0nothing of this kind"),
    "TIFF, a tag beyond its end": _tiff_with_a_tag_beyond_its_end(),
    "TIFF, many samples": _tiff_of_many_samples(),
    "PNG, a palette with alpha": _stored("PNG", _PICTURE.quantize(16), transparency=bytes(range(16))),
}
_READ = """
import base64, sys
from radar.runtime.decoding import decode, shape
from radar.runtime.errors import ImageError
for line in sys.stdin:
    for read in (decode, shape):
        try:
            read(base64.b64decode(line))
        except ImageError:
            pass
"""


def _attempted(content: bytes) -> None:
    for read in (decode, shape):
        with contextlib.suppress(ImageError):
            read(content)


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("before", ["always", "error", "default"])
def test_no_warning_of_the_decoder_comes_through(kind: str, before: str) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter(before)  # type: ignore[arg-type]
        _attempted(CONTENTS[kind])
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(_attempted, [CONTENTS[kind]] * 8))
        assert not said
        warnings.simplefilter("always")
        warnings.warn("of anybody else", UserWarning, stacklevel=1)
    assert [str(each.message) for each in said] == ["of anybody else"]


def test_these_bytes_make_the_decoder_warn() -> None:
    """Or the test above would test nothing."""
    with warnings.catch_warnings(record=True) as said:
        for content in (CONTENTS["PNG, EXIF"], CONTENTS["JPEG, EXIF"]):
            reading(content, 1, lambda image: warnings.simplefilter("always") or image.getexif().get(274))
    assert len(said) == 2


def test_nothing_is_printed() -> None:
    lines = b"\n".join(base64.b64encode(content) for content in CONTENTS.values())
    done = subprocess.run([sys.executable, "-c", _READ], input=lines, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
