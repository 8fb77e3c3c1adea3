"""The typed schema of an experiment: every key, its unit and its range. Values live in `conf/` alone."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Optional

from omegaconf import MISSING

from radar.errors import ConfigError


def _number(*, minimum: float | None = None, maximum: float | None = None, above: float | None = None,
            below: float | None = None) -> Any:
    """A required number with closed (`minimum`, `maximum`) or open (`above`, `below`) bounds."""
    return field(default=MISSING, metadata={"minimum": minimum, "maximum": maximum, "above": above, "below": below})


def _choice(*options: str) -> Any:
    """A required string out of `options`."""
    return field(default=MISSING, metadata={"choices": options})


@dataclass
class ImageConfig:
    """How a file becomes a tensor."""

    channels: str = _choice("grey", "rgb")
    size: Optional[int] = _number(minimum=8)  # side of the square image in px; null: the files' own, one size for all
    aspect: str = _choice("stretch", "crop", "pad")  # what happens to an image that is not square
    resize: str = _choice("nearest", "bilinear", "bicubic", "lanczos", "box")


@dataclass
class SyntheticConfig:
    """A drawn data set; used by `layout: synthetic` alone."""

    texture: str = _choice("printed_layers", "stochastic_tile")
    seed: int = _number(minimum=0)  # draws the whole set; independent of the experiment's seed
    side: int = _number(minimum=32)  # px
    train: int = _number(minimum=2)  # normal images, validation included
    test_normal: int = _number(minimum=1)
    test_defective: int = _number(minimum=1)
    contrast: float = _number(above=0.0)  # strength of the planted defects, 1 = as designed


@dataclass
class FolderConfig:
    """Where a generic folder keeps its images; used by `layout: folder` alone."""

    normal: str = MISSING  # sub-folder of normal images
    anomalous: Optional[str] = MISSING  # sub-folder of anomalous images, one sub-folder per defect allowed; null: none
    masks: Optional[str] = MISSING  # sub-folder of masks with the anomalous images' names; null: none


@dataclass
class DatasetConfig:
    """Which images, how they are read and how they are split."""

    name: str = MISSING
    layout: str = _choice("mvtec", "magnetic_tile", "piped", "folder", "synthetic")
    root: Optional[str] = MISSING  # folder on disk; null for synthetic
    category: Optional[str] = MISSING  # sub-folder: MVTec category, PIPED class
    split: str = _choice("official", "grouped", "literature", "sheets", "random")
    manifest: Optional[str] = MISSING  # a split manifest of the user's own (CSV); overrides `split`
    split_seed: int = _number(minimum=0)
    validation_fraction: float = _number(above=0.0, below=1.0)  # share of the training normals held out
    test_fraction: float = _number(above=0.0, below=1.0)  # share of the normals for test, where the source has no split
    near_duplicates: str = _choice("error", "warn", "ignore")  # near-duplicates that cross train/test
    image: ImageConfig = field(default_factory=ImageConfig)
    folder: Optional[FolderConfig] = MISSING
    synthetic: Optional[SyntheticConfig] = MISSING
