"""Layouts of files in a folder, and what they share: one of your own subclasses `FilesLayout` and writes `find`.

Hidden files and files of other kinds than EXTENSIONS are passed over. Nothing is decoded to find an image.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from radar.data.decoding import EXTENSIONS, BoolArray, Pixels, file_hash, image_shape, read_mask, read_pixels
from radar.data.layouts.layout import Entry, Layout
from radar.errors import DataError


class FilesLayout(Layout):
    """Images and masks are files below `folder`; an image's identity is the SHA-256 of its file's bytes."""

    dark_masks: ClassVar[bool] = False  # whether masks are dark on the defect

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
        """SHA-256 of the file's bytes."""
        return file_hash(self.folder / path)

    def pixels(self, path: str) -> Pixels:
        """Decode the file."""
        return read_pixels(self.folder / path)

    def shape(self, path: str) -> tuple[int, int]:
        """From the file's header."""
        return image_shape(self.folder / path)

    def mask(self, path: str, mask: str) -> BoolArray:
        """Decode the mask; it must have its image's size."""
        return read_mask(self.folder / mask, self.shape(path), inverted=self.dark_masks)

    def mask_hash(self, mask: str) -> str:
        """SHA-256 of the mask file's bytes."""
        return file_hash(self.folder / mask)


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
