"""The one pure `score(images) → Scores` that evaluation, prediction and export call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radar.config.schema import ScoringConfig
from radar.scoring.detector import Detector
from radar.scoring.edge_map import anomaly_map, edge_map
from radar.scoring.features import features
from radar.scoring.forest import Floats

Mapper = Callable[[Tensor, Sequence[str]], Tensor]
"""Images `(B, C, H, W)` and their content hashes → noise maps `(B, C, H, W)`."""


class Measurement:
    """What is known of N images before a decision. Their anomaly maps are computed when they are first asked for."""

    def __init__(self, features: Floats, anomaly_maps: Callable[[], Tensor]) -> None:
        self.features = features  # (N, 2): global and local norm
        self._anomaly_maps = anomaly_maps

    @cached_property
    def anomaly_maps(self) -> Tensor:
        """`(N, H, W)` ≥ 0."""
        return self._anomaly_maps()


@dataclass(frozen=True)
class Scores:
    """What is known of N images after it."""

    measurement: Measurement
    scores: Floats  # (N,), higher is more anomalous
    decisions: NDArray[np.bool_]  # (N,), True is anomalous

    @property
    def anomaly_maps(self) -> Tensor:
        """`(N, H, W)` ≥ 0."""
        return self.measurement.anomaly_maps

    @property
    def features(self) -> Floats:
        """`(N, 2)`: global and local norm."""
        return self.measurement.features


@torch.inference_mode()
def measured_features(noise_maps: Tensor, scoring: ScoringConfig) -> Floats:
    """Features `(N, 2)` of noise maps `(N, C, H, W)`.

    As many at a time as share a network pass: sums over a batch are split among threads according to its size, and the
    bits follow.
    """
    parts = torch.split(noise_maps, scoring.images_per_pass)
    return torch.cat([features(edge_map(part, scoring), scoring.window) for part in parts]).double().cpu().numpy()


@torch.inference_mode()
def measured_maps(noise_maps: Tensor, scoring: ScoringConfig) -> Tensor:
    """Anomaly maps `(N, H, W)` of noise maps `(N, C, H, W)`."""
    parts = torch.split(noise_maps, scoring.images_per_pass)
    return torch.cat([anomaly_map(edge_map(part, scoring), scoring.smoothing) for part in parts])


def measure(noise_maps: Tensor, scoring: ScoringConfig) -> Measurement:
    """Features, and anomaly maps at need, of noise maps `(N, C, H, W)`."""
    return Measurement(measured_features(noise_maps, scoring), lambda: measured_maps(noise_maps, scoring))


Points = Callable[[Measurement], Floats]
"""What the detector judges of measured images, `(N, F)`."""


def features_of(measurement: Measurement) -> Floats:
    """The features `(N, 2)`, which is what RADAR's detector judges."""
    return measurement.features


def decide(measurement: Measurement, detector: Detector, points: Points) -> Scores:
    """Scores and decisions of measured images."""
    scores = detector.score(points(measurement))
    return Scores(measurement, scores, scores > detector.threshold)


@dataclass(frozen=True)
class Scorer:
    """A fitted method: everything between an image and its decision."""

    mapper: Mapper
    scoring: ScoringConfig
    detector: Detector
    points: Points

    def score(self, images: Tensor, identities: Sequence[str]) -> Scores:
        """Score images `(B, C, H, W)` in [−1, 1] whose content hashes are `identities`; pure, to the bit."""
        return decide(measure(self.mapper(images, identities), self.scoring), self.detector, self.points)
