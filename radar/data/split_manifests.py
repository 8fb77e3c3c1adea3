"""The split manifests that travel with radar, for the public data sets as published.

`manifests/index.json` says for which layout, settings, category, rule, seed and fractions each was made. It is used when the
config asks for just those and the folder holds just its images; otherwise the rule is applied afresh.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from radar.config.schema import DatasetConfig
from radar.data.layouts import LAYOUTS
from radar.data.layouts.layout import WITHOUT_GROUPS, Entry
from radar.data.manifest import read_manifest
from radar.data.sample import Sample
from radar.runtime.crops import file_and_crop

MANIFESTS = Path(__file__).parent / "manifests"


@dataclass(frozen=True, slots=True)
class SplitManifest:
    """One line of the index: how the manifest `name` was made."""

    name: str
    folder: str  # root below the data root, as in `conf/dataset`
    layout: str
    category: str | None
    split: str
    split_seed: int
    validation_fraction: float
    test_fraction: float
    settings: dict[str, Any] | None  # of the layout, where it has any

    @property
    def path(self) -> Path:
        """The manifest's file."""
        return MANIFESTS / f"{self.name}.csv"

    def applies(self, config: DatasetConfig) -> bool:
        """Whether `config` asks for this split."""
        keys = ["layout", "category", "split", "split_seed", "validation_fraction"]
        if self.split != "official":
            keys.append("test_fraction")
        own = None if config.settings is None else asdict(config.settings)
        return own == self.settings and all(getattr(self, key) == getattr(config, key) for key in keys)


def split_manifests() -> tuple[SplitManifest, ...]:
    """All of them, in the order of the index."""
    lines: list[dict[str, Any]] = json.loads((MANIFESTS / "index.json").read_text(encoding="utf-8"))
    return tuple(SplitManifest(**{"settings": None, **line}) for line in lines)


def known_groups(layout: str, category: str | None, content_hashes: Sequence[str], groups: Sequence[str]) -> list[str]:
    """The groups (N,) that statistics resample, of images with the first digits of their `content_hashes` (N,) and their `groups` (N,)
    in their split.

    Groups of which one has different images are told, by a rule or a manifest of one's own. A random split tells none, as they would
    cross into test, and calls each by the path of its first image, wherever it was written down; that images show the same part is no
    less true. So there they are those of a manifest of this layout and category that comes with radar, where one holds the image, by
    its content or else its file's name, as of a copy of another size; else what the layout tells by names.
    """
    if len(set(groups)) < len(set(content_hashes)):
        return list(groups)
    paths = [PurePosixPath(group) for group in groups]
    recorded, named = _recorded(layout, category, content_hashes, paths), _named(layout, paths)
    # an image that no manifest holds joins those of its name that one does
    called = {
        name: group for name, group in zip(named, recorded, strict=True) if name is not None and group is not None
    }
    return [
        found if found is not None else own if name is None else called.get(name, name)
        for found, name, own in zip(recorded, named, groups, strict=True)
    ]


def _recorded(
    layout: str, category: str | None, content_hashes: Sequence[str], paths: Sequence[PurePosixPath]
) -> list[str | None]:
    """The groups (N,) of the manifests that tell groups; None of an image that none of them holds."""
    rows = _grouped(layout, category)
    digits = len(next(iter(content_hashes), ""))
    by_start = {row.content_hash[:digits]: row.group for row in rows}
    by_file = {_without_ending(PurePosixPath(row.path)): row.group for row in rows}
    return [
        by_start.get(start, by_file.get(_without_ending(path)))
        for start, path in zip(content_hashes, paths, strict=True)
    ]


def _without_ending(path: PurePosixPath) -> PurePosixPath:
    """What a file is called in whatever format it is stored, and each crop of it, as other crops of it show the same part."""
    file = file_and_crop(path)[0]
    return file.parent / file.stem


def _named(layout: str, paths: Sequence[PurePosixPath]) -> list[str | None]:
    """The groups (N,) that a layout tells by names; none of a layout that is not installed where a result of it is read."""
    return LAYOUTS.get(layout).named_groups(paths) if layout in LAYOUTS.names() else [None] * len(paths)


@cache
def _grouped(layout: str, category: str | None) -> tuple[Sample, ...]:
    """The rows of the manifests that tell groups."""
    made = [each for each in split_manifests() if (each.layout, each.category) == (layout, category)]
    return tuple(row for each in made if each.split not in WITHOUT_GROUPS for row in read_manifest(each.path))


def split_by_manifest(
    config: DatasetConfig, entries: Sequence[Entry], hashes: Mapping[str, str]
) -> tuple[tuple[Sample, ...], tuple[str, ...]] | None:
    """Samples and notes by the manifest for `config` and exactly the paths of `entries`; None without one.

    Split and group are the manifest's; hashes, labels, defects and masks are those on disk.
    """
    by_path = {entry.path: entry for entry in entries}
    for manifest in split_manifests():
        if not manifest.applies(config):
            continue
        rows = read_manifest(manifest.path)
        if {row.path for row in rows} == by_path.keys():
            samples = tuple(_on_disk(row, by_path[row.path], hashes) for row in rows)
            return samples, _notes(manifest, rows, hashes)
    return None


def _on_disk(row: Sample, entry: Entry, hashes: Mapping[str, str]) -> Sample:
    return replace(row, content_hash=hashes[row.path], label=entry.label, defect=entry.defect, mask=entry.mask)


def _notes(manifest: SplitManifest, rows: Sequence[Sample], hashes: Mapping[str, str]) -> tuple[str, ...]:
    differing = sum(row.content_hash != hashes[row.path] for row in rows)
    if not differing:
        return ()
    return (
        f"{differing} of {len(rows)} images are not the very files of radar's split manifest {manifest.name} "
        "(another release or a resized copy); its split is kept",
    )
