"""Names of files that are called after an image's path or any text: readable, harmless, and another one for every path."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import PurePath

from .crops import stem as readable_stem

_STEM_BYTES = 80  # of an image's name in the names of what is made of it; file systems take 255
_DIGITS = 10  # of the hash that tells equal names of several folders apart
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # names that Windows takes for devices
_PICTURE = re.compile(rf"-[0-9a-f]{{{_DIGITS}}}(_[^/]*)?\.png$")  # of a picture of an image
# control characters, halves of characters that no text can hold, and what some file system refuses in a name
_REPLACED = re.compile(
    r'[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff<>:"/\\|?*]'
)


def output_name(path: PurePath, content_hash: str = "") -> str:
    """A file's name, without extension, for what is made of the image at `path`: readable, and another one for every path, and for
    every content that is told.
    """
    return f"{_readable(readable_stem(path))}-{_told_apart(os.fsencode(path) + content_hash.encode())}"


def is_picture_name(name: str) -> bool:
    """Whether a file is called as a picture is that was made of an image: after `output_name`, and maybe a score."""
    return _PICTURE.search(name) is not None


def file_name(text: str) -> str:
    """A name for a file or a folder that is called after `text`: `text` itself where any file system takes it, else what is left of it
    with digits that tell it from others. It names no folder, device or stream, and steers no terminal.
    """
    return text if is_plain_name(text) else f"{_readable(text)}-{_told_apart(text.encode(errors='surrogatepass'))}"


def is_plain_name(text: str) -> bool:
    """Whether a file or a folder can have that name anywhere, without leading elsewhere."""
    return bool(text) and text == _readable(text)


def _readable(text: str) -> str:
    """At most 80 bytes of `text`; what no file system or terminal takes for a command."""
    name = _REPLACED.sub("_", text).encode()[:_STEM_BYTES].decode(errors="ignore").strip(" .") or "_"
    return f"_{name}" if _DEVICE.match(name) else name


def _told_apart(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
