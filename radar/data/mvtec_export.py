"""A data set exported in the MVTec layout."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radar.data.dataset import Dataset
from radar.data.layouts.files import is_litter
from radar.data.layouts.mvtec import mvtec_mask_path
from radar.data.manifest import write_manifest
from radar.data.sample import Sample
from radar.data.threads import in_threads
from radar.errors import DataError
from radar.files import locked, make_folder, sha256, write_atomically, writing
from radar.progress import Report
from radar.runtime.crops import stem
from radar.runtime.file_names import file_name, output_name
from radar.runtime.terminal import tell


def write_mvtec(dataset: Dataset, folder: Path, progress: Report | None = None) -> int:
    """Export as PNG in the MVTec layout, validation back in train, with `split.csv` beside it; returns how many images.

    Pixels are the files' own, neither resized nor reduced to grey. `folder` is there when all is written. Raises DataError if it holds
    something, and for names that would not be read again.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder}: is not empty; give a folder of its own")
    folder = folder.resolve()
    names, part = _mvtec_names(dataset.samples), folder.with_name(f".{folder.name}.part")
    with _alone(folder):
        if part.is_symlink():
            with writing(folder):
                part.unlink()
        shutil.rmtree(part, ignore_errors=True)  # what an attempt left that was killed
        with _whole_or_removed(part):
            written = in_threads(
                lambda sample: _write_sample(dataset, sample, names[sample.path], part),
                dataset.samples,
                "writing",
                progress,
            )
            write_manifest(written, part / "split.csv")
            with writing(folder):
                part.rename(folder)
    return len(written)


@contextmanager
def _whole_or_removed(part: Path) -> Iterator[None]:
    """Remove what was written of a folder where the rest cannot be, as on a full disk, and say where that fails, too."""
    try:
        yield
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        if part.exists():
            tell(f"note: {part}: is half written and cannot be removed; remove it")
        raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Inside, no other process writes `folder`. Raises DataError where one does."""
    make_folder(folder.parent)
    lock = folder.with_name(f".{folder.name}.lock")
    try:
        with locked(lock, wait=False):
            try:
                yield
            finally:
                with suppress(OSError):
                    lock.unlink()
    except BlockingIOError:
        raise DataError(f"{folder}: another process is writing it; wait for that one") from None


def _mvtec_names(samples: Sequence[Sample]) -> dict[str, str]:
    """Path to path in the MVTec layout: by the image's stem, or with its folders where two would share a name."""

    def name(sample: Sample, base: str) -> str:
        part = "test" if sample.split == "test" else "train"
        return f"{part}/{file_name(sample.defect)}/{file_name(base)}.png"

    short = {sample.path: name(sample, stem(PurePosixPath(sample.path))) for sample in samples}
    times = Counter(path.casefold() for path in short.values())  # many file systems know no case
    long = {sample.path: name(sample, output_name(PurePosixPath(sample.path))) for sample in samples}
    names = {path: short[path] if times[short[path].casefold()] == 1 else long[path] for path in short}
    for path, written in names.items():
        if lost := next(filter(is_litter, PurePosixPath(written).parts), None):
            raise DataError(
                f"{path}: would be written as {written}, and whoever reads a folder passes over {lost}, as over what systems leave "
                "there; give the defect or the image another name"
            )
    return names


def _write_sample(dataset: Dataset, sample: Sample, name: str, folder: Path) -> Sample:
    """Write an image and its mask; the sample as it is now."""
    _write_png(dataset.layout.pixels(sample.path).values, folder / name)
    mask = None
    if sample.label == 1 and sample.mask is not None:
        mask = mvtec_mask_path(name)
        _write_png(np.where(dataset.layout.mask(sample.path, sample.mask), 255, 0).astype(np.uint8), folder / mask)
    content_hash = sha256(folder / name)
    return replace(sample, path=name, mask=mask, content_hash=content_hash)


def _write_png(values: NDArray[np.uint8] | NDArray[np.uint16], path: Path) -> None:
    if values.dtype == np.uint16 and values.ndim == 3:
        raise DataError(f"{path}: 16-bit colour cannot be written as PNG here; copy the original files instead")
    make_folder(path.parent)
    write_atomically(path, lambda file: Image.fromarray(values).save(file, "PNG"))
