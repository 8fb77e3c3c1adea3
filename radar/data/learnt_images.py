"""The images that a model has learnt from, and which photos show them: neither a threshold nor a figure may come of these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from radar.data.decoding import array_hash
from radar.data.file_reader import FileReader
from radar.data.layouts import LAYOUTS
from radar.data.layouts.files import FilesLayout
from radar.data.sample import Sample
from radar.errors import DataError
from radar.runtime.crops import Crop, file_and_crop


@dataclass(frozen=True)
class LearntImages:
    """What the network, the densities or the detector had learnt from."""

    identities: frozenset[str]  # content hashes, as manifests have them
    crops: Mapping[str, tuple[Crop, ...]]  # of files, by their names without folders
    are_drawn: bool  # no files: they are identified by their pixels

    @staticmethod
    def of(samples: Iterable[Sample], layout: str) -> LearntImages:
        """Those of a run's manifest that are not for its test; `layout` is the name of that of its data set."""
        learnt = [sample for sample in samples if sample.split != "test"]
        crops: dict[str, list[Crop]] = defaultdict(list)
        for sample in learnt:
            file, crop = file_and_crop(PurePosixPath(sample.path))
            if crop is not None:
                crops[file.name].append(crop)
        return LearntImages(
            frozenset(sample.content_hash for sample in learnt),
            {name: tuple(of) for name, of in crops.items()},
            are_drawn=not issubclass(LAYOUTS.get(layout), FilesLayout),
        )

    def shown_in(self, path: Path, files: FileReader) -> bool:
        """Whether a photo is a crop of a file that was learnt from, or holds a crop that was, in part at least, or has the pixels of a
        crop or a drawn image that was.

        The photo itself is known by its own identity. What it may be a part of, or hold, is read by `files`; a crop of a file that is
        called otherwise now is not recognised.
        """
        if (self.are_drawn or self.crops) and _pixels_identity(files, path) in self.identities:
            return True
        file, crop = file_and_crop(path)
        others = [
            file.with_name(each.named(file.name))
            for each in self.crops.get(file.name, ())
            if crop is None or crop.overlaps(each)
        ]
        return any(files.known_hash(each) in self.identities for each in (*others, *([] if crop is None else [file])))


def _pixels_identity(files: FileReader, path: Path) -> str | None:
    """None where there is no such image."""
    try:
        return array_hash(files.pixels(path).values)
    except (DataError, OSError, ValueError):  # a review may name anything
        return None
