"""What a method is: fitted on normal images, then scoring any."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from radar.config.schema import Config, ScoringConfig
from radar.data.sample import SPLITS, Split
from radar.methods.fusion import Fusion
from radar.progress import Report
from radar.scoring.density import GaussianDensity
from radar.scoring.detector import fit_detector
from radar.scoring.forest import Floats
from radar.scoring.scorer import (
    Mapper,
    Measurement,
    Scorer,
    Scores,
    measured_features,
    measured_maps,
)

_CHUNK = 32  # images between two progress reports; a score does not depend on it


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images `(N, C, H, W)` in [−1, 1] and their N content hashes."""

    images: Tensor
    identities: Sequence[str]
    groups: Sequence[str] = ()  # N names, equal where images show the same part; empty: each shows its own
    chroma: Tensor | None = None  # (N, 2, H, W) in [−1, 1], where the data set has it

    def planes(self, start: int, stop: int) -> Tensor:
        """Images `start` to `stop`, with their chroma as further channels."""
        images = self.images[start:stop]
        return images if self.chroma is None else torch.cat([images, self.chroma[start:stop]], dim=1)


@dataclass(frozen=True)
class Normals:
    """All that a method may learn from."""

    train: ImageSet
    validation: ImageSet  # held out from training

    def named(self, name: str) -> ImageSet:
        """The images that `detector.fitted_on` or `detector.threshold_on` names."""
        return self.train if name == "train" else self.validation


Inputs = dict[str, Any]
"""What a result depends on, as plain values that JSON can hold."""


class Method(Protocol):
    """`fit` sees normal images only; `score` may then be called on any."""

    def fit(self, normal: Normals, report: Report) -> None: ...

    def score(self, images: ImageSet, report: Report) -> Scores: ...


class Recall(Protocol):
    """Gives back what `make` made before from the same inputs, or lets it make that now."""

    def density(self, inputs: Inputs, make: Callable[[], GaussianDensity]) -> GaussianDensity: ...

    def fusion(self, inputs: Inputs, make: Callable[[], Fusion]) -> Fusion: ...

    def noise_maps(
        self, inputs: Inputs, images: ImageSet, fit: Callable[[], object], make: Callable[[], Tensor]
    ) -> Tensor:
        """`fit` comes before `make` and is timed apart."""
        ...

    def features(
        self, inputs: Inputs, scoring: ScoringConfig, images: ImageSet, make: Callable[[], Floats]
    ) -> Floats: ...


class Forgetful:
    """Recalls nothing: everything is made when it is asked for."""

    def density(self, inputs: Inputs, make: Callable[[], GaussianDensity]) -> GaussianDensity:
        return make()

    def fusion(self, inputs: Inputs, make: Callable[[], Fusion]) -> Fusion:
        return make()

    def noise_maps(
        self, inputs: Inputs, images: ImageSet, fit: Callable[[], object], make: Callable[[], Tensor]
    ) -> Tensor:
        fit()
        return make()

    def features(self, inputs: Inputs, scoring: ScoringConfig, images: ImageSet, make: Callable[[], Floats]) -> Floats:
        return make()


class LateMapper:
    """A mapper that is made when it is first needed."""

    def __init__(self, make: Callable[[], Mapper]) -> None:
        self.made = cache(make)

    def __call__(self, images: Tensor, identities: Sequence[str]) -> Tensor:
        return self.made()(images, identities)


class MapMethod(ABC):
    """A method that turns an image into a noise map and shares everything after it: edges, features, detector.

    The map is learnt when the first noise map is asked for that `recall` does not have.
    """

    name: str
    scored_splits: tuple[Split, ...] = SPLITS  # what a run scores

    def __init__(self, config: Config, recall: Recall) -> None:
        self.config = config
        self.recall = recall
        self.scorer: Scorer | None = None
        self._measured: dict[ImageSet, Measurement] = {}  # the fitting images are scored, too: measure them once

    @abstractmethod
    def fit_map(self, normal: Normals, report: Report) -> Mapper:
        """Learn the map from normal images; each method's own part."""

    def own_parameters(self, image_channels: int) -> int:
        """Weights of the networks that the method has beside the shared one."""
        return 0

    @property
    def network_passes(self) -> int:
        """Passes of a network over each image; windows that together cover it are one pass."""
        return 0

    @abstractmethod
    def map_inputs(self, normal: Normals) -> Inputs:
        """All that a noise map depends on beside its image, as plain values."""

    def fit(self, normal: Normals, report: Report) -> None:
        """Fit the detector on features of normal images."""
        self._measured.clear()
        self._inputs = self.map_inputs(normal)
        mapper = LateMapper(lambda: self.fit_map(normal, report))
        config = self.config
        points, threshold_points = (
            self._points_of_normals(mapper, normal, name, report) for name in self.detector_sets
        )
        detector = fit_detector(
            points,
            threshold_points,
            detector=config.detector,
            contamination=config.contamination,
            seed=config.seed,
        )
        self.scorer = Scorer(mapper, config.scoring, detector, self.points)

    def score(self, images: ImageSet, report: Report) -> Scores:
        """Score `images`; `fit` comes first."""
        assert self.scorer is not None, "fit comes before score"
        measurement, detector = self._measure(self.scorer.mapper, images, report), self.scorer.detector
        scores = detector.score(self.points(measurement))
        return Scores(measurement, scores, scores > detector.threshold)

    def _points_of_normals(self, mapper: Mapper, normal: Normals, name: str, report: Report) -> Floats:
        sets = (normal.train, normal.validation) if name == "cross_fitted" else (normal.named(name),)
        return np.concatenate([self.points(self._measure(mapper, images, report)) for images in sets])

    def mapper_input(self, images: ImageSet, start: int, stop: int) -> Tensor:
        """What the mapper sees of images `start` to `stop`, `(B, C, H, W)`."""
        return images.images[start:stop]

    @property
    def detector_sets(self) -> tuple[str, str]:
        """Which normals fit the detector, and which set its threshold."""
        return self.config.detector.fitted_on, self.config.detector.threshold_on

    def points(self, measurement: Measurement) -> Floats:
        """What the detector judges `(N, F)`: the features."""
        return measurement.features

    def noise_maps(self, images: ImageSet, report: Report) -> Tensor:
        """Noise maps `(N, C, H, W)` of `images`; `fit` comes first."""
        assert self.scorer is not None, "fit comes before noise_maps"
        return self._noise_maps(self.scorer.mapper, images, report)

    def _measure(self, mapper: Mapper, images: ImageSet, report: Report) -> Measurement:
        if images not in self._measured:
            scoring = self.config.scoring
            noise_maps = cache(lambda: self._noise_maps(mapper, images, report))
            points = self.recall.features(
                self._inputs, scoring, images, lambda: measured_features(noise_maps(), scoring)
            )
            self._measured[images] = Measurement(points, lambda: measured_maps(noise_maps(), scoring))
        return self._measured[images]

    def _noise_maps(self, mapper: Mapper, images: ImageSet, report: Report) -> Tensor:
        def make() -> Tensor:
            parts = []
            total = len(images.identities)
            for start in range(0, total, _CHUNK):
                report(start, total, f"Scoring ({self.name})")
                stop = start + _CHUNK
                parts.append(mapper(self.mapper_input(images, start, stop), images.identities[start:stop]))
            report(total, total, f"Scoring ({self.name})")
            return torch.cat(parts)

        fit = mapper.made if isinstance(mapper, LateMapper) else _nothing
        return self.recall.noise_maps(self._inputs, images, fit, make)


def _nothing() -> None:
    """What comes before a mapper that is there already."""
