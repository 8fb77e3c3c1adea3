"""A photo as it was read: its bytes once, hashed and decoded from those same bytes, and how bright and sharp it is."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from .crops import content_hash, file_and_crop
from .decoding import LARGEST_PHOTO
from .picture import Picture, Scorer, picture_of


class Stamp(NamedTuple):
    """By which a file is known not to have changed."""

    modified_ns: int
    bytes: int
    # its number and when its entry last changed, which copies that keep times cannot set; 0, 0 where only a log tells of it
    file: tuple[int, int] = (0, 0)

    @staticmethod
    def of(status: os.stat_result) -> Stamp:
        """Of a file's status."""
        return Stamp(status.st_mtime_ns, status.st_size, (status.st_ino, status.st_ctime_ns))

    def fits(self, seen: Stamp) -> bool:
        """Whether a file that is seen now is this one, as far as is known."""
        return self == seen or (self.file == (0, 0) and self[:2] == seen[:2])


@dataclass(frozen=True, eq=False)
class Photo:
    """A file that was read, or why it could not be."""

    path: Path
    stamp: Stamp | None  # None where there is no such file
    steady: bool  # whether it stayed as it was while it was read
    content_hash: str | None  # SHA-256 of its bytes; of a named crop that of its own pixels, as a manifest has it
    seconds: float  # of reading and decoding
    picture: Picture | None
    error: str | None


def read_photo(path: Path, scorer: Scorer) -> Photo:
    """Read and decode an image file, or a named crop of one, as `scorer` wants it; nothing that is wrong with it raises."""
    began, file = time.perf_counter(), file_and_crop(path)[0]
    stamp = None
    try:
        if not file.is_file():  # opening a pipe would wait for ever
            raise FileNotFoundError("not a file" if file.exists() else "no such file")
        stamp = Stamp.of(file.stat())
        if stamp.bytes > LARGEST_PHOTO:
            raise ValueError(f"has {stamp.bytes / 2**30:.3g} GiB, and at most {LARGEST_PHOTO / 2**30:g} are read")
        content = file.read_bytes()
    except (OSError, ValueError, MemoryError) as failure:
        return Photo(path, stamp, False, None, time.perf_counter() - began, None, _one_line(failure, path))
    steady = _is_still(file, stamp) and len(content) == stamp.bytes
    photo = decoded_photo(path, content, scorer)
    return replace(photo, stamp=stamp, steady=steady, seconds=time.perf_counter() - began)


def decoded_photo(path: Path, content: bytes, scorer: Scorer) -> Photo:
    """A photo of a file's bytes, or of a named crop of them; `path` is a name. Nothing that is wrong with them raises."""
    began, picture, error = time.perf_counter(), None, None
    try:
        picture = picture_of(path, content, scorer)
    except Exception as failure:  # decoders raise whatever a broken file makes them
        error = _one_line(failure, path)
    is_crop = file_and_crop(path)[1] is not None
    told = content_hash(content) if picture is None or not is_crop else picture.identity
    return Photo(path, None, True, told, time.perf_counter() - began, picture, error)


def _is_still(file: Path, stamp: Stamp) -> bool:
    try:
        return Stamp.of(file.stat()) == stamp
    except OSError:
        return False


def _one_line(failure: Exception, path: Path) -> str:
    told = str(failure).removeprefix(f"{path}: ").removeprefix(f"{file_and_crop(path)[0]}: ")
    text = " ".join(told.split())
    return text or type(failure).__name__
