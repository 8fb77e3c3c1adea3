"""Image files, and crops of them by name: `strip.png#xywh=1024,0,256,256`, in px from the upper left (Media Fragments URI 1.0).

The one place that reads such a name. Whatever takes an image file takes one: layouts of files, manifests, `Model.score`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock

import numpy as np

from radar.data.decoding import BoolArray, Pixels, array_hash, decode, file_hash, image_shape, read_pixels
from radar.data.masks import read_mask
from radar.errors import DataError
from radar.runtime.crops import check_side, content_hash, file_and_crop
from radar.runtime.errors import ImageError

_KEPT = 4  # decoded files: crops of one are asked for one after the other


class FileReader:
    """Pixels, size, mask and identity of images that are files or named crops of files.

    `decode` reads a whole file; None: as radar does, up to `megapixels`. Where `side` is given, each image is a square of that
    many px, and others are refused. It notes what of the files it did not take at face value.
    """

    def __init__(
        self, decode: Callable[[Path], Pixels] | None = None, side: int | None = None, megapixels: float = math.inf
    ) -> None:
        self.side, self.megapixels = side, megapixels
        self._decode, self._own = decode or self._read, decode is not None
        self._decoded, self._masks = lru_cache(_KEPT)(self._as_it_is), lru_cache(_KEPT)(self._mask_as_it_is)
        self._lock = Lock()  # so that threads that crop one file decode it once
        self._noted: dict[tuple[str, str], dict[Path, None]] = defaultdict(dict)
        # as the file of an image was when that was hashed, and the mask of one: crops of a file are hashed one by one
        self._hashed: dict[Path | tuple[Path, Path], object] = {}

    def notes(self) -> tuple[str, ...]:
        """What was noted of the files that were read so far: one line for each thing, which names the first of them."""
        noted = {key: sorted(self._noted[key]) for key in sorted(self._noted)}
        return tuple(f"{len(paths)} {kind} {what}, first {paths[0]}" for (kind, what), paths in noted.items())

    @property
    def decodes_itself(self) -> bool:
        """Whether files are decoded in another way than radar's."""
        return self._own

    def pixels(self, path: Path) -> Pixels:
        """The decoded image. Raises DataError naming it, also where it has changed since it was hashed."""
        file, crop = file_and_crop(path)
        if crop is None:
            pixels = self._decode(file)
        else:
            with self._lock:
                whole = self._decoded(file, _state(file))
            with _named(path):
                pixels = crop.cut(whole)
        with _named(path):
            check_side(path, pixels.values.shape[:2], self.side)
        self._check_unchanged(path, file)
        return pixels

    def read(self, path: Path, content: bytes) -> tuple[Pixels, str]:
        """The image and its identity, decoded from the file's bytes; only a file of a kind of its own is read once more.

        Raises DataError naming it.
        """
        file, crop = file_and_crop(path)
        pixels = self._decode(file) if self._own else decode(content, file, self.megapixels, partial(self._note, file))
        with _named(path):
            pixels = pixels if crop is None else crop.cut(pixels)
            check_side(path, pixels.values.shape[:2], self.side)
        bytes_tell = crop is None and not self._own
        return pixels, content_hash(content) if bytes_tell else array_hash(pixels.values)

    def shape(self, path: Path) -> tuple[int, int]:
        """Height and width in px, from the file's header where radar decodes it."""
        file, crop = file_and_crop(path)
        height, width = self._file_shape(file)
        with _named(path):
            if crop is not None:
                crop.check_inside(height, width)
                height, width = crop.height, crop.width
            check_side(path, (height, width), self.side)
        return height, width

    def mask(self, path: Path, mask: Path, *, inverted: bool) -> BoolArray:
        """The mask of the image `path`, bool (H, W): of a crop, that part of the file's mask, which has the file's size.

        Raises DataError naming it, also where it has changed since it was hashed.
        """
        file, crop = file_and_crop(path)
        shape = self._file_shape(file)
        if crop is None:
            marked = self._read_mask(mask, shape, inverted=inverted)
        else:
            with self._lock:
                whole = self._masks(mask, _state(mask), shape, inverted=inverted)
            with _named(path):
                crop.check_inside(*shape)
            marked = np.ascontiguousarray(crop.of(whole))
        self._check_unchanged((path, mask), mask)
        return marked

    def content_hash(self, path: Path) -> str:
        """SHA-256 of the file's bytes; of shape, dtype and pixels where it is a crop or `decode` is not radar's own."""
        file, crop = file_and_crop(path)
        self._hashed[path] = _state(file)
        return file_hash(file) if crop is None and not self._own else array_hash(self.pixels(path).values)

    def known_hash(self, path: Path) -> str | None:
        """The same; None where there is no such image, as a table may name anything."""
        try:
            return self.content_hash(path)
        except (DataError, OSError, ValueError):
            return None

    def mask_hash(self, path: Path, mask: Path, *, inverted: bool) -> str:
        """SHA-256 of the mask file's bytes; of what it marks where its image is a crop."""
        self._hashed[path, mask] = _state(mask)
        if file_and_crop(path)[1] is None:
            return file_hash(mask)
        return array_hash(self.mask(path, mask, inverted=inverted))

    def _check_unchanged(self, hashed: Path | tuple[Path, Path], file: Path) -> None:
        if self._hashed.get(hashed, state := _state(file)) != state:
            raise DataError(
                f"{file}: has changed since it was first read; start the command again when nobody writes there"
            )

    def _file_shape(self, file: Path) -> tuple[int, int]:
        if not self._own:
            return _header_shape(file, self.megapixels, _state(file))
        height, width = self._decode(file).values.shape[:2]
        return height, width

    def _read(self, file: Path) -> Pixels:
        return read_pixels(file, self.megapixels, partial(self._note, file))

    def _as_it_is(self, file: Path, state: object) -> Pixels:
        """A file as it was in some state."""
        return self._decode(file)

    def _mask_as_it_is(self, file: Path, state: object, shape: tuple[int, int], *, inverted: bool) -> BoolArray:
        return self._read_mask(file, shape, inverted=inverted)

    def _read_mask(self, file: Path, shape: tuple[int, int], *, inverted: bool) -> BoolArray:
        mask = read_mask(file, shape, inverted=inverted, megapixels=self.megapixels)
        if mask.rule:
            self._note(file, mask.rule, "masks")
        return mask.marked

    def _note(self, file: Path, what: str, kind: str = "files") -> None:
        self._noted[kind, what][file] = None


@lru_cache(maxsize=256)
def _header_shape(file: Path, megapixels: float, changed: object) -> tuple[int, int]:
    """Of a file as it was `changed` last: it is asked again for each of its crops."""
    return image_shape(file, megapixels)


def _state(file: Path) -> tuple[int, int, int] | None:
    """What differs once a file was replaced or written to; None where there is none."""
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors name the image."""
    try:
        yield
    except ImageError as error:
        raise DataError(f"{path}: {error}") from None
