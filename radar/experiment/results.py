"""From scores to what `metrics.json` and `scores.csv` hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from radar.config import NoiseStatisticsConfig
from radar.data.dataset import Dataset, LoadedImages
from radar.data.decoding import place_map
from radar.data.sample import Sample
from radar.evaluation.image_metrics import image_metrics, per_defect_metrics
from radar.evaluation.pixel_metrics import pixel_metrics_of
from radar.evaluation.statistics_noise import feature_statistics, noise_statistics
from radar.files import write_csv
from radar.scoring.features import FEATURE_NAMES
from radar.scoring.scorer import Scores

SCORE_COLUMNS = ("path", "split", "label", "defect", "group", *FEATURE_NAMES, "score", "decision")


@dataclass(frozen=True)
class Scored:
    """A split's samples with their scores, in the same order."""

    loaded: LoadedImages
    scores: Scores


def test_metrics(test: Scored) -> dict[str, Any]:
    """Image, feature and per-defect metrics of the test images, at the detector's own threshold."""
    labels, scores = test.loaded.labels, test.scores
    defects = [sample.defect for sample in test.loaded.samples]
    return {
        "image": image_metrics(labels, scores.scores, scores.decisions).to_dict(),
        "features": {
            name: {"auroc": _auroc(labels, scores.features[:, column])} for column, name in enumerate(FEATURE_NAMES)
        },
        "defects": {
            each.defect: each.to_dict() for each in per_defect_metrics(labels, scores.scores, scores.decisions, defects)
        },
    }


def pixel_metrics(dataset: Dataset, test: Scored, aupro_limit: float) -> dict[str, Any]:
    """Pixel metrics of the test images' anomaly maps, at the size of the masks."""
    return pixel_metrics_of(_placed(dataset, test), aupro_limit).to_dict()


def noise_hypothesis(
    noise_maps: NDArray[np.float32], test: LoadedImages, settings: NoiseStatisticsConfig, seed: int
) -> dict[str, Any]:
    """Statistics of the test images' noise maps `(N, C, H, W)`, normal against anomalous."""
    groups = [sample.group for sample in test.samples]
    return noise_statistics(noise_maps, test.images.cpu().numpy(), test.labels, groups, settings=settings, seed=seed)


def feature_hypothesis(test: Scored, settings: NoiseStatisticsConfig, seed: int) -> dict[str, Any]:
    """The same distances for the features and the score."""
    groups = [sample.group for sample in test.loaded.samples]
    columns = {name: test.scores.features[:, column] for column, name in enumerate(FEATURE_NAMES)}
    return feature_statistics(
        {**columns, "score": test.scores.scores}, test.loaded.labels, groups, settings=settings, seed=seed
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


def write_scores(path: Path, splits: Sequence[Scored]) -> None:
    """`scores.csv`: one line per image of every split."""

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
        ]

    rows = [row(sample, each.scores, index) for each in splits for index, sample in enumerate(each.loaded.samples)]
    write_csv(path, SCORE_COLUMNS, rows)
