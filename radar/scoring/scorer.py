"""The one pure `score(images) → Scores` that evaluation, prediction and export call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radar.config import ScoringConfig
from radar.scoring.detector import Detector
from radar.scoring.edge_map import anomaly_map, edge_map
from radar.scoring.features import features
from radar.scoring.forest import Floats

Mapper = Callable[[Tensor, Sequence[str]], Tensor]
"""Images `(B, C, H, W)` and their content hashes → noise maps `(B, C, H, W)`."""


@dataclass(frozen=True)
class Measurement:
    """What is known of N images before a decision."""

    anomaly_maps: Tensor  # (N, H, W) ≥ 0
    features: Floats  # (N, 2): global and local norm


@dataclass(frozen=True)
class Scores:
    """What is known of N images after it."""

    anomaly_maps: Tensor  # (N, H, W) ≥ 0
    features: Floats  # (N, 2)
    scores: Floats  # (N,), higher is more anomalous
    decisions: NDArray[np.bool_]  # (N,), True is anomalous


@torch.inference_mode()
def measure(noise_maps: Tensor, scoring: ScoringConfig) -> Measurement:
    """Edge maps and features of noise maps `(N, C, H, W)`.

    As many at a time as share a network pass: sums over a batch are split among threads according to its size, and the
    bits follow.
    """
    edges = [edge_map(part, scoring) for part in torch.split(noise_maps, scoring.images_per_pass)]
    rows = [features(edge, scoring.window) for edge in edges]
    maps = [anomaly_map(edge, scoring.smoothing) for edge in edges]
    return Measurement(torch.cat(maps), torch.cat(rows).double().cpu().numpy())


def decide(measurement: Measurement, detector: Detector) -> Scores:
    """Scores and decisions of measured images."""
    scores = detector.score(measurement.features)
    return Scores(measurement.anomaly_maps, measurement.features, scores, scores > detector.threshold)


@dataclass(frozen=True)
class Scorer:
    """A fitted method: everything between an image and its decision."""

    mapper: Mapper
    scoring: ScoringConfig
    detector: Detector

    def score(self, images: Tensor, identities: Sequence[str]) -> Scores:
        """Score images `(B, C, H, W)` in [−1, 1] whose content hashes are `identities`; pure, to the bit."""
        return decide(measure(self.mapper(images, identities), self.scoring), self.detector)
