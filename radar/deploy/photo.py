"""A photo as it was read: its bytes once, hashed and decoded from those same bytes, and how bright and sharp it is."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from radar.config.schema import ImageConfig
from radar.data.decoding import FloatArray, Pixels
from radar.data.file_reader import FileReader, file_and_crop
from radar.data.preprocessing import Frame, luma, plane_names, preprocess, sharpness


class Stamp(NamedTuple):
    """By which a file is known not to have changed."""

    modified_ns: int
    bytes: int

    @staticmethod
    def of(status: os.stat_result) -> Stamp:
        """Of a file's status."""
        return Stamp(status.st_mtime_ns, status.st_size)


@dataclass(frozen=True, eq=False)
class Picture:
    """What was decoded: the original's pixels, and the planes `(P, H, W)` in [−1, 1] that the model sees."""

    pixels: Pixels
    identity: str  # by which the model draws its noise
    planes: FloatArray
    frame: Frame
    brightness: float
    sharpness: float


@dataclass(frozen=True, eq=False)
class Photo:
    """A file that was read, or why it could not be."""

    path: Path
    stamp: Stamp | None  # None where there is no such file
    steady: bool  # whether it stayed as it was while it was read
    content_hash: str | None  # SHA-256 of its bytes
    seconds: float  # of reading and decoding
    picture: Picture | None
    error: str | None


def read_photo(path: Path, files: FileReader, config: ImageConfig) -> Photo:
    """Read and decode an image file, or a named crop of one; nothing that is wrong with it raises."""
    began, file = time.perf_counter(), file_and_crop(path)[0]
    stamp, steady, content_hash, picture, error = None, False, None, None, None
    try:
        if not file.is_file():  # opening a pipe would wait for ever
            raise FileNotFoundError("not a file" if file.exists() else "no such file")
        stamp = Stamp.of(file.stat())
        content = file.read_bytes()
        content_hash = hashlib.sha256(content).hexdigest()
        steady = Stamp.of(file.stat()) == stamp and len(content) == stamp.bytes
        picture = _picture(*files.read(path, content), config)
    except Exception as failure:  # decoders raise whatever a broken file makes them
        error = _one_line(failure, path)
    return Photo(path, stamp, steady, content_hash, time.perf_counter() - began, picture, error)


def _picture(pixels: Pixels, identity: str, config: ImageConfig) -> Picture:
    planes, frame = preprocess(pixels, config)
    seen = luma(planes, plane_names(config))
    return Picture(pixels, identity, planes, frame, float(seen.mean()), sharpness(seen))


def _one_line(failure: Exception, path: Path) -> str:
    told = str(failure).removeprefix(f"{path}: ").removeprefix(f"{file_and_crop(path)[0]}: ")
    text = " ".join(told.split())
    return text or type(failure).__name__
