"""Where a data set's images come from: files in a folder, or pictures drawn in memory. Both answer alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from radar.config.schema import DatasetConfig
from radar.data.decoding import (
    BoolArray,
    FloatArray,
    Pixels,
    file_hash,
    image_shape,
    read_mask,
    read_pixels,
    thumbnail,
)
from radar.data.layouts import Entry, dataset_folder, read_layout
from radar.data.leaks import THUMBNAIL_SIDE, unit_vectors
from radar.data.sample import Sample
from radar.data.synthetic import DrawnImage, draw_synthetic
from radar.data.threads import in_threads
from radar.errors import ConfigError
from radar.progress import Report


class Source(Protocol):
    """What the rest of the room asks of a set of images; paths are those of the manifest."""

    def entries(self) -> tuple[Entry, ...]:
        """Every image, sorted by path."""

    def content_hash(self, path: str) -> str:
        """SHA-256 that changes with the image."""

    def pixels(self, path: str) -> Pixels:
        """The decoded image."""

    def shape(self, path: str) -> tuple[int, int]:
        """Height and width of the image in px."""

    def mask(self, sample: Sample) -> BoolArray:
        """The stored mask (H, W) of a sample whose `mask` is not None."""

    def mask_hash(self, sample: Sample) -> str:
        """SHA-256 that changes with that mask."""


class FolderSource:
    """Images in a folder on disk."""

    def __init__(self, config: DatasetConfig) -> None:
        self.folder = dataset_folder(config)
        self._config = config

    def entries(self) -> tuple[Entry, ...]:
        """Every image that the layout finds."""
        return read_layout(self._config, self.folder)

    def content_hash(self, path: str) -> str:
        """SHA-256 of the file's bytes."""
        return file_hash(self.folder / path)

    def pixels(self, path: str) -> Pixels:
        """Decode the file."""
        return read_pixels(self.folder / path)

    def shape(self, path: str) -> tuple[int, int]:
        """From the file's header."""
        return image_shape(self.folder / path)

    def mask(self, sample: Sample) -> BoolArray:
        """Decode the mask; PIPED's are dark on the defect."""
        assert sample.mask is not None
        return read_mask(self.folder / sample.mask, self.shape(sample.path), inverted=self._config.layout == "piped")

    def mask_hash(self, sample: Sample) -> str:
        """SHA-256 of the mask file's bytes."""
        assert sample.mask is not None
        return self.content_hash(sample.mask)


class DrawnSource:
    """Images drawn in memory; nothing is read or written."""

    def __init__(self, drawn: Sequence[DrawnImage]) -> None:
        self._drawn = {image.path: image for image in drawn}

    def entries(self) -> tuple[Entry, ...]:
        """Every drawn image; the mask's path is the name it would have in an MVTec folder."""
        entries = (
            Entry(path, image.label, image.defect, None if image.mask is None else mask_path(path), path, image.split)
            for path, image in self._drawn.items()
        )
        return tuple(sorted(entries, key=lambda entry: entry.path))

    def content_hash(self, path: str) -> str:
        """SHA-256 of shape, dtype and pixels."""
        return _array_hash(self._drawn[path].image)

    def pixels(self, path: str) -> Pixels:
        """The picture itself."""
        return Pixels(self._drawn[path].image, 255)

    def shape(self, path: str) -> tuple[int, int]:
        """The picture's height and width."""
        height, width = self._drawn[path].image.shape[:2]
        return height, width

    def mask(self, sample: Sample) -> BoolArray:
        """The planted defect."""
        mask = self._drawn[sample.path].mask
        assert mask is not None
        return mask

    def mask_hash(self, sample: Sample) -> str:
        """SHA-256 of the planted defect."""
        return _array_hash(self.mask(sample))


def _array_hash(array: NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{array.shape} {array.dtype.str} ".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def open_source(config: DatasetConfig) -> Source:
    """The source that `config.layout` names."""
    if config.layout != "synthetic":
        return FolderSource(config)
    if config.synthetic is None:
        raise ConfigError("dataset.synthetic is null, but layout synthetic reads it; set dataset.synthetic.texture=…")
    return DrawnSource(draw_synthetic(config.synthetic))


def mask_path(path: str) -> str:
    """`test/<defect>/<name>.png` to `ground_truth/<defect>/<name>_mask.png`, the MVTec way."""
    name = Path(path)
    return f"ground_truth/{name.parent.name}/{name.stem}_mask.png"


def content_hashes(source: Source, paths: Sequence[str], progress: Report | None) -> dict[str, str]:
    """Path to content hash."""
    return dict(zip(paths, in_threads(source.content_hash, paths, "hashing", progress), strict=True))


class Vectors:
    """Unit vectors of thumbnails, decoded once for the split rule and the leak check together."""

    def __init__(self, source: Source, progress: Report | None) -> None:
        self._source, self._progress = source, progress
        self._thumbnails: dict[str, FloatArray] = {}

    def __call__(self, paths: Sequence[str]) -> FloatArray:
        """Rows (N, D) in the order of `paths`."""
        new = [path for path in paths if path not in self._thumbnails]
        self._thumbnails.update(zip(new, in_threads(self._thumbnail, new, "comparing", self._progress), strict=True))
        return unit_vectors(self._thumbnails[path] for path in paths)

    def _thumbnail(self, path: str) -> FloatArray:
        return thumbnail(self._source.pixels(path), THUMBNAIL_SIDE)
