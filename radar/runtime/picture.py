"""An image as a model sees it, what a model says of several, and what a model must be able to do to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .decoding import Pixels
from .pixel_sets import BoolArray
from .preprocessing import FloatArray, Frame, Preprocessing, brightness, luma, preprocess, region_of, sharpness
from .threshold import CurrentThreshold

FURTHEST = 1 + 1e-4  # from 0, that a plane's numbers in [−1, 1] may lie by rounding


@dataclass(frozen=True, eq=False)
class Picture:
    """What was decoded: the original's pixels, and the planes `(P, H, W)` in [−1, 1] that the model sees."""

    path: Path
    pixels: Pixels
    identity: str  # by which the model draws its noise
    planes: FloatArray
    frame: Frame
    brightness: float
    sharpness: float
    inside: BoolArray | None = None  # (H, W), the region of interest; None: all of it


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of N pictures."""

    scores: NDArray[np.floating]  # (N,), higher is more anomalous
    decisions: NDArray[np.bool_]  # (N,), True is defective
    points: NDArray[np.floating]  # (N, F), what the detector judged
    maps: NDArray[np.float32]  # (N, H, W) ≥ 0, at the size that the model sees


class Scorer(Protocol):
    """A model that can be asked about photos: radar's own, or an exported one."""

    @property
    def fingerprint(self) -> str:
        """Of the model."""

    @property
    def threshold(self) -> CurrentThreshold:
        """What decides."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How pixels become planes."""

    @property
    def pictures_per_pass(self) -> int:
        """How many pictures of one size are asked about together, at most."""

    def decode(self, path: Path, content: bytes) -> tuple[Pixels, str]:
        """The image, or named crop, in a file's bytes, and its identity. Raises `ImageError`, `RadarError`."""

    def answers(self, pictures: Sequence[Picture]) -> Answers:
        """What it says of pictures of one size. Raises `ImageError` where it does not take that size."""

    def renewed(self) -> Scorer:
        """Itself or, where another threshold was made the current one meanwhile, what decides by that."""


def picture_of(path: Path, content: bytes, scorer: Scorer) -> Picture:
    """The picture in the bytes of a file, or of a named crop. Raises `ImageError`, `RadarError`."""
    return as_seen(path, *scorer.decode(path, content), scorer.preprocessing)


def as_seen(path: Path, pixels: Pixels, identity: str, preprocessing: Preprocessing) -> Picture:
    """The picture that a model sees of decoded pixels."""
    planes, frame = preprocess(pixels, preprocessing)
    names = preprocessing.plane_names
    seen, inside = luma(planes, names), region_of(planes, names)
    return Picture(path, pixels, identity, planes, frame, brightness(seen, inside), sharpness(seen, inside), inside)
