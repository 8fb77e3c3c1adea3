"""What a layout is: which images a data set has, how they and their masks are read, and where it is to be had."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import NoneType
from typing import ClassVar

from radar.config.schema import DatasetConfig
from radar.data.decoding import BoolArray, Pixels
from radar.data.file_reader import FileReader
from radar.data.sample import Split
from radar.errors import ConfigError
from radar.files import resolved
from radar.runtime.crops import file_and_crop

WITHOUT_GROUPS = ("random", "literature")  # ways to split that keep only identical files together


@dataclass(frozen=True, slots=True)
class PublicSource:
    """Where a public set is to be had; `url` is None where the publisher asks for consent on a page first."""

    name: str  # of its folder below `data_root`
    page: str
    url: str | None
    sha256: str | None  # None: the publisher states none, and an archive made on demand need not be stable
    landmark: str  # glob, in the unpacked archive, of a folder whose parent is the data set's root
    terms: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One image before it is split; paths are POSIX and relative to the data set's folder."""

    path: str
    label: int  # 0 normal, 1 anomalous
    defect: str  # "good" for normals
    mask: str | None
    group: str  # what names alone tell about images that belong together; the split may join groups further
    official: Split | None  # train or test, where the layout says so


class Layout(ABC):
    """A data set as it lies somewhere. Made of its config without reading anything; images go by their manifest paths.

    For one of your own, see `radar.data.layouts.files.FilesLayout`: it leaves only `find` to be written.
    """

    name: ClassVar[str]
    Settings: ClassVar[type | None] = None  # dataclass of the section `dataset.NAME`; None: there is none
    official_split: ClassVar[bool] = False  # whether every entry has `official`
    public: ClassVar[PublicSource | None] = None

    settings: object  # a subclass with Settings declares it as such

    def __init__(self, config: DatasetConfig) -> None:
        if not isinstance(config.settings, self.Settings or NoneType):
            raise ConfigError(
                f"dataset.{self.name}: layout {self.name} needs this section; choose a preset that has it"
            )
        self.config = config
        self.settings = config.settings

    @property
    def side(self) -> int | None:
        """Side in px of its images, where they are square and it is known without reading one."""
        return None

    @property
    def is_published(self) -> bool:
        """Whether what it reads is a public set, of which it is known what lies there."""
        return self.public is not None

    def problems(self) -> Iterator[str]:
        """What its config lacks, one line each that names the key and the fix."""
        if self.config.split == "official" and self.config.manifest is None and not self.official_split:
            yield (
                f"dataset.split=official: layout {self.name} has no split of its own; "
                "choose grouped, sheets, literature or random"
            )

    @property
    def files(self) -> FileReader:
        """How a file that is to be judged beside its images is read."""
        return FileReader(megapixels=self.config.megapixels)

    @classmethod
    def named_groups(cls, paths: Sequence[PurePath]) -> list[str | None]:
        """Of images (N,) of one data set, by their paths in it, the groups (N,) that names alone tell, called as in `Entry.group`.

        Crops of one file are a group. None: names tell none. By these, images are counted where a split keeps no groups together.
        """
        return [str(file) if crop is not None else None for file, crop in map(file_and_crop, paths)]

    def groups_of(self, paths: Sequence[Path]) -> list[str | None]:
        """Of image files (N,) anywhere, and of crops, the groups (N,) that names tell, folder by folder, as another folder may call
        other parts alike. None: none.
        """
        named = self.named_groups(paths)
        return [
            None if group is None else str(resolved(path.parent) / group)
            for path, group in zip(paths, named, strict=True)
        ]

    @abstractmethod
    def entries(self) -> tuple[Entry, ...]:
        """Every image, sorted by path, one normal at least. Raises DataError."""

    @abstractmethod
    def content_hash(self, path: str) -> str:
        """SHA-256 that changes with the image."""

    @abstractmethod
    def pixels(self, path: str) -> Pixels:
        """The decoded image."""

    @abstractmethod
    def shape(self, path: str) -> tuple[int, int]:
        """Height and width of the image in px."""

    @abstractmethod
    def mask(self, path: str, mask: str) -> BoolArray:
        """The mask `mask` of the image `path`, (H, W), True on the defect."""

    @abstractmethod
    def mask_hash(self, path: str, mask: str) -> str:
        """SHA-256 that changes with the mask `mask` of the image `path`."""
