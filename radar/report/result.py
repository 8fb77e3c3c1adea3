"""One stored result: what a run was, what it measured, and what it said of every test image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radar.data.layouts.piped import PipedLayout
from radar.data.split_manifests import known_groups
from radar.evaluation.metrics import Metrics
from radar.evaluation.typed_sections import Amount, Share

Floats = NDArray[np.float64]
HASH_DIGITS = 16  # of a content hash that a result keeps
NORMAL_HASH_DIGITS = 8  # of one that tells normals apart
_DARK = (PipedLayout.name,)  # layouts whose masks are dark on the defect
FORMAT = 2  # of what a run leaves; 1 kept no score of normals beside the test images


@dataclass(frozen=True)
class EvaluatedImage:
    """One image of the test split, whatever the method."""

    path: str
    content_hash: str
    label: int
    defect: str
    group: str
    defect_area: Share | None  # share of the image, or of its region of interest where the run had one
    defect_contrast: Amount | None  # standard deviations of the rest of that


@dataclass(frozen=True, eq=False)
class ScoredNormals:
    """The normal images of train or validation, each with its score, and what had not learnt from them when it scored them: of
    `network`, `densities`, `detector`. Cross-fitted densities leave the image out, networks do not."""

    split: str
    unseen_by: tuple[str, ...]
    groups: tuple[str, ...]  # N
    content_hashes: tuple[str, ...]  # N, their first digits
    scores: Floats  # (N,)
    paths: tuple[str, ...]  # N; none of a record, which tells no names


@dataclass(frozen=True)
class Command:
    """How a run was asked for; no override and no word is known of one that was made before runs kept them."""

    preset: str | None
    overrides: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Result:
    """One done run: what it was, what it measured, and what it said of every test image (in the order of `images`)."""

    name: str
    fingerprint: str
    ended: str
    command: Command
    config: dict[str, Any]  # the keys that its method reads
    environment: dict[str, Any]
    metrics: Metrics
    scored: int  # images of all splits
    images: tuple[EvaluatedImage, ...]
    feature_names: tuple[str, ...]  # F
    features: Floats  # (N, F)
    scores: Floats  # (N,)
    decisions: NDArray[np.bool_]  # (N,)
    normals: tuple[ScoredNormals, ...]  # of each split of normals that the run scored; none in format 1
    unscored_normals: tuple[
        str, ...
    ]  # the first digits of content hashes of those that it learnt from without a score of theirs
    format: int
    directory: Path | None  # None for a record

    @property
    def identity(self) -> tuple[str, str]:
        """What tells it from other runs, wherever they lie: its fingerprint, which knows no name of a data set, and that name."""
        return self.fingerprint, self.dataset

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return str(self.config["dataset"]["name"])

    @property
    def seed(self) -> int:
        """Of the experiment."""
        return int(self.config["seed"])

    @property
    def timestep(self) -> int | None:
        """`timestep.value`; None where the method does not read it."""
        section = self.config.get("timestep")
        return None if section is None or "value" not in section else int(section["value"])

    @cached_property
    def labels(self) -> NDArray[np.int_]:
        """(N,) 0 / 1."""
        return np.array([image.label for image in self.images])

    @cached_property
    def groups(self) -> list[str]:
        """(N,): what is resampled; see `known_groups`."""
        return self.groups_of([image.content_hash for image in self.images], [image.group for image in self.images])

    def groups_of(self, content_hashes: Sequence[str], groups: Sequence[str]) -> list[str]:
        """What is resampled of images of this data set."""
        dataset = self.config["dataset"]
        return known_groups(dataset.get("layout", ""), dataset.get("category"), content_hashes, groups)

    @property
    def is_older(self) -> bool:
        """Whether it was made before what a run leaves was as it is now."""
        return self.format < FORMAT

    @property
    def data(self) -> str:
        """Hash of the manifest of all the data that the run read."""
        return str(self.environment["data_manifest_hash"])

    @property
    def masks_hash(self) -> str | None:
        """Of the masks of the test images; None of a run that was made before this was kept."""
        known = self.environment.get("data_masks_hash")
        return None if known is None else str(known)

    @property
    def masks(self) -> str | None:
        """What tells them from others: the hash, and whether they were read as dark on the defect; None likewise."""
        is_dark = self.config["dataset"].get("layout") in _DARK
        return None if self.masks_hash is None else f"{'dark ' if is_dark else ''}{self.masks_hash}"

    @cached_property
    def test_data(self) -> str:
        """Digits that are equal for equal test images, labels, defects and groups, however those were measured; of a record without
        images, those of all the data."""
        if not self.images:
            return self.data
        told = [(each.path, each.content_hash, each.label, each.defect, each.group) for each in self.images]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:HASH_DIGITS]
