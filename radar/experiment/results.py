"""From scores to what `metrics.json` and `scores.csv` hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from radar.config.schema import NoiseStatisticsConfig
from radar.data.dataset import Dataset
from radar.data.images import Images
from radar.data.preprocessing import place_map
from radar.data.sample import Sample, Split
from radar.evaluation.data_measures import defect_measures, spectral_flatness
from radar.evaluation.image_metrics import image_metrics, per_defect_metrics
from radar.evaluation.metrics import Distances, FeatureMetrics, NoiseMetrics, Quality
from radar.evaluation.pixel_metrics import PixelMetrics, pixel_metrics_of
from radar.evaluation.statistics_noise import feature_statistics, noise_statistics
from radar.files import write_csv
from radar.scoring.features import FEATURE_NAMES
from radar.scoring.scorer import Scores

DEFECT_COLUMNS = ("defect_area", "defect_contrast")
SCORE_COLUMNS = ("path", "split", "label", "defect", "group", *FEATURE_NAMES, "score", "decision", *DEFECT_COLUMNS)


@dataclass(frozen=True)
class Scored:
    """A split's samples with their scores, in the same order."""

    loaded: Images
    scores: Scores


def quality(test: Scored, pixel: PixelMetrics | None) -> Quality:
    """What the test images' scores and decisions are worth, at the detector's own threshold, beside their `pixel` metrics."""
    labels, scores = test.loaded.labels, test.scores
    found = per_defect_metrics(labels, scores.scores, scores.decisions, test.loaded.defects)
    return Quality(
        image_metrics(labels, scores.scores, scores.decisions),
        {name: FeatureMetrics(_auroc(labels, scores.features[:, column])) for column, name in enumerate(FEATURE_NAMES)},
        {each.defect: each for each in found},
        pixel,
    )


def pixel_metrics(dataset: Dataset, test: Scored, aupro_limit: float) -> PixelMetrics:
    """Pixel metrics of the test images' anomaly maps, at the size of the masks."""
    return pixel_metrics_of(_placed(dataset, test), aupro_limit)


def noise_hypothesis(
    noise_maps: NDArray[np.float32], test: Images, settings: NoiseStatisticsConfig, seed: int
) -> NoiseMetrics:
    """Statistics of the test images' noise maps `(N, C, H, W)`, normal against anomalous."""
    return noise_statistics(
        noise_maps, test.network_planes.cpu().numpy(), test.labels, test.groups, settings=settings, seed=seed
    )


def separation(test: Scored, settings: NoiseStatisticsConfig, seed: int) -> dict[str, Distances]:
    """How far the features and the score of normal and of anomalous test images lie apart."""
    columns = {name: test.scores.features[:, column] for column, name in enumerate(FEATURE_NAMES)}
    return feature_statistics(
        {**columns, "score": test.scores.scores}, test.loaded.labels, test.loaded.groups, settings=settings, seed=seed
    )


def _auroc(labels: NDArray[np.int_], values: NDArray[np.float64]) -> float | None:
    return float(roc_auc_score(labels, values)) if len(np.unique(labels)) == 2 else None


def _placed(dataset: Dataset, test: Scored) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_] | None, int]]:
    """Each test image's map at its mask's own size, one at a time. A set without any mask yields nothing."""
    if not any(sample.mask for sample in test.loaded.samples):
        return
    for index, sample in enumerate(test.loaded.samples):
        anomaly_map = place_map(test.scores.anomaly_maps[index].cpu().numpy(), test.loaded.frames[index])
        yield anomaly_map, dataset.mask(sample) if sample.mask or not sample.label else None, sample.label


def data_measures(dataset: Dataset, loaded: Mapping[Split, Images]) -> dict[str, Any]:
    """Spectral flatness of the training images, and area and contrast of each masked defect in the test set, by path."""
    test, defects = loaded["test"], {}
    for index, sample in enumerate(test.samples):
        if sample.label and sample.mask:
            picture = place_map(test.network_planes[index].mean(dim=0).cpu().numpy(), test.frames[index])
            measured = defect_measures(picture, dataset.mask(sample))
            if measured is not None:
                defects[sample.path] = asdict(measured)
    flatness = spectral_flatness(loaded["train"].network_planes.mean(dim=1).cpu().numpy())
    return {"spectral_flatness": flatness, "defects": defects}


def write_scores(path: Path, splits: Sequence[Scored], defects: Mapping[str, Mapping[str, float | None]]) -> None:
    """`scores.csv`: one line per image of every split; the measures of `defects` by path, empty where there are none."""

    def row(sample: Sample, scores: Scores, index: int) -> list[Any]:
        features = [float(value) for value in scores.features[index]]
        decision = int(scores.decisions[index])
        return [
            sample.path,
            sample.split,
            sample.label,
            sample.defect,
            sample.group,
            *features,
            float(scores.scores[index]),
            decision,
            *(defects.get(sample.path, {}).get(name.removeprefix("defect_")) for name in DEFECT_COLUMNS),
        ]

    rows = [row(sample, each.scores, index) for each in splits for index, sample in enumerate(each.loaded.samples)]
    write_csv(path, SCORE_COLUMNS, rows)
