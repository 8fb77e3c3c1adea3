"""Whether names or likeness suggest that photos belong together, as those of one sheet or batch do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scipy.cluster.hierarchy import DisjointSet

from radar.config.schema import DatasetConfig
from radar.data.decoding import FloatArray
from radar.data.hashes import content_hashes
from radar.data.layouts import layout_of
from radar.data.layouts.folder import FolderSettings, check_pattern, named_together, one_spelling
from radar.data.layouts.layout import Entry, Layout
from radar.data.near_duplicates import ThumbnailVectors, near_pairs, unit_vectors
from radar.data.sample import Sample
from radar.data.split_rules import BY_LIKENESS, split_entries
from radar.errors import DataError
from radar.files import resolved
from radar.progress import Report
from radar.runtime.crops import file_and_crop

_BEFORE_NUMBER = r"^.+(?=[_-]\d+\.\w+$)"  # of sheet7_003.png it finds sheet7
_LEAST_TRAINED = 0.4  # of the normals, which a grouping must leave to be learnt from
_LEAST_NAMED = 0.25  # of the photos: fewer whose names end with a number are called so by chance
_ONE_BY_ONE = {"split": "random"}
_LEAST_GROUPS = 3  # of normals: to learn from, to hold out, to test with


@dataclass(frozen=True)
class Grouping:
    """Values of keys below `dataset`, and why, in one line."""

    values: Mapping[str, str]
    told: str


@dataclass(frozen=True)
class PhotoGroups:
    """Of N photos the groups (N,), and by what they are known, in words."""

    names: tuple[str, ...]
    known_by: str


def photo_groups(
    layout: Layout,
    paths: Sequence[Path],
    thumbnails: Sequence[FloatArray | None],
    recorded: Sequence[Collection[str]],
    pattern: str,
) -> PhotoGroups:
    """Which photos (N,) of normal parts belong together, wherever they lie.

    `pattern` is a regular expression of which equal findings in names tell it; `none`: each photo stands alone; `auto`: as names told
    it of the images of `layout` and, where those told nothing, as names do in which a number comes last. There photos of one of the
    groups that a run `recorded` of each (N,) belong together whatever they are called. Where likeness joined those images, it does
    here, by thumbnails (N,), None of a photo that was not read, which likeness joins with no other.
    """
    if pattern == "none":
        return PhotoGroups(_apart([None] * len(paths)), "each photo by itself")
    if pattern != "auto":
        check_pattern("group", pattern, [one_spelling(file_and_crop(path)[0]) for path in paths])
        names = _apart(named_together(path, pattern) for path in paths)
        return PhotoGroups(_joined(names, _of_one_file(paths)), f"names, by {pattern}")
    names, known_by = _apart(layout.groups_of(paths)), "names, as those of the images that were learnt from"
    if len(set(names)) == len(names):
        by_number = [named_together(path, _BEFORE_NUMBER) for path in paths]
        numbered = Counter(group for group in by_number if group is not None)
        if len(numbered) >= _LEAST_GROUPS and _shared(numbered, len(paths)):
            names, known_by = _apart(by_number), "names, which end with a number"
    names = _joined(names, _of_one_file(paths))
    if (by_record := _joined(names, _of_one_record(recorded))) != names:
        names, known_by = by_record, f"{known_by}, and the run's manifest"
    seen = {place: each for place, each in enumerate(thumbnails) if each is not None}
    if layout.config.split not in BY_LIKENESS or not seen:
        return PhotoGroups(names, known_by)
    places, pairs = list(seen), near_pairs(unit_vectors(seen.values()))
    joined = _joined(names, [(places[first], places[second]) for first, second, _ in pairs])
    return PhotoGroups(joined, known_by if joined == names else f"{known_by}, and likeness")


def _apart(groups: Iterable[str | Path | None]) -> tuple[str, ...]:
    """Names of groups, a photo of which nothing is known being one of its own, whatever it is called."""
    return tuple(f"photo {place}" if group is None else str(group) for place, group in enumerate(groups))


def _of_one_file(paths: Sequence[Path]) -> list[tuple[int, int]]:
    """Places of photos that are a file and crops of it, or crops of one, each beside the first.

    Whole files of one name are several that followed each other there, as of a camera.
    """
    files, first = [resolved(file_and_crop(path)[0]) for path in paths], dict[Path, int]()
    cropped = {file for path, file in zip(paths, files, strict=True) if file_and_crop(path)[1] is not None}
    return [(first.setdefault(file, place), place) for place, file in enumerate(files) if file in cropped]


def _of_one_record(recorded: Sequence[Collection[str]]) -> list[tuple[int, int]]:
    """Places of photos of one recorded group, each beside the first."""
    first = dict[str, int]()
    return [(first.setdefault(group, place), place) for place, groups in enumerate(recorded) for group in groups]


def _joined(names: Sequence[str], pairs: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """The group of each, where those of a pair are one."""
    sets = DisjointSet(names)
    for first, second in pairs:
        sets.merge(names[first], names[second])
    return tuple(sets[name] for name in names)


def safer_grouping(config: DatasetConfig, progress: Report | None) -> Grouping:
    """The grouping of a folder's photos that keeps the most together and can still be divided. Raises `DataError`."""
    layout = layout_of(config)
    entries = layout.entries()
    normals = sum(entry.label == 0 for entry in entries)
    if normals < _LEAST_GROUPS:
        few = "1 good photo is" if normals == 1 else f"{normals} good photos are"
        return Grouping(_ONE_BY_ONE, f"{few} too few to tell sheets or batches by")
    hashes = content_hashes(layout, [entry.path for entry in entries], progress)
    vectors = ThumbnailVectors(layout, progress)

    def changed(values: Mapping[str, str]) -> DatasetConfig:
        settings = replace(config.settings, group=values.get("folder.group"))
        return replace(config, settings=settings, split=values["split"])

    def split(values: Mapping[str, str]) -> tuple[Sample, ...]:
        try:
            return split_entries(layout_of(changed(values)).entries(), changed(values), hashes, vectors)
        except DataError:  # one group of normals alone
            return ()

    by_name = {"folder.group": _BEFORE_NUMBER, "split": "grouped"}
    names, photos = _named_groups(layout_of(changed(by_name)).entries())
    shown = ", ".join(name.rpartition("/")[2] for name in names[:2])
    suggested = f"names{photos} suggest {len(names)} sheets or batches ({shown}, …)"
    if len(names) >= _LEAST_GROUPS and _is_divided(split(by_name)):
        return Grouping(by_name, f"{suggested}: each stays on one side of the split")
    by_name_apart = {"folder.group": _apart_before_number(config.settings), "split": "grouped"}
    if len(names) >= _LEAST_GROUPS and _is_divided(split(by_name_apart)):
        return Grouping(
            by_name_apart,
            f"{suggested}: the good photos of each stay on one side of the split; defective ones are tested where good ones of theirs "
            "were learnt from, too, as too few sheets or batches have none",
        )
    by_likeness = {"split": "grouped"}
    samples = split(by_likeness)
    joined = len(samples) - len({sample.group for sample in samples})
    if joined and _is_divided(samples):
        return Grouping(by_likeness, "some photos are nearly the same: those stay on one side of the split")
    told = "neither names nor likeness suggest sheets or batches: photos are split one by one"
    if joined or not samples:
        told = (
            "photos are too alike to be told apart as sheets or batches, so they are split one by one, and new ones may fare worse "
            "than those of the test: name sheets with dataset.folder.group="
        )
    elif names:
        told = (
            f"{suggested}, too few for each side of the split to have its own: photos are split one by one, and those of new ones may "
            "fare worse than those of the test"
        )
    # raises where they cannot be divided, before a word of how they are
    split_entries(entries, changed(_ONE_BY_ONE), hashes, vectors)
    return Grouping(_ONE_BY_ONE, told)


