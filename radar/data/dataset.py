"""One data set, opened: its samples, split and checked, and the way from samples to tensors and masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from radar.config.schema import DatasetConfig, ImageConfig
from radar.data.decoding import BoolArray
from radar.data.hashes import content_hashes, data_hash, mask_hashes, masks_hash
from radar.data.images import Images, load_images
from radar.data.layouts import layout_of
from radar.data.layouts.files import FilesLayout
from radar.data.layouts.folder import FolderLayout, check_pattern
from radar.data.layouts.layout import WITHOUT_GROUPS, Entry, Layout
from radar.data.leaks import LeakReport, find_leaks, twice_labelled
from radar.data.manifest import (
    check_crops,
    check_files,
    check_hashes,
    check_masks,
    check_readable,
    cut_files,
    manifest_hash,
    read_manifest,
    with_copies_joined,
)
from radar.data.near_duplicates import ThumbnailVectors
from radar.data.passed_over import passed_over
from radar.data.preprocessing import frame_of, mask_of_view, visible_mask
from radar.data.sample import Sample, Split
from radar.data.split_manifests import split_by_manifest
from radar.data.split_rules import limit_train, split_entries
from radar.errors import ConfigError, DataError
from radar.files import expanded
from radar.progress import Report


@dataclass(frozen=True, eq=False)
class Dataset:
    """An opened data set; `notes` are one-line remarks for the user that stop nothing."""

    name: str
    samples: tuple[Sample, ...]  # sorted by path
    notes: tuple[str, ...]
    manifest_hash: str
    content_hash: (
        str  # of the manifest and of every mask's content: results on equal hashes, read by one layout, are equal
    )
    masks_hash: str  # of the test images with their labels and masks' content, whatever a layout takes that to mark
    leaks: LeakReport
    image: ImageConfig
    layout: Layout

    def split(self, name: Split) -> tuple[Sample, ...]:
        """The samples of one split."""
        return tuple(sample for sample in self.samples if sample.split == name)

    def read_notes(self) -> tuple[str, ...]:
        """One-line remarks on the files that were decoded so far: what of them was not taken at face value."""
        return self.layout.files.notes()

    def load(self, samples: Sequence[Sample], progress: Report | None = None) -> Images:
        """Decode `samples`. Raises DataError for a broken file."""
        if not samples:
            raise DataError(f"{self.name}: no images to load; the split asked for is empty")
        return load_images(samples, self.layout.pixels, self.layout.shape, self.image, progress)

    def mask(self, sample: Sample) -> BoolArray:
        """The mask, bool (H, W), at its own size, cut to what the model saw, as maps are that were placed on the photo; all False for
        a normal image.

        Raises DataError if an anomalous image has no mask: ask `sample.mask` first.
        """
        mask = self.whole_mask(sample)
        return visible_mask(mask, frame_of(mask.shape[0], mask.shape[1], self.image))

    def mask_of_view(self, sample: Sample) -> BoolArray:
        """The same over the field that the model's picture and its maps have: with `aspect: pad` that is more than the photo.

        It is what is drawn over or beside any of them, stretched to their size.
        """
        mask = self.whole_mask(sample)
        return mask_of_view(mask, frame_of(mask.shape[0], mask.shape[1], self.image))

    def whole_mask(self, sample: Sample) -> BoolArray:
        """The mask of the whole photo, whatever the model saw of it. Raises as `mask` does."""
        if sample.label == 0:
            return np.zeros(self.layout.shape(sample.path), dtype=np.bool_)
        if sample.mask is None:
            raise DataError(f"{self.name}: {sample.path} is anomalous and has no mask; leave it out of pixel metrics")
        return self.layout.mask(sample.path, sample.mask)


def open_dataset(config: DatasetConfig, progress: Report | None = None) -> Dataset:
    """List, hash, split and check a data set; no image is loaded. Raises DataError or ConfigError."""
    layout = layout_of(config)
    vectors = ThumbnailVectors(layout, progress)
    no_notes: tuple[str, ...] = ()
    if config.manifest is not None:
        samples, notes = _by_own_manifest(Path(expanded(config.manifest)), layout, progress), no_notes
    else:
        samples, notes = _by_rule(layout, vectors, progress)
    samples = limit_train(samples, config)
    if not any(sample.split == "train" for sample in samples):
        raise DataError(f"{config.name}: no training images; check the manifest or dataset.split")
    compare = config.near_duplicates != "ignore"
    masks = mask_hashes(layout, samples)
    labels = _judge_labels(samples, config)
    cut = cut_files(samples, layout.folder if isinstance(layout, FilesLayout) else None)
    leaks = find_leaks(samples, vectors([sample.path for sample in samples]) if compare else None, cut)
    return Dataset(
        config.name,
        samples,
        (*notes, *labels, *_judge_leaks(leaks, config), *_without_masks(samples)),
        manifest_hash(samples),
        data_hash(samples, masks),
        masks_hash(samples, masks),
        leaks,
        config.image,
        layout,
    )


def _by_rule(
    layout: Layout, vectors: ThumbnailVectors, progress: Report | None
) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """Samples and notes by the manifest that comes with radar, if one fits, or by the rule."""
    entries = layout.entries()
    if isinstance(layout, FolderLayout):
        check_pattern("dataset.folder.group", layout.settings.group, [entry.path for entry in entries])
    hashes = content_hashes(layout, [entry.path for entry in entries], progress)
    passed = passed_over(layout, entries) if isinstance(layout, FilesLayout) else ()
    stored = split_by_manifest(layout.config, entries, hashes)
    samples, notes = stored or (split_entries(entries, layout.config, hashes, vectors), ())
    check_readable(samples, f"layout {layout.name}")
    return samples, (*notes, *passed, *_counted_apart(layout, entries))


def _counted_apart(layout: Layout, entries: Sequence[Entry]) -> tuple[str, ...]:
    """A note where a layout tells groups that its names alone do not: by these, images are counted where a split keeps no groups."""
    if layout.config.split not in WITHOUT_GROUPS:
        return ()
    paths = [PurePosixPath(entry.path) for entry in entries]
    counted = len({group or str(path) for path, group in zip(paths, layout.named_groups(paths), strict=True)})
    told = len({entry.group for entry in entries})
    if told >= counted:
        return ()
    return (
        f"{len(entries)} images are of {told} groups by layout {layout.name}, and counted as {counted}, as "
        f"dataset.split={layout.config.split} keeps none together and the layout's named_groups does not tell them; let it, or "
        "set dataset.split=grouped",
    )


def _by_own_manifest(path: Path, layout: Layout, progress: Report | None) -> tuple[Sample, ...]:
    """Samples of the user's own manifest, with the hashes of the files on disk."""
    if not isinstance(layout, FilesLayout):
        raise ConfigError(f"dataset.manifest lists files, but layout {layout.name} has none; set dataset.manifest=null")
    rows = read_manifest(path)
    check_files(rows, layout.folder, path)
    check_masks(rows, path)
    check_crops(rows, layout.folder, path)
    hashes = content_hashes(layout, [row.path for row in rows], progress)
    check_hashes(rows, hashes, path)
    return with_copies_joined([replace(row, content_hash=hashes[row.path]) for row in rows], path)


