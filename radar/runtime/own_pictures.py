"""The mark of pictures that radar draws, by which they are told from photos without being decoded."""

from __future__ import annotations

import re
import stat
from functools import lru_cache
from pathlib import Path

from .png import SIGNATURE

SOFTWARE = "Software"  # the text of a PNG that says who made it
_MAKER = "radar "
_MARKS = {  # what a file begins with, and the mark that follows: the first text of a PNG, the comment of a JPEG
    SIGNATURE: re.compile(f"tEXt{SOFTWARE}\0{_MAKER}".encode()),
    b"\xff\xd8": re.compile(b"\xff\xfe.." + _MAKER.encode(), re.DOTALL),
}
_HEAD = 1024  # bytes, within which the mark stands
_REMEMBERED = 1 << 17  # files, each of which a watch would else open at every look


def software(kind: str) -> str:
    """What a picture of that kind has as its `SOFTWARE`, before any other text, or as its comment."""
    return f"{_MAKER}{kind}"


def is_own_picture(path: Path) -> bool:
    """Whether a file is a picture that radar drew, whatever it is called: a PNG or a JPEG. What cannot be opened is none."""
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
    return any(head.startswith(start) and mark.search(head) is not None for start, mark in _MARKS.items())
