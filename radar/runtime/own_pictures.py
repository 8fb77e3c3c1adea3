"""The mark of pictures that radar draws, by which they are told from photos without being decoded."""

from __future__ import annotations

import stat
from functools import lru_cache
from pathlib import Path

from .png import SIGNATURE

SOFTWARE = "Software"  # the text of a PNG that says who made it
_MAKER = "radar "
_MARK = f"tEXt{SOFTWARE}\0{_MAKER}".encode()
_HEAD = 1024  # bytes, within which the mark stands, as it is the first text
_REMEMBERED = 1 << 17  # files, each of which a watch would else open at every look


def software(kind: str) -> str:
    """What a picture of that kind has as its `SOFTWARE`, before any other text."""
    return f"{_MAKER}{kind}"


def is_own_picture(path: Path) -> bool:
    """Whether a file is a picture that radar drew; no other kind of file than PNG is written as one. What cannot be opened is none."""
    if path.suffix.lower() != ".png":
        return False
    try:
        state = path.stat()
        content = (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size)
        return stat.S_ISREG(state.st_mode) and _is_marked(path, content)
    except OSError:  # whoever opens it says so
        return False


@lru_cache(_REMEMBERED)
def _is_marked(path: Path, _content: tuple[int, ...]) -> bool:
    """Of a file as long as the system says of its content what it said. Raises `OSError`."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head.startswith(SIGNATURE) and _MARK in head