def _apart_before_number(settings: FolderSettings) -> str:
    """Of good/sheet7_003.png and bad/dent/sheet7_004.png it finds sheet7 and bad/sheet7: photos of two labels share none."""
    named = settings.anomalous not in (None, ".")
    label, folder = ("bad", settings.anomalous) if named else ("good", settings.normal)
    return rf"^(?:(?P<{label}>{re.escape(str(folder))})/)?(?:.*/)?(?P<sheet>[^/]+)(?=[_-]\d+\.\w+$)"


def _named_groups(entries: Sequence[Entry]) -> tuple[list[str], str]:
    """The groups of normals, where names tell of several and several photos share one, and of how many photos where not of all;
    none where they do not.

    A photo whose name tells of none is its own group, and says nothing of what the others' names tell.
    """
    normals = [entry for entry in entries if entry.label == 0]
    photos = Counter(entry.group for entry in normals if entry.group != entry.path)
    # of two names, a photo that stands alone is rather called otherwise than of another sheet
    several = len(photos) >= _LEAST_GROUPS or (len(photos) > 1 and min(photos.values()) > 1)
    if not several or not _shared(photos, len(normals)):
        return [], ""
    return sorted(photos), "" if photos.total() == len(
        normals
    ) else f" of {photos.total()} of {len(normals)} good photos"


def _shared(groups: Counter[Any], photos: int) -> bool:
    """Whether names, each of which so many photos share, put no small part of all photos together, two and more."""
    return sum(count for count in groups.values() if count > 1) >= _LEAST_NAMED * photos


def _is_divided(samples: Sequence[Sample]) -> bool:
    """Whether enough normals are left to learn from, and some to hold out and to test with."""
    splits = [sample.split for sample in samples if sample.label == 0]
    enough = splits.count("train") >= _LEAST_TRAINED * len(splits)
    return enough and splits.count("validation") >= 2 and splits.count("test") >= 1
