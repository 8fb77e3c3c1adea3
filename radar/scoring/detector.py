"""From features to an anomaly score and a decision; fitted on normal images alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from radar.config.schema import ContaminationConfig, DetectorConfig
from radar.errors import RunError
from radar.scoring.forest import Floats, Forest
from radar.scoring.threshold import GAUSSIAN_MAD, conformal_quantile, shifted_quantile
from radar.seeds import stream_seed


class Detector(Protocol):
    """`score` is higher for more anomalous points `(N, F)`; above a threshold the decision is anomalous."""

    def score(self, points: Floats) -> Floats: ...

    def arrays(self) -> dict[str, NDArray[np.generic]]: ...


class ForestDetector:
    """Isolation Forest (RADAR, arXiv 2508.04818)."""

    def __init__(self, forest: Forest) -> None:
        self.forest = forest

    def score(self, points: Floats) -> Floats:
        return self.forest.anomaly_score(points)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        return self.forest.arrays()


class UpperTailDetector:
    """The largest of the features' robust z-scores of their logarithm: one-sided, and far outliers do not tie."""

    def __init__(self, centre: Floats, spread: Floats) -> None:
        self.centre = centre
        self.spread = spread

    def score(self, points: Floats) -> Floats:
        return np.asarray(((_log(points) - self.centre) / self.spread).max(axis=1))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        return {"centre": self.centre, "spread": self.spread}


def _log(points: Floats) -> Floats:
    return np.log(np.maximum(points, np.finfo(np.float64).tiny))


def _fit_forest(points: Floats, config: DetectorConfig, seed: int) -> ForestDetector:
    return ForestDetector(
        Forest.fit(points, trees=config.trees, max_samples=config.max_samples, seed=stream_seed(seed, "detector"))
    )


def _fit_upper_tail(points: Floats) -> UpperTailDetector:
    logs = _log(points)
    centre = np.median(logs, axis=0)
    spread = np.maximum(GAUSSIAN_MAD * np.median(np.abs(logs - centre), axis=0), np.finfo(np.float32).eps)
    return UpperTailDetector(centre, spread)


def fit_detector(
    points: Floats, threshold_points: Floats, *, config: DetectorConfig, contamination: ContaminationConfig, seed: int
) -> tuple[Detector, float]:
    """A detector fitted on points `(N, F)` of normal images, and its threshold from points `(M, F)` of normal images.

    The threshold is the contamination quantile of the forest's scores, as published; the conformal quantile of upper tails; or
    with `detector.threshold=shifted` that of the fitting scores, shifted to the others. Raises `RunError` where they are too few
    or not finite.
    """
    for key, values in (("fitted_on", points), ("threshold_on", threshold_points)):
        if len(values) < 2 or not np.isfinite(values).all():
            raise RunError(
                f"detector.{key}={getattr(config, key)}: needs at least two normal images with finite features, "
                f"got {int(np.isfinite(values).all(axis=1).sum())} of {len(values)}"
            )
    rate = contamination.value
    if config.name != "upper_tail":
        forest = _fit_forest(points, config, seed)
        # scikit-learn's offset_: the percentile of the points' own scores
        return forest, float(-np.percentile(-forest.score(threshold_points), 100 * rate))
    detector = _fit_upper_tail(points)
    held_out = detector.score(threshold_points)
    if config.threshold == "shifted":
        return detector, shifted_quantile(detector.score(points), held_out, rate, prior=config.spread_prior)
    return detector, conformal_quantile(held_out, rate)


def detector_from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> Detector:
    """The inverse of a detector's `arrays`. Raises `RunError` where they do not describe one."""
    if "centre" not in arrays:
        return ForestDetector(Forest.from_arrays(arrays))
    try:
        centre, spread = (np.asarray(arrays[name], float) for name in ("centre", "spread"))
    except (KeyError, TypeError, ValueError):
        raise _damaged() from None
    if centre.ndim != 1 or centre.shape != spread.shape:
        raise _damaged()
    if not (np.isfinite(centre).all() and np.isfinite(spread).all() and (spread > 0).all()):
        raise _damaged()
    return UpperTailDetector(centre, spread)


def _damaged() -> RunError:
    return RunError("detector: the stored detector is damaged; run the experiment again")
