"""Layouts of files in a folder, and what they share: one of your own subclasses `FilesLayout` and writes `find`.

Hidden files, files of other kinds than EXTENSIONS and pictures that radar drew are passed over (`radar.data.passed_over`). Nothing is
decoded to find one.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar

from radar.data.decoding import EXTENSIONS, BoolArray, Pixels, array_hash, read_pixels
from radar.data.file_reader import FileReader
from radar.data.layouts.layout import Entry, Layout
from radar.data.name_meanings import names_good
from radar.data.sample import contradiction
from radar.errors import DataError
from radar.files import expanded
from radar.runtime.crops import file_and_crop
from radar.runtime.mask_names import MASK, photo_of_mask
from radar.runtime.own_pictures import is_own_picture
from radar.runtime.paths import LITTER

_NAMED = 3  # folders in a message


class FilesLayout(Layout):
    """Images are files below `folder`, or named crops of them (`radar.data.file_reader`); masks are files.

    An image's identity is the SHA-256 of its file's bytes; of its pixels where it is a crop or `decode` is a subclass's own.
    """

    dark_masks: ClassVar[bool] = False  # whether masks are dark on the defect
    masks_advice: ClassVar[str] = (
        "move it to where the layout looks for masks, or rename it"  # where one lies among photos
    )
    normals_advice: ClassVar[str] = "check dataset.root and dataset.layout"  # where no normal image is found

    def __init_subclass__(cls) -> None:
        """Raise TypeError where a subclass overrides what follows from `decode`."""
        super().__init_subclass__()
        for name in ("pixels", "shape", "content_hash"):
            if name in vars(cls):
                raise TypeError(f"{cls.__name__}.{name}: override decode, from which pixels, sizes and hashes follow")

    def decode(self, file: Path) -> Pixels:
        """A whole file; to be overridden for other kinds of file. A model fitted on the images reads files so, too."""
        return read_pixels(file, self.config.megapixels)

    @cached_property
    def files(self) -> FileReader:
        """Reads the layout's own images, and those that a model fitted on them is asked about."""
        decode = None if type(self).decode is FilesLayout.decode else self.decode
        return FileReader(decode, self.side, self.config.megapixels)

    @abstractmethod
    def find(self, folder: Path) -> Iterator[Entry]:
        """Every image of `folder`, in any order. Raises DataError, for a missing mask for instance."""

    def problems(self) -> Iterator[str]:
        """Also a missing root."""
        yield from super().problems()
        if not self.config.root:
            told = "null" if self.config.root is None else "''"
            yield f"dataset.root={told}: layout {self.name} reads a folder; give it with dataset.root=FOLDER"

    @cached_property
    def folder(self) -> Path:
        """The folder that paths are relative to: `root`, or `root/category`. Raises DataError if it is not there."""
        root = Path(expanded(self.config.root or ""))
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
        """Every image that `find` finds. Raises DataError if no normal one is among them, or one contradicts itself or another."""
        entries = sorted(self.find(self.folder), key=lambda entry: entry.path)
        _check_names(entries)
        photos = {entry.path for entry in entries}
        self._check_no_masks(photos)
        for entry in entries:
            if found := contradiction(entry.label, entry.defect, entry.mask):
                raise DataError(f"{self.folder / entry.path}: {found}; check the folders that layout {self.name} takes")
            if entry.label and names_good(entry.defect):
                raise DataError(
                    f"{(self.folder / entry.path).parent}: would be the class of defects {entry.defect!r}, and is called as "
                    "good parts are; move its photos to the good ones, or rename it"
                )
            if entry.mask in photos:
                raise DataError(
                    f"{self.folder / entry.mask}: is read as a photo, and as the mask of {self.folder / entry.path}; "
                    "put masks into a folder of their own, or let their names end with _mask"
                )
        if not any(entry.label == 0 for entry in entries):
            raise DataError(
                f"{self.folder}: no normal images in the {self.name} layout{self._left(photos)}; {self.normals_advice} "
                f"(read are {', '.join(EXTENSIONS)})"
            )
        return tuple(entries)

    def _check_no_masks(self, photos: Iterable[str]) -> None:
        """Raise DataError for a photo that is called as the mask of another one beside it."""
        files = sorted({file_and_crop(PurePosixPath(photo))[0] for photo in photos})
        called = {file.with_suffix(""): file for file in files}
        for file in files:
            stem = photo_of_mask(file.stem)
            if stem is not None and (photo := called.get(file.with_name(stem))) is not None:
                raise DataError(
                    f"{self.folder / file}: is read as a photo, and called as the mask of {photo.name} beside it; {self.masks_advice}"
                )

    def _left(self, photos: Iterable[str]) -> str:
        """Where images lie that are none of `photos`, in words; empty where there are none."""
        known = {str(file_and_crop(PurePosixPath(photo))[0].parent) for photo in photos}
        below = (Path(place) for place, _, _ in os.walk(self.folder) if image_files(Path(place)))
        left = [place for place in sorted(relative(each, self.folder) for each in below) if place not in known]
        shown = ", ".join(left[:_NAMED]) + (", …" if len(left) > _NAMED else "")
        return f"; images lie in {shown}, and sub-folders of a folder of normals are not looked into" if left else ""

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
        """SHA-256 of the mask file's bytes; of what it marks where its image is a crop or `mask` is a subclass's own.

        Another layout may read the same file in another way: what is kept by it is kept by the layout, too.
        """
        if type(self).mask is FilesLayout.mask:
            return self.files.mask_hash(self.folder / path, self.folder / mask, inverted=self.dark_masks)
        return array_hash(self.mask(path, mask))


