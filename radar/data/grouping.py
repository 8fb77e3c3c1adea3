"""Whether names or likeness suggest that photos of a folder belong together, as those of one sheet or batch do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from radar.config.schema import DatasetConfig
from radar.data.hashes import content_hashes
from radar.data.layouts import layout_of
from radar.data.layouts.layout import Entry
from radar.data.near_duplicates import ThumbnailVectors
from radar.data.sample import Sample
from radar.data.split_rules import split_entries
from radar.errors import DataError
from radar.progress import Report

_BEFORE_NUMBER = r"^.+(?=[_-]\d+\.\w+$)"  # of sheet7_003.png it finds sheet7
_LEAST_TRAINED = 0.4  # of the normals, which a grouping must leave to be learnt from
_LEAST_GROUPS = 3  # of normals: to learn from, to hold out, to test with


@dataclass(frozen=True)
class Grouping:
    """Values of keys below `dataset`, and why, in one line."""

    values: Mapping[str, str]
    told: str


def safer_grouping(config: DatasetConfig, progress: Report | None) -> Grouping:
    """The grouping of a folder's photos that keeps the most together and can still be divided. Raises `DataError`."""
    layout = layout_of(config)
    paths = [entry.path for entry in layout.entries()]
    hashes, vectors = content_hashes(layout, paths, progress), ThumbnailVectors(layout, progress)

    def changed(values: Mapping[str, str]) -> DatasetConfig:
        settings = replace(config.settings, group=values.get("folder.group"))
        return replace(config, settings=settings, split=values["split"])

    def split(values: Mapping[str, str]) -> tuple[Sample, ...]:
        try:
            return split_entries(layout_of(changed(values)).entries(), changed(values), hashes, vectors)
        except DataError:  # one group of normals alone
            return ()

    by_name = {"folder.group": _BEFORE_NUMBER, "split": "grouped"}
    if (names := _named_groups(layout_of(changed(by_name)).entries())) and _is_divided(split(by_name)):
        shown = ", ".join(name.rpartition("/")[2] for name in names[:2])
        return Grouping(
            by_name, f"names suggest {len(names)} sheets or batches ({shown}, …): each stays on one side of the split"
        )
    by_likeness = {"split": "grouped"}
    samples = split(by_likeness)
    joined = len(samples) - len({sample.group for sample in samples})
    if joined and _is_divided(samples):
        return Grouping(by_likeness, "some photos are nearly the same: those stay on one side of the split")
    if joined or not samples:
        return Grouping(
            {"split": "random"},
            "photos are too alike to be told apart as sheets or batches, so they are split one by one, and new ones may fare worse "
            "than those of the test: name sheets with dataset.folder.group=",
        )
    return Grouping(
        {"split": "random"}, "neither names nor likeness suggest sheets or batches: photos are split one by one"
    )


def _named_groups(entries: Sequence[Entry]) -> list[str]:
    """The groups of normals, where names tell of enough of them and several photos share one; none where they do not."""
    normals = [entry for entry in entries if entry.label == 0]
    groups = sorted({entry.group for entry in normals})
    return groups if _LEAST_GROUPS <= len(groups) <= len(normals) / 2 else []


def _is_divided(samples: Sequence[Sample]) -> bool:
    """Whether enough normals are left to learn from, and some to hold out and to test with."""
    splits = [sample.split for sample in samples if sample.label == 0]
    enough = splits.count("train") >= _LEAST_TRAINED * len(splits)
    return enough and splits.count("validation") >= 2 and splits.count("test") >= 1
