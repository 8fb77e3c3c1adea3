"""Do images that belong together lie on both sides of a split?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radar.data.decoding import FloatArray
from radar.data.near_duplicates import near_pairs
from radar.data.sample import SPLITS, Sample


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images and the correlation of their thumbnails (1 for identical files)."""

    first: Sample
    second: Sample
    correlation: float

    def __str__(self) -> str:
        return (
            f"{self.first.path} ({self.first.split}) ~ {self.second.path} ({self.second.split}), "
            f"correlation {self.correlation:.3f}"
        )


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What crosses from train or validation into test, and, weaker, from train into validation."""

    groups: tuple[str, ...]  # groups with images in more than one split
    identical: tuple[Pair, ...]  # equal content hash across train|validation and test
    near_duplicates: tuple[Pair, ...]  # across train|validation and test
    validation: tuple[Pair, ...]  # near-duplicates and equal content across train and validation
    # two samples of each file with parts in several splits, one of them of test where one is
    cut_files: tuple[tuple[Sample, Sample], ...]

    @property
    def clean(self) -> bool:
        """Whether nothing crosses at all."""
        return not (self.groups or self.identical or self.near_duplicates or self.validation or self.cut_files)


def find_leaks(samples: Sequence[Sample], vectors: FloatArray | None, cut: Mapping[str, str]) -> LeakReport:
    """Check `samples`; `vectors` (N, D) are their `unit_vectors`, None to leave near-duplicates unlooked at, and `cut` their
    `manifest.cut_files`."""
    near, identical = () if vectors is None else _near_duplicates(samples, vectors), _identical(samples)
    known = {frozenset((pair.first.path, pair.second.path)) for pair in identical}
    alike = [pair for pair in near if frozenset((pair.first.path, pair.second.path)) not in known]
    return LeakReport(
        groups=_crossing_groups(samples),
        identical=tuple(pair for pair in identical if _reaches_test(pair)),
        near_duplicates=tuple(pair for pair in near if _reaches_test(pair)),
        validation=tuple(pair for pair in (*identical, *alike) if not _reaches_test(pair)),
        cut_files=_cut_files(samples, cut),
    )


def twice_labelled(samples: Sequence[Sample]) -> tuple[str, ...]:
    """Paths of images whose very content is there as normal and as anomalous."""
    labels: dict[str, set[int]] = defaultdict(set)
    for sample in samples:
        labels[sample.content_hash].add(sample.label)
    return tuple(sample.path for sample in samples if len(labels[sample.content_hash]) > 1)


def _near_duplicates(samples: Sequence[Sample], vectors: FloatArray) -> tuple[Pair, ...]:
    pairs = (Pair(samples[i], samples[j], correlation) for i, j, correlation in near_pairs(vectors))
    return tuple(pair for pair in pairs if pair.first.split != pair.second.split)


def _reaches_test(pair: Pair) -> bool:
    return (pair.first.split == "test") != (pair.second.split == "test")


def _crossing_groups(samples: Sequence[Sample]) -> tuple[str, ...]:
    splits: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        splits[sample.group].add(sample.split)
    return tuple(sorted(group for group, found in splits.items() if len(found) > 1))


def _cut_files(samples: Sequence[Sample], cut: Mapping[str, str]) -> tuple[tuple[Sample, Sample], ...]:
    files: dict[str, dict[str, Sample]] = defaultdict(dict)
    for sample in samples:
        if sample.path in cut:
            files[cut[sample.path]].setdefault(sample.split, sample)
    ordered = ([found[split] for split in SPLITS if split in found] for found in files.values())
    return tuple((found[0], found[-1]) for found in ordered if len(found) > 1)


def _identical(samples: Sequence[Sample]) -> tuple[Pair, ...]:
    """Pairs of equal content in two splits."""
    by_hash: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_hash[sample.content_hash].append(sample)
    pairs = (
        Pair(first, second, 1.0)
        for alike in by_hash.values()
        if len(alike) > 1
        for position, first in enumerate(alike)
        for second in alike[position + 1 :]
    )
    return tuple(pair for pair in pairs if pair.first.split != pair.second.split)
