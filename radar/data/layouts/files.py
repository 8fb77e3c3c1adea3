"""Layouts of files in a folder, and what they share: one of your own subclasses `FilesLayout` and writes `find`.

Hidden files and files of other kinds than EXTENSIONS are passed over. Nothing is decoded to find an image.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from radar.data.decoding import EXTENSIONS, BoolArray, Pixels, array_hash, file_hash, read_pixels
from radar.data.file_reader import FileReader
from radar.data.layouts.layout import Entry, Layout
from radar.errors import DataError
from radar.runtime.crops import file_and_crop


class FilesLayout(Layout):
    """Images are files below `folder`, or named crops of them (`radar.data.file_reader`); masks are files.

    An image's identity is the SHA-256 of its file's bytes; of its pixels where it is a crop or `decode` is a subclass's own.
    """

    dark_masks: ClassVar[bool] = False  # whether masks are dark on the defect

    def __init_subclass__(cls) -> None:
        """Raise TypeError where a subclass overrides what follows from `decode`."""
        super().__init_subclass__()
        for name in ("pixels", "shape", "content_hash"):
            if name in vars(cls):
                raise TypeError(f"{cls.__name__}.{name}: override decode, from which pixels, sizes and hashes follow")

    def decode(self, file: Path) -> Pixels:
        """A whole file; to be overridden for other kinds of file. A model fitted on the images reads files so, too."""
        return read_pixels(file)

    @cached_property
    def files(self) -> FileReader:
        """Reads the layout's own images, and those that a model fitted on them is asked about."""
        decode = read_pixels if type(self).decode is FilesLayout.decode else self.decode
        return FileReader(decode, self.side)

    @abstractmethod
    def find(self, folder: Path) -> Iterator[Entry]:
        """Every image of `folder`, in any order. Raises DataError, for a missing mask for instance."""

    def problems(self) -> Iterator[str]:
        """Also a missing root."""
        yield from super().problems()
        if self.config.root is None:
            yield f"dataset.root=null: layout {self.name} reads a folder; give it with dataset.root=FOLDER"

    @cached_property
    def folder(self) -> Path:
        """The folder that paths are relative to: `root`, or `root/category`. Raises DataError if it is not there."""
        root = Path(self.config.root or "").expanduser()
        if not root.is_dir():
            raise DataError(
                f"{root}: no such folder; set dataset.root= or data_root= to where the images are{self._to_be_had()}"
            )
        category = self.config.category
        if category is None or (root / category).is_dir():
            return root / (category or "")
        there = ", ".join(folder.name for folder in subfolders(root)) or "nothing"
        raise DataError(f"{root}: no category {category!r}; set dataset.category= to one of: {there}")

    def _to_be_had(self) -> str:
        if self.public is None:
            return ""
        where = self.public.page if self.public.url is None else f"`radar data download {self.public.name}`"
        return f" (to be had from {where})"

    def entries(self) -> tuple[Entry, ...]:
        """Every image that `find` finds. Raises DataError if no normal one is among them."""
        entries = sorted(self.find(self.folder), key=lambda entry: entry.path)
        if not any(entry.label == 0 for entry in entries):
            raise DataError(
                f"{self.folder}: no normal images in the {self.name} layout; check dataset.root and "
                f"dataset.layout (read are {', '.join(EXTENSIONS)})"
            )
        return tuple(entries)

    def content_hash(self, path: str) -> str:
        """SHA-256 of the file's bytes, or of the pixels."""
        return self.files.content_hash(self.folder / path)

    def pixels(self, path: str) -> Pixels:
        """Decode the file, or the crop of it."""
        return self.files.pixels(self.folder / path)

    def shape(self, path: str) -> tuple[int, int]:
        """From the file's header, or as the crop is named."""
        return self.files.shape(self.folder / path)

    def mask(self, path: str, mask: str) -> BoolArray:
        """Decode the mask, which has its image's size; of a crop, that part of the file's mask."""
        return self.files.mask(self.folder / path, self.folder / mask, inverted=self.dark_masks)

    def mask_hash(self, path: str, mask: str) -> str:
        """SHA-256 of the mask file's bytes; of what it marks where its image is a crop or `mask` is a subclass's own."""
        if file_and_crop(Path(path))[1] is None and type(self).mask is FilesLayout.mask:
            return file_hash(self.folder / mask)
        return array_hash(self.mask(path, mask))


def subfolders(folder: Path) -> list[Path]:
    """Sorted, none if `folder` is not there."""
    if not folder.is_dir():
        return []
    return sorted(sub for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith("."))


def image_files(folder: Path) -> list[Path]:
    """Images directly in `folder`, sorted, none if it is not there."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
    )


def relative(path: Path, folder: Path) -> str:
    """A path as manifests have it."""
    return path.relative_to(folder).as_posix()


def mask_file(masks: Path, image: Path) -> Path:
    """The mask of `image` in `masks`: its stem, bare or with `_mask`, any extension.

    Raises DataError where there is none, which would corrupt pixel metrics.
    """
    for stem in (f"{image.stem}_mask", image.stem):
        for extension in EXTENSIONS:
            for suffix in (extension, extension.upper()):
                if (mask := masks / f"{stem}{suffix}").is_file() and mask != image:
                    return mask
    raise DataError(
        f"{image}: no mask {image.stem}_mask.png or {image.stem}.png in {masks}; restore the mask or remove the image"
    )
