"""What `radar data check` says of a data set: counts, sizes and leaks; see `radar.data.inspection`, too."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from radar.data.dataset import Dataset
from radar.data.sample import SPLITS, Sample


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
    return [_count_row(dataset, key, cells[key]) for split in SPLITS for key in sorted(cells) if key[0] == split]


def _count_row(dataset: Dataset, key: tuple[str, int, str], samples: list[Sample]) -> CountRow:
    masks = [dataset.whole_mask(sample) for sample in samples if sample.masked]
    groups = {sample.group for sample in samples}
    return CountRow(*key, len(samples), len(groups), len(masks), sum(not mask.any() for mask in masks))


def size_rows(dataset: Dataset) -> list[tuple[int, int, int]]:
    """(height, width, images) of every image size in px, the most frequent first."""
    shapes = Counter(dataset.layout.shape(sample.path) for sample in dataset.samples)
    return [(*shape, count) for shape, count in sorted(shapes.items(), key=lambda item: (-item[1], item[0]))]
