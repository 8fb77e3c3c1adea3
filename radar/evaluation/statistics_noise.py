"""The noise hypothesis, measured: predicted noise looks Gaussian on normal images and has structure on anomalous ones.

Neighbouring pixels depend on each other, so pixels are pooled for distances only; every p value permutes whole groups of
images between the two labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import kurtosis, normaltest, skew

from radar.config.schema import NoiseStatisticsConfig
from radar.evaluation.metrics import Compared, Counts, Distances, Kinds, Moments, NoiseMetrics, Normality
from radar.evaluation.statistics_chance import Histograms, by_chance, histograms_of_pixels, histograms_of_values
from radar.evaluation.statistics_distributions import KL_ESTIMATOR, separation
from radar.evaluation.statistics_resampling import Units

Floats = NDArray[np.float64]
Number = TypeVar("Number")
_FEWEST_TESTED = 8  # of which SciPy's test of the skewness, a part of D'Agostino and Pearson's, gives a p value
MOMENTS = ("mean", "standard_deviation", "skewness", "excess_kurtosis")


def noise_statistics(
    noise_maps: Sequence[NDArray[np.float32]],
    images: Sequence[NDArray[np.float32]],
    labels: ArrayLike,
    groups: Sequence[str],
    *,
    settings: NoiseStatisticsConfig,
    seed: int,
) -> NoiseMetrics:
    """Compare the noise predicted for normal and for anomalous images.

    `noise_maps` and `images`, N of (C, H, W), each kind with its own number of channels, `labels` (N,) 0 / 1, `groups` (N,). Every
    number of one kind is a mean over that kind's images.
    """
    compare = _Comparison(labels, groups, settings, seed)
    truth, units = compare.truth, compare.units
    per_image = _per_image(noise_maps, images, settings)

    def compared(name: str) -> Compared:
        values = per_image[name]
        means, found = asdict(_means(values, truth)), compare.values(values)
        distances = {item.name: getattr(found, item.name) for item in fields(found)}
        return Compared(**means, difference=_difference(values, truth), **distances)

    pixels = compare.pixels(noise_maps)  # first: all comparisons draw from one stream
    tested = np.isfinite(per_image["rejected"])
    rejected = _means(per_image["rejected"][tested], truth[tested])
    normality = Normality(settings.thinning, rejected, compared("distance_from_gaussian"))
    return NoiseMetrics(
        images=Counts(*_both(lambda kind: int(kind.sum()), truth)),
        groups=Counts(*_both(lambda kind: int(np.unique(units.of_image[kind]).size), truth)),
        kl_estimator=KL_ESTIMATOR,
        permutations=settings.permutations,
        pixels=pixels,
        moments=Moments(**{name: _means(per_image[name], truth) for name in MOMENTS}),
        normality=normality,
        l2_norm=compared("l2_norm"),
        image_correlation=compared("image_correlation"),
    )


def feature_statistics(
    columns: dict[str, Floats], labels: ArrayLike, groups: Sequence[str], *, settings: NoiseStatisticsConfig, seed: int
) -> dict[str, Distances]:
    """The same comparison for numbers of one per image, by name, each (N,)."""
    compare = _Comparison(labels, groups, settings, seed)
    return {name: compare.values(values) for name, values in columns.items()}


class _Comparison:
    """Normal against anomalous: distances, each with what it is by permutation of groups. None where one kind is absent."""

    def __init__(self, labels: ArrayLike, groups: Sequence[str], settings: NoiseStatisticsConfig, seed: int) -> None:
        self.truth = np.asarray(labels).astype(np.bool_)
        self.units = Units.of(self.truth, groups)
        self._settings = settings
        self._random = np.random.default_rng(seed)

    def values(self, values: Floats) -> Distances:
        """Compare one number per image (N,)."""
        return self._measured(list(values[:, None]), lambda bins: histograms_of_values(values, bins))

    def pixels(self, noise_maps: Sequence[NDArray[np.float32]]) -> Distances:
        """Compare all pixels of maps, N of (C, H, W)."""
        values = [each.ravel().astype(np.float64) for each in noise_maps]
        return self._measured(values, lambda bins: histograms_of_pixels(values, bins))

    def _measured(self, values: Sequence[Floats], histograms: Callable[[int], Histograms]) -> Distances:
        truth, settings = self.truth, self._settings
        if truth.all() or not truth.any():
            return Distances()
        normal, anomalous = (
            np.concatenate([each for each, label in zip(values, truth, strict=True) if label == kind])
            for kind in (False, True)
        )
        measured = separation(normal, anomalous, settings.bins)
        binned = histograms(settings.bins)
        p_value, chance = by_chance(binned, self.units, settings.permutations, self._random)
        return replace(measured, p_value=p_value, chance=chance)


def _per_image(
    noise_maps: Sequence[NDArray[np.float32]], images: Sequence[NDArray[np.float32]], settings: NoiseStatisticsConfig
) -> dict[str, Floats]:
    rows = [_one_image(*pair, settings) for pair in zip(noise_maps, images, strict=True)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _one_image(
    noise_map: NDArray[np.float32], image: NDArray[np.float32], settings: NoiseStatisticsConfig
) -> dict[str, float]:
    """Numbers of one noise map (C, H, W). A constant map has no shape: its skewness, kurtosis and correlation count as 0.

    Whether normality is `rejected` is NaN where it cannot be tested.
    """
    values = noise_map.ravel().astype(np.float64)
    mean, deviation = float(values.mean()), float(values.std())
    flat = deviation == 0
    step = settings.thinning
    thinned = noise_map[:, ::step, ::step].ravel().astype(np.float64)
    return {
        "mean": mean,
        "standard_deviation": deviation,
        "skewness": 0.0 if flat else float(skew(values)),
        "excess_kurtosis": 0.0 if flat else float(kurtosis(values)),
        "distance_from_gaussian": distance_from_gaussian(values),
        "rejected": _rejected(thinned, settings.level),
        "l2_norm": float(np.linalg.norm(values)),
        "image_correlation": 0.0 if flat else _correlation(noise_map, image),
    }


def _rejected(values: Floats, level: float) -> float:
    """1 where D'Agostino and Pearson's test of `values` (N,) rejects normality at `level`, else 0; NaN of too few for it.

    Equal values are rejected: they have no shape that it could measure, and no Gaussian draws them.
    """
    if values.size < _FEWEST_TESTED:
        return math.nan
    return float(values.std() == 0 or normaltest(values).pvalue < level)


def distance_from_gaussian(values: Floats) -> float:
    """Kolmogorov–Smirnov distance between `values` (N,), brought to mean 0 and deviation 1, and N(0, 1): Lilliefors' statistic."""
    deviation = values.std()
    ordered = ndtr(np.sort((values - values.mean()) / (deviation or 1.0)))
    steps = np.arange(values.size + 1) / values.size
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def _correlation(noise_map: NDArray[np.float32], image: NDArray[np.float32]) -> float:
    """Size of Pearson's correlation of the means over channels, which maps and images need not have alike; 0 for a constant one."""
    first, second = (each.astype(np.float64).mean(axis=0).ravel() for each in (noise_map, image))
    one, other = first - first.mean(), second - second.mean()
    size = np.linalg.norm(one) * np.linalg.norm(other)
    return float(abs(one @ other) / size) if size > 0 else 0.0


def _both(measure: Callable[[NDArray[np.bool_]], Number], truth: NDArray[np.bool_]) -> tuple[Number, Number]:
    """Of the normal and of the anomalous images."""
    return measure(~truth), measure(truth)


def _means(values: Floats, truth: NDArray[np.bool_]) -> Kinds:
    return Kinds(*_both(lambda kind: float(values[kind].mean()) if kind.any() else None, truth))


def _difference(values: Floats, truth: NDArray[np.bool_]) -> float | None:
    """Mean of the anomalous minus mean of the normal."""
    return None if truth.all() or not truth.any() else float(values[truth].mean() - values[~truth].mean())
