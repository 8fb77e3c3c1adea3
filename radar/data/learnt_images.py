"""The images that a run has recorded, and which photos show them.

Neither a threshold nor a figure may come of those that its model has learnt from, and those of one group count once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from radar.config.schema import DatasetConfig
from radar.data.decoding import array_hash
from radar.data.file_reader import FileReader
from radar.data.layouts import LAYOUTS
from radar.data.layouts.files import FilesLayout
from radar.data.sample import Sample
from radar.data.split_manifests import known_groups
from radar.errors import DataError
from radar.runtime.crops import Crop, file_and_crop


@dataclass(frozen=True)
class RecordedImages:
    """Images of a run's manifest, and which photos show them."""

    identities: frozenset[str]  # content hashes, as manifests have them
    crops: Mapping[str, tuple[Crop, ...]]  # of files, by their names without folders
    are_drawn: bool  # no files: they are identified by their pixels

    @classmethod
    def of(cls, samples: Iterable[Sample], layout: str) -> Self:
        """Those of `samples`; `layout` is the name of that of their data set."""
        crops: dict[str, list[Crop]] = defaultdict(list)
        identities = set()
        for sample in samples:
            identities.add(sample.content_hash)
            file, crop = file_and_crop(PurePosixPath(sample.path))
            if crop is not None:
                crops[file.name].append(crop)
        return cls(
            frozenset(identities),
            {name: tuple(of) for name, of in crops.items()},
            are_drawn=not issubclass(LAYOUTS.get(layout), FilesLayout),
        )

    def shown_by(self, path: Path, files: FileReader) -> Iterator[str]:
        """The identities of images that a photo shows, being a crop of one, or holding a crop of them, in part at least, or having the
        pixels of a crop or a drawn one.

        The photo itself is known by its own identity. What it may be a part of, or hold, is read by `files`; a crop of a file that is
        called otherwise now is not recognised.
        """
        if self.are_drawn or self.crops:
            yield from self._known(_pixels_identity(files, path))
        file, crop = file_and_crop(path)
        others = [
            file.with_name(each.named(file.name))
            for each in self.crops.get(file.name, ())
            if crop is None or crop.overlaps(each)
        ]
        for each in (*others, *([] if crop is None else [file])):
            yield from self._known(files.known_hash(each))

    def has(self, path: Path, identity: str, files: FileReader) -> bool:
        """Whether a photo of this `identity` is one of them, or has the pixels of a drawn one."""
        known = identity in self.identities
        return known or (self.are_drawn and _pixels_identity(files, path) in self.identities)

    def _known(self, identity: str | None) -> Iterator[str]:
        if identity is not None and identity in self.identities:
            yield identity


class LearntImages(RecordedImages):
    """What the network, the densities or the detector had learnt from."""

    @classmethod
    def of(cls, samples: Iterable[Sample], layout: str) -> Self:
        """Those of a run's manifest that are not for its test."""
        return super().of([sample for sample in samples if sample.split != "test"], layout)

    def shown_in(self, path: Path, files: FileReader) -> bool:
        """Whether a photo shows one of them."""
        return any(True for _ in self.shown_by(path, files))


@dataclass(frozen=True)
class RecordedGroups:
    """The groups that a run counted the images of its manifest in."""

    images: RecordedImages
    groups: Mapping[str, str]  # by content hash
    learnt: frozenset[str]  # those of which an image was learnt from, or held out

    @staticmethod
    def of(samples: Sequence[Sample], dataset: DatasetConfig) -> RecordedGroups:
        """Those of all splits of a run on `dataset`."""
        hashes = [sample.content_hash for sample in samples]
        own = [sample.group for sample in samples]
        groups = known_groups(dataset.layout, dataset.category, hashes, own)
        learnt = frozenset(group for sample, group in zip(samples, groups, strict=True) if sample.split != "test")
        return RecordedGroups(
            RecordedImages.of(samples, dataset.layout), dict(zip(hashes, groups, strict=True)), learnt
        )

    def of_photo(self, path: Path, identity: str, files: FileReader) -> frozenset[str]:
        """Those of the images that a photo of this `identity` is or shows; several where it holds crops of several."""
        shown = (identity, *self.images.shown_by(path, files))
        return frozenset(self.groups[each] for each in shown if each in self.groups)


def _pixels_identity(files: FileReader, path: Path) -> str | None:
    """None where there is no such image."""
    try:
        return array_hash(files.pixels(path).values)
    except (DataError, OSError, ValueError):  # a review may name anything
        return None
