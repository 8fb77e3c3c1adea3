"""What identifies the content of a data set: its images, its masks, and all of it together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from radar.data.layouts.layout import Layout
from radar.data.manifest import manifest_hash
from radar.data.sample import Sample
from radar.data.threads import in_threads
from radar.progress import Report


def content_hashes(layout: Layout, paths: Sequence[str], progress: Report | None) -> dict[str, str]:
    """Image path to content hash."""
    return dict(zip(paths, in_threads(layout.content_hash, paths, "hashing", progress), strict=True))


def mask_hashes(layout: Layout, samples: Sequence[Sample]) -> dict[str, str]:
    """Image path to the hash of its mask, of the anomalous images that have one."""
    return {
        sample.path: layout.mask_hash(sample.path, sample.mask)
        for sample in samples
        if sample.mask is not None and sample.label == 1
    }


def data_hash(samples: Sequence[Sample], masks: Mapping[str, str]) -> str:
    """SHA-256 over the manifest, which has the images' hashes, and over the masks' own, by image path."""
    digest = hashlib.sha256(manifest_hash(samples).encode())
    for sample in samples:
        if sample.path in masks:
            digest.update(f"{sample.mask} {masks[sample.path]}\n".encode())
    return digest.hexdigest()


def masks_hash(samples: Sequence[Sample], masks: Mapping[str, str]) -> str:
    """SHA-256 over what pixel metrics compare test maps with."""
    digest = hashlib.sha256()
    for sample in samples:
        if sample.split == "test":
            digest.update(f"{sample.content_hash} {sample.label} {masks.get(sample.path, '')}\n".encode())
    return digest.hexdigest()
