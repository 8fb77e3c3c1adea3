"""From features to an anomaly score and a decision; fitted on normal images alone."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from radar.config.schema import ContaminationConfig, DetectorConfig
from radar.errors import RunError
from radar.scoring.forest import Floats, Forest
from radar.scoring.threshold import GAUSSIAN_MAD, conformal_quantile, shifted_quantile
from radar.seeds import stream_seed


class Detector(Protocol):
    """`score` is higher for more anomalous points `(N, F)`; above `threshold` the decision is anomalous."""

    threshold: float

    def score(self, points: Floats) -> Floats: ...

    def arrays(self) -> dict[str, NDArray[np.generic]]: ...


class ForestDetector:
    """Isolation Forest with the contamination quantile of normal scores as threshold (RADAR, arXiv 2508.04818)."""

    def __init__(self, forest: Forest, threshold: float) -> None:
        self.forest = forest
        self.threshold = threshold

    def score(self, points: Floats) -> Floats:
        return self.forest.anomaly_score(points)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        return {**self.forest.arrays(), "detector_threshold": np.array(self.threshold)}


class UpperTailDetector:
    """The largest of the features' robust z-scores of their logarithm: one-sided, and far outliers do not tie.

    The threshold is the conformal quantile of the scores of `detector.threshold_on`, or with `detector.threshold=shifted`
    that of `detector.fitted_on`, shifted to them.
    """

    def __init__(self, centre: Floats, spread: Floats, threshold: float) -> None:
        self.centre = centre
        self.spread = spread
        self.threshold = threshold

    def score(self, points: Floats) -> Floats:
        return np.asarray(((_log(points) - self.centre) / self.spread).max(axis=1))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        return {"centre": self.centre, "spread": self.spread, "detector_threshold": np.array(self.threshold)}


def _log(points: Floats) -> Floats:
    return np.log(np.maximum(points, np.finfo(np.float64).tiny))


def _fit_forest(
    points: Floats, threshold_points: Floats, config: DetectorConfig, contamination: float, seed: int
) -> ForestDetector:
    forest = Forest.fit(points, trees=config.trees, max_samples=config.max_samples, seed=stream_seed(seed, "detector"))
    # scikit-learn's offset_: the percentile of the points' own scores
    threshold = -np.percentile(-forest.anomaly_score(threshold_points), 100 * contamination)
    return ForestDetector(forest, float(threshold))


def _fit_upper_tail(
    points: Floats, threshold_points: Floats, config: DetectorConfig, contamination: float
) -> UpperTailDetector:
    logs = _log(points)
    centre = np.median(logs, axis=0)
    spread = np.maximum(GAUSSIAN_MAD * np.median(np.abs(logs - centre), axis=0), np.finfo(np.float32).eps)
    score = UpperTailDetector(centre, spread, 0.0).score
    if config.threshold == "shifted":
        threshold = shifted_quantile(score(points), score(threshold_points), contamination, prior=config.spread_prior)
    else:
        threshold = conformal_quantile(score(threshold_points), contamination)
    return UpperTailDetector(centre, spread, threshold)


def fit_detector(
    points: Floats,
    threshold_points: Floats,
    *,
    detector: DetectorConfig,
    contamination: ContaminationConfig,
    seed: int,
) -> Detector:
    """A detector fitted on features `(N, F)` of normal images, with a threshold from features `(M, F)` of normal images.

    Raises `RunError` where they are too few or not finite.
    """
    for key, values in (("fitted_on", points), ("threshold_on", threshold_points)):
        if len(values) < 2 or not np.isfinite(values).all():
            raise RunError(
                f"detector.{key}={getattr(detector, key)}: needs at least two normal images with finite features, "
                f"got {int(np.isfinite(values).all(axis=1).sum())} of {len(values)}"
            )
    if detector.name == "upper_tail":
        return _fit_upper_tail(points, threshold_points, detector, contamination.value)
    return _fit_forest(points, threshold_points, detector, contamination.value, seed)


def detector_from_arrays(arrays: dict[str, NDArray[np.generic]]) -> Detector:
    """The inverse of a detector's `arrays`. Raises `RunError` where they do not describe one."""
    try:
        threshold = float(arrays["detector_threshold"])
        upper_tail = [np.asarray(arrays[name], float) for name in ("centre", "spread") if "centre" in arrays]
    except (KeyError, TypeError, ValueError):
        raise _damaged() from None
    if not np.isfinite(threshold):
        raise _damaged()
    if not upper_tail:
        return ForestDetector(Forest.from_arrays(arrays), threshold)
    centre, spread = upper_tail
    if centre.ndim != 1 or centre.shape != spread.shape:
        raise _damaged()
    if not (np.isfinite(centre).all() and np.isfinite(spread).all() and (spread > 0).all()):
        raise _damaged()
    return UpperTailDetector(centre, spread, threshold)


def _damaged() -> RunError:
    return RunError("detector: the stored detector is damaged; run the experiment again")
