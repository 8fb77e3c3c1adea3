"""The images that a model has learnt from, and which photos show them: a threshold must not come of these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from radar.data.file_reader import FileReader
from radar.data.manifest import read_manifest
from radar.errors import DataError
from radar.model_folder import FOLDER
from radar.runtime.crops import Crop, file_and_crop

_MANIFEST = "manifest.csv"  # of a run directory, above its model


@dataclass(frozen=True)
class LearntImages:
    """What the network, the densities or the detector had learnt from."""

    identities: frozenset[str]  # content hashes, as manifests have them
    crops: Mapping[str, tuple[Crop, ...]]  # of files, by their names without folders

    def shown_in(self, path: Path, files: FileReader) -> bool:
        """Whether a photo is a crop of a file that was learnt from, or holds a crop that was, in part at least.

        The photo itself is known by its own identity. What it may be a part of, or hold, is read by `files`; a crop of a file that is
        called otherwise now is not recognised.
        """
        file, crop = file_and_crop(path)
        others = [
            file.with_name(each.named(file.name))
            for each in self.crops.get(file.name, ())
            if crop is None or crop.overlaps(each)
        ]
        return any(_identity(files, each) in self.identities for each in (*others, *([] if crop is None else [file])))


def learnt_images(run_or_folder: Path) -> LearntImages | None:
    """Those of a run, or of a model's folder; None where no list of them is there.

    The list is the run directory's manifest; a model's folder that was copied alone has none. Raises `DataError` for a damaged one.
    """
    here = run_or_folder.resolve()
    run = here.parent if here.name == FOLDER else here
    if not (run / _MANIFEST).is_file():
        return None
    samples = [sample for sample in read_manifest(run / _MANIFEST) if sample.split != "test"]
    crops: dict[str, list[Crop]] = defaultdict(list)
    for sample in samples:
        file, crop = file_and_crop(PurePosixPath(sample.path))
        if crop is not None:
            crops[file.name].append(crop)
    return LearntImages(
        frozenset(sample.content_hash for sample in samples), {name: tuple(of) for name, of in crops.items()}
    )


def _identity(files: FileReader, path: Path) -> str | None:
    """None where there is no such image."""
    try:
        return files.content_hash(path)
    except (DataError, OSError, ValueError):  # a review may name anything
        return None
