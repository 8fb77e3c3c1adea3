"""What a method is: fitted on normal images, then scoring any."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from radar.config import Config
from radar.progress import Report
from radar.scoring.detector import fit_detector
from radar.scoring.scorer import Mapper, Measurement, Scorer, Scores, decide, measure

_CHUNK = 32  # images between two progress reports; a score does not depend on it


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images `(N, C, H, W)` in [−1, 1] and their N content hashes."""

    images: Tensor
    identities: Sequence[str]


@dataclass(frozen=True)
class Normals:
    """All that a method may learn from."""

    train: ImageSet
    validation: ImageSet  # held out from training

    def named(self, name: str) -> ImageSet:
        """The images that `detector.fitted_on` or `detector.threshold_on` names."""
        return self.train if name == "train" else self.validation


class Method(Protocol):
    """`fit` sees normal images only; `score` may then be called on any."""

    def fit(self, normal: Normals, report: Report) -> None: ...

    def score(self, images: ImageSet, report: Report) -> Scores: ...


class MapMethod(ABC):
    """A method that turns an image into a noise map and shares everything after it: edges, features, detector."""

    name: str

    def __init__(self, config: Config) -> None:
        self.config = config
        self.scorer: Scorer | None = None
        self._measured: dict[ImageSet, Measurement] = {}  # the fitting images are scored, too: measure them once

    @abstractmethod
    def fit_map(self, normal: Normals, report: Report) -> Mapper:
        """Learn the map from normal images; each method's own part."""

    def fit(self, normal: Normals, report: Report) -> None:
        """Learn the map, then fit the detector on features of normal images."""
        self._measured.clear()
        mapper = self.fit_map(normal, report)
        config = self.config
        points, threshold_points = (
            self._measure(mapper, normal.named(name), report).features
            for name in (config.detector.fitted_on, config.detector.threshold_on)
        )
        detector = fit_detector(
            points,
            threshold_points,
            detector=config.detector,
            contamination=config.contamination,
            seed=config.seed,
        )
        self.scorer = Scorer(mapper, config.scoring, detector)

    def score(self, images: ImageSet, report: Report) -> Scores:
        """Score `images`; `fit` comes first."""
        assert self.scorer is not None, "fit comes before score"
        return decide(self._measure(self.scorer.mapper, images, report), self.scorer.detector)

    def _measure(self, mapper: Mapper, images: ImageSet, report: Report) -> Measurement:
        if images not in self._measured:
            self._measured[images] = self._measure_afresh(mapper, images, report)
        return self._measured[images]

    def _measure_afresh(self, mapper: Mapper, images: ImageSet, report: Report) -> Measurement:
        parts = []
        total = len(images.identities)
        for start in range(0, total, _CHUNK):
            report(start, total, f"Scoring ({self.name})")
            chunk = slice(start, start + _CHUNK)
            parts.append(measure(mapper(images.images[chunk], images.identities[chunk]), self.config.scoring))
        report(total, total, f"Scoring ({self.name})")
        return Measurement(
            torch.cat([part.anomaly_maps for part in parts]), np.concatenate([part.features for part in parts])
        )
