"""What `radar data` prints and writes: counts, leaks, sizes, and a set exported in the MVTec layout."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radar.data.dataset import Dataset
from radar.data.layouts.mvtec import mvtec_mask_path
from radar.data.manifest import write_manifest
from radar.data.sample import SPLITS, Sample
from radar.data.threads import in_threads
from radar.errors import DataError
from radar.progress import Report


@dataclass(frozen=True, slots=True)
class CountRow:
    """Images of one split and defect: how many, in how many groups, and how many have a mask that marks something."""

    split: str
    label: int
    defect: str
    images: int
    groups: int
    masks: int
    empty_masks: int


def count_rows(dataset: Dataset) -> list[CountRow]:
    """One row per split and defect, normals first. Masks are decoded to find the empty ones."""
    cells: dict[tuple[str, int, str], list[Sample]] = defaultdict(list)
    for sample in dataset.samples:
        cells[sample.split, sample.label, sample.defect].append(sample)
    names: tuple[str, ...] = SPLITS
    order = sorted(cells, key=lambda key: (names.index(key[0]), *key[1:]))
    return [_count_row(dataset, key, cells[key]) for key in order]


def _count_row(dataset: Dataset, key: tuple[str, int, str], samples: list[Sample]) -> CountRow:
    masked = [sample for sample in samples if sample.label == 1 and sample.mask is not None]
    empty = sum(not dataset.mask(sample).any() for sample in masked)
    return CountRow(
        *key,
        images=len(samples),
        groups=len({sample.group for sample in samples}),
        masks=len(masked),
        empty_masks=empty,
    )


def size_rows(dataset: Dataset) -> list[tuple[int, int, int]]:
    """(height, width, images) of every image size in px, the most frequent first."""
    shapes = Counter(dataset.layout.shape(sample.path) for sample in dataset.samples)
    return [
        (height, width, count)
        for (height, width), count in sorted(shapes.items(), key=lambda item: (-item[1], item[0]))
    ]


def leak_rows(dataset: Dataset) -> list[tuple[str, str]]:
    """(kind, what) of everything that crosses between splits; empty for a clean split."""
    leaks = dataset.leaks
    return [
        *(("group in several splits", group) for group in leaks.groups),
        *(("identical files into test", str(pair)) for pair in leaks.identical),
        *(("near-duplicates into test", str(pair)) for pair in leaks.near_duplicates),
        *(("near-duplicates into validation", str(pair)) for pair in leaks.validation),
    ]


def check_images(dataset: Dataset, progress: Report | None = None) -> int:
    """Decode every image and mask; returns how many images. Raises DataError for the first that is broken."""
    for start in range(0, len(dataset.samples), 256):  # a large set need not fit into memory at once
        dataset.load(dataset.samples[start : start + 256])
        if progress is not None:
            progress(min(start + 256, len(dataset.samples)), len(dataset.samples), "checking")
    in_threads(
        dataset.mask,
        [sample for sample in dataset.samples if sample.mask is not None and sample.label == 1],
        "checking masks",
        progress,
    )
    return len(dataset.samples)


def write_mvtec(dataset: Dataset, folder: Path, progress: Report | None = None) -> int:
    """Export as PNG in the MVTec layout, validation back in train, with `split.csv` beside it; returns how many images.

    Pixels are the files' own, neither resized nor reduced to grey. Raises DataError if `folder` holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder}: is not empty; give a folder of its own")
    names = _mvtec_names(dataset.samples)
    written = in_threads(
        lambda sample: _write_sample(dataset, sample, names[sample.path], folder), dataset.samples, "writing", progress
    )
    write_manifest(written, folder / "split.csv")
    return len(written)


def _mvtec_names(samples: Sequence[Sample]) -> dict[str, str]:
    """Path to path in the MVTec layout: by the file's stem, or by the whole path where two would share a name."""

    def name(sample: Sample, stem: str) -> str:
        part = "test" if sample.split == "test" else "train"
        return f"{part}/{sample.defect}/{stem}.png"

    short = {sample.path: name(sample, PurePosixPath(sample.path).stem) for sample in samples}
    times = Counter(short.values())
    return {
        sample.path: short[sample.path]
        if times[short[sample.path]] == 1
        else name(sample, sample.path.replace("/", "_"))
        for sample in samples
    }


def _write_sample(dataset: Dataset, sample: Sample, name: str, folder: Path) -> Sample:
    """Write an image and its mask; the sample as it is now."""
    _write_png(dataset.layout.pixels(sample.path).values, folder / name)
    mask = None
    if sample.label == 1 and sample.mask is not None:
        mask = mvtec_mask_path(name)
        _write_png(np.where(dataset.layout.mask(sample.path, sample.mask), 255, 0).astype(np.uint8), folder / mask)
    content_hash = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return replace(sample, path=name, mask=mask, content_hash=content_hash)


def _write_png(values: NDArray[np.uint8] | NDArray[np.uint16], path: Path) -> None:
    if values.dtype == np.uint16 and values.ndim == 3:
        raise DataError(f"{path}: 16-bit colour cannot be written as PNG here; copy the original files instead")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
