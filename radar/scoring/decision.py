"""The decision: an image is anomalous where its score lies above the threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radar.scoring.detector import Detector
from radar.scoring.forest import Floats


def decide(detector: Detector, threshold: float, points: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores `(N,)` of points `(N, F)`, and True where the decision is anomalous."""
    scores = detector.score(points)
    return scores, scores > threshold
