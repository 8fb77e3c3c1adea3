"""Statistical models of normal windows: each turns points `(N, F)` into anomaly scores `(N,)` ≥ 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.covariance import EllipticEnvelope, LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from radar.config.method_sections import WindowsConfig
from radar.methods.control_limits import ControlChart
from radar.scoring.forest import Floats

Score = Callable[[Floats], Floats]


def fit_window_model(name: str, points: Floats, settings: WindowsConfig, seed: int) -> Score:
    """The model that `name` names, fitted on standardised normal points; columns that never vary are left at 0."""
    centre, spread = points.mean(axis=0), points.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    score = _MODELS[name]((points - centre) / spread, settings, seed)
    return lambda new: score((new - centre) / spread)


def _pca(points: Floats, settings: WindowsConfig, seed: int) -> Score:
    chart = ControlChart.fit(points, explained_variance=settings.explained_variance, confidence=settings.confidence)
    return lambda new: chart.score(new, settings.statistic)


def _isolation_forest(points: Floats, settings: WindowsConfig, seed: int) -> Score:
    model = IsolationForest(
        n_estimators=settings.trees, max_samples=min(settings.max_samples, len(points)), random_state=seed % 2**32
    ).fit(points)
    return lambda new: -model.score_samples(new)


def _lof(points: Floats, settings: WindowsConfig, seed: int) -> Score:
    neighbours = min(settings.neighbours, len(points) - 1)
    model = LocalOutlierFactor(n_neighbors=neighbours, novelty=True).fit(points)
    return lambda new: -model.score_samples(new)


def _one_class_svm(points: Floats, settings: WindowsConfig, seed: int) -> Score:
    model = OneClassSVM(nu=settings.nu, gamma="scale").fit(points)
    most = float(model.dual_coef_.sum())  # what a window would reach that equals every support vector
    return lambda new: most - model.score_samples(new)


def _mahalanobis(points: Floats, settings: WindowsConfig, seed: int) -> Score:
    model = LedoitWolf().fit(points)
    return lambda new: np.sqrt(model.mahalanobis(new))


def _elliptic_envelope(points: Floats, settings: WindowsConfig, seed: int) -> Score:
    model = EllipticEnvelope(random_state=seed % 2**32).fit(points)
    return lambda new: np.sqrt(model.mahalanobis(new))


_MODELS: dict[str, Callable[[Floats, WindowsConfig, int], Score]] = {
    "pca": _pca,
    "isolation_forest": _isolation_forest,
    "lof": _lof,
    "one_class_svm": _one_class_svm,
    "mahalanobis": _mahalanobis,
    "elliptic_envelope": _elliptic_envelope,
}