def subfolders(folder: Path) -> list[Path]:
    """Sorted, none if `folder` is not there."""
    if not folder.is_dir():
        return []
    return sorted(sub for sub in folder.iterdir() if sub.is_dir() and not is_litter(sub.name))


def image_files(folder: Path) -> list[Path]:
    """Images directly in `folder` that radar did not draw, sorted, none if it is not there. Raises DataError for a link to nothing."""
    return [path for path in mask_files(folder) if not is_own_picture(path)]


def mask_files(folder: Path) -> list[Path]:
    """The same with those that radar drew: masks that it flagged may be what a person mended and named."""
    if not folder.is_dir():
        return []
    found = [path for path in sorted(folder.iterdir()) if has_images_name(path)]
    for path in found:
        if path.is_symlink() and not path.exists():
            raise DataError(f"{path}: is a link to nothing; restore what it leads to, or remove it")
    return [path for path in found if path.is_file()]


def has_images_name(path: Path) -> bool:
    """Whether a file that is called so is looked at."""
    return path.suffix.lower() in EXTENSIONS and not is_litter(path.name)


def is_litter(name: str) -> bool:
    """Whether a file or folder is hidden, or one that systems leave in folders unasked."""
    return name.startswith(".") or name.lower() in LITTER


def relative(path: Path, folder: Path) -> str:
    """A path as manifests have it."""
    return path.relative_to(folder).as_posix()


def _check_names(entries: Iterable[Entry]) -> None:
    """Raise `DataError` for a name that is no text: no manifest, no split and no result could say it."""
    for name in (name for entry in entries for name in (entry.path, entry.mask) if name is not None):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(f"{name}: its name is no UTF-8; rename the file, or its folder") from None


class MaskFiles:
    """The masks of a data set's defective images, some of which may have none; each folder is listed once."""

    def __init__(self) -> None:
        self._listed: dict[Path, dict[str, list[Path]]] = {}  # of each folder, by stem
        self._images: dict[Path, Path] = {}  # by the mask that was found
        self._missing: str | None = None  # of the first image that has none

    def of(self, image: Path, masks: Path) -> Path | None:
        """The mask in the folder `masks`: the image's stem with `_mask` (in any case) or bare, any extension; None: there is none.

        Raises DataError where several files are called so: which one is the mask is not for us to choose.
        """
        if masks not in self._listed:
            self._listed[masks] = defaultdict(list)
            for path in mask_files(masks):
                photo = photo_of_mask(path.stem)
                for stem in {path.stem, path.stem if photo is None else f"{photo}{MASK}"}:
                    self._listed[masks][stem].append(path)
        names = (f"{image.stem}{MASK}", image.stem)
        found = [mask for name in names for mask in self._listed[masks].get(name, ()) if mask != image]
        if len(found) > 1:
            raise DataError(f"{image}: {found[0]} and {found[1]} are both called as its mask; keep the one that is")
        return self.known(next(iter(found), None), image, _wanted(image, masks))

    def needed(self, image: Path, masks: Path) -> Path:
        """The same, of an image that must have a mask. Raises DataError where there is none, too."""
        if (mask := self.of(image, masks)) is None:
            raise DataError(_missing(image, _wanted(image, masks)))
        return mask

    def known(self, mask: Path | None, image: Path, wanted: str) -> Path | None:
        """Take notice of a mask that was looked for, or that there is none where `wanted` says. Raises DataError for another's."""
        if mask is None:
            self._missing = self._missing or _missing(image, wanted)
            return None
        if (other := self._images.setdefault(mask, image)) != image:
            raise DataError(
                f"{mask}: is called as the mask of two photos, {other} and {image}; rename one of them, and its mask"
            )
        return mask

    def check(self, besides: str = "") -> None:
        """Raise DataError where masks were looked for and not one was there: they lie elsewhere. `besides` says what else to do."""
        if self._missing is not None and not self._images:
            raise DataError(self._missing + besides)


def _wanted(image: Path, masks: Path) -> str:
    return f"{image.stem}_mask.png or {image.stem}.png in {masks}"


def _missing(image: Path, wanted: str) -> str:
    return f"{image}: no mask {wanted}; restore the mask or remove the image"


def mask_file(masks: Path, image: Path) -> Path:
    """The mask of `image` in `masks`, as `MaskFiles.of` looks for it. Raises DataError where there is none."""
    return MaskFiles().needed(image, masks)
