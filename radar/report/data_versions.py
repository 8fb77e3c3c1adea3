"""Versions of a data set's data: which most runs read, and which of a method's runs are of one version."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from radar.report.result import Result
from radar.report.settings import changes


class DataVersion(NamedTuple):
    """Digits of test images with their labels, of their masks (None where no run tells those), and of all the data."""

    images: str
    masks: str | None
    data: str

    def is_tested(self, result: Result) -> bool:
        """Whether the run was tested on these images, and these masks as far as both tell."""
        return result.test_data == self.images and (None in (self.masks, result.masks) or result.masks == self.masks)


def most_read_versions(results: Sequence[Result]) -> dict[str, DataVersion]:
    """By data set what most runs on it read: of equally many test data the later, of equally many data those of a run for which least
    was typed, else the later. So a study of how many images are needed is measured against the whole of them."""
    by_set: dict[str, list[Result]] = defaultdict(list)
    for result in _latest_first(results):
        by_set[result.dataset].append(result)
    return {dataset: _most_read(members) for dataset, members in by_set.items()}


def on_one_version(group: Sequence[Result], most_read: DataVersion) -> tuple[Result, ...]:
    """The group's runs on one version of the data, one for each seed: the latest.

    They are tested on what most runs of the data set were tested on, where any is. Of those, they are of the data that most read; of
    equally many, of that which most runs of the data set read, else of the later.
    """
    latest_first = _latest_first(group)
    tested = most_read if any(most_read.is_tested(result) for result in group) else _most_read(latest_first)
    counts = Counter(each.data for each in latest_first if tested.is_tested(each))
    data = max(counts, key=lambda data: (counts[data], data == most_read.data))
    same = [each for each in group if tested.is_tested(each) and each.data == data]
    latest = {result.seed: result for result in sorted(same, key=lambda each: each.ended)}
    return tuple(latest[seed] for seed in sorted(latest))


def of_same_data(one: Result, other: Result) -> bool:
    """Whether two runs read the same images, learnt from and tested on, and the same masks as far as both tell."""
    same = (one.test_data, one.data) == (other.test_data, other.data)
    return same and (None in (one.masks, other.masks) or one.masks == other.masks)


def _latest_first(results: Sequence[Result]) -> list[Result]:
    return sorted(results, key=lambda each: each.ended, reverse=True)


def _most_read(latest_first: Sequence[Result]) -> DataVersion:
    """The test data that most of these results were tested on, and the data that most of those read, as said above."""
    images = Counter(each.test_data for each in latest_first).most_common(1)[0][0]
    masks = Counter(each.masks for each in latest_first if each.test_data == images and each.masks is not None)
    tested = DataVersion(images, masks.most_common(1)[0][0] if masks else None, "")
    same = [each for each in latest_first if tested.is_tested(each)]
    counts = Counter(each.data for each in same)
    typed = {data: min(len(changes(each)) for each in same if each.data == data) for data in counts}
    return tested._replace(data=max(counts, key=lambda data: (counts[data], -typed[data])))