def _judge_labels(samples: Sequence[Sample], config: DatasetConfig) -> tuple[str, ...]:
    """A note on images that are there as normal and as anomalous. Raises DataError for them, unless policy ignores duplicates."""
    twice = twice_labelled(samples)
    if not twice:
        return ()
    found = f"{len(twice)} files are the same image as normal and as anomalous, first {twice[0]}"
    if config.near_duplicates != "ignore":
        raise DataError(f"{config.name}: {found}; remove one of each, or set dataset.near_duplicates=ignore")
    return (f"{found}: one of each is wrong",)


def _without_masks(samples: Sequence[Sample]) -> tuple[str, ...]:
    """A note where some defective images have a mask and some have none."""
    missing = [sample.path for sample in samples if sample.label == 1 and sample.mask is None]
    anomalous = sum(sample.label == 1 for sample in samples)
    if not 0 < len(missing) < anomalous:
        return ()
    return (
        f"{len(missing)} of {anomalous} anomalous images have no mask and count in no pixel metric, first {missing[0]}",
    )


def _judge_leaks(leaks: LeakReport, config: DatasetConfig) -> tuple[str, ...]:
    """Notes on what crosses. Raises DataError for groups, identical files and, by policy, near-duplicates."""
    if leaks.groups:
        raise DataError(
            f"{config.name}: group {leaks.groups[0]!r} lies in several splits ({len(leaks.groups)} such "
            "groups); give all its images one split in the manifest"
        )
    if leaks.identical:
        raise DataError(
            f"{config.name}: {len(leaks.identical)} pair(s) of identical files cross into test, first "
            f"{leaks.identical[0]}; keep one of them"
        )
    if leaks.near_duplicates and config.near_duplicates == "error":
        raise DataError(
            f"{config.name}: {len(leaks.near_duplicates)} near-duplicate pair(s) cross into test, first "
            f"{leaks.near_duplicates[0]}; set dataset.split=grouped, or dataset.near_duplicates=warn"
        )
    notes = {
        "near-duplicate pair(s) cross into test": leaks.near_duplicates,
        "pair(s) of equal or near-duplicate images cross from train into validation": leaks.validation,
    }
    told = tuple(f"{len(pairs)} {what}, first {pairs[0]}" for what, pairs in notes.items() if pairs)
    if leaks.cut_files:
        first, last = leaks.cut_files[0]
        told += (
            f"{len(leaks.cut_files)} photo(s) lie in several splits in parts, first {first.path} ({first.split}) and {last.path} "
            f"({last.split}): parts of one photo are alike, so give them one group and one split",
        )
    return told
