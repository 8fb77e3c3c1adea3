"""From scores to what `metrics.json` and `scores.csv` hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from radar.config.schema import NoiseStatisticsConfig
from radar.data.dataset import Dataset
from radar.data.images import Images
from radar.data.preprocessing import has_colour
from radar.data.sample import Split
from radar.errors import RunError
from radar.evaluation.border_share import area_share, area_share_inside, border_share
from radar.evaluation.data_measures import defect_measures, spectral_flatness
from radar.evaluation.image_metrics import auroc, image_metrics, per_defect_metrics
from radar.evaluation.metrics import BorderMetrics, Distances, FeatureMetrics, NoiseMetrics, Quality
from radar.evaluation.pixel_metrics import PixelItem, PixelMetrics, pixel_metrics_of
from radar.evaluation.statistics_noise import feature_statistics, noise_statistics
from radar.files import Plain, write_csv
from radar.model import Scores
from radar.rasters import Rasters
from radar.runtime.placement import place_map, placed, placed_region
from radar.runtime.preprocessing import LUMA, FloatArray, Frame

SAMPLE_COLUMNS = ("path", "split", "label", "defect", "group")
DEFECT_COLUMNS = ("defect_area", "defect_contrast")
UNSEEN_BY = "unseen_by"  # a column: what had not learnt from the image, names with a space between


def feature_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """Those of `scores.csv` that hold what the detector judged: they stand between the sample's and the score."""
    known = {*SAMPLE_COLUMNS, "score", "decision", UNSEEN_BY, *DEFECT_COLUMNS}
    return tuple(name for name in columns if name not in known)


@dataclass(frozen=True, eq=False)
class Scored:
    """Images with their scores, in the same order, and what had not learnt from them: see `Calibration`."""

    images: Images
    scores: Scores
    unseen_by: tuple[str, ...]


def quality(test: Scored, pixel: PixelMetrics | None) -> Quality:
    """What the test images' scores and decisions are worth, at the model's own threshold, beside their `pixel` metrics.

    Raises `RunError` where a score is no finite number.
    """
    labels, scores = test.images.labels, test.scores
    for sample, score in zip(test.images.samples, scores.scores, strict=True):
        if not np.isfinite(score):
            raise RunError(
                f"{sample.path}: its score is {score:g}, no finite number; look for blank photos among those that were learnt "
                "from, or use another method"
            )
    found = per_defect_metrics(labels, scores.scores, scores.decisions, test.images.defects)
    return Quality(
        image_metrics(labels, scores.scores, scores.decisions),
        {
            name: FeatureMetrics(_auroc(labels, scores.points[:, column]))
            for column, name in enumerate(scores.point_names)
        },
        {each.defect: each for each in found},
        pixel,
    )


def pixel_metrics(dataset: Dataset, images: Images, maps: Sequence[Tensor], aupro_limit: float) -> PixelMetrics:
    """Pixel metrics of the test images' anomaly maps `(H, W)`, at the size of the masks."""
    return pixel_metrics_of(_placed(dataset, images, maps), aupro_limit)


def noise_hypothesis(
    noise: Rasters, test: Images, groups: Sequence[str], settings: NoiseStatisticsConfig, seed: int
) -> NoiseMetrics:
    """Statistics of the noise `(C, H, W)` predicted for the test images, normal against anomalous; whole `groups` (N,) move."""
    maps, planes = ([each.numpy() for each in rasters] for rasters in (noise, test.network_planes))
    return noise_statistics(maps, planes, test.labels, groups, settings=settings, seed=seed)


def separation(test: Scored, groups: Sequence[str], settings: NoiseStatisticsConfig, seed: int) -> dict[str, Distances]:
    """How far the features and the score of normal and of anomalous test images lie apart; whole `groups` (N,) move."""
    columns = {name: test.scores.points[:, column] for column, name in enumerate(test.scores.point_names)}
    columns["score"] = test.scores.scores
    return feature_statistics(columns, test.images.labels, groups, settings=settings, seed=seed)


def border_metrics(test: Scored, validation: Scored | None, width: int) -> BorderMetrics:
    """How much of normal images' high pixels lies within `width` px of the border, of test images and of held-out ones."""
    scored = [None if each is None else _border_shares(each, width) for each in (test, validation)]
    areas = [each[0] for each in scored if each is not None and each[0] is not None]
    return BorderMetrics(width, areas[0] if areas else None, *(None if each is None else each[1] for each in scored))


def _border_shares(scored: Scored, width: int) -> tuple[float | None, float | None]:
    """Of normal images what lies near the border: of their pixels, and of their highest; None where there are none."""
    normal = [index for index, label in enumerate(scored.images.labels) if label == 0]
    maps = [scored.scores.anomaly_maps[index].numpy() for index in normal]
    insides = _own_fields(scored.images, normal, maps)
    areas = [
        area_share(each.shape[0], each.shape[1], width) if inside is None else area_share_inside(inside, width)
        for each, inside in zip(maps, insides, strict=True)
    ]
    highest = border_share(maps, width, [each for each in insides if each is not None])
    return float(np.mean(areas)) if areas else None, highest


def _own_fields(
    images: Images, chosen: Sequence[int], maps: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.bool_] | None]:
    """Of each of the `chosen` images, which pixels of its map (h, w) are of interest and its own, not what `aspect: pad` adds; None of
    each where that is all of every map."""
    found = [images.inside(index) for index in chosen]
    frames = [images.frames[index] for index in chosen]
    if any(inside is not None for inside in found) or all(each.shape == (each.height, each.width) for each in frames):
        return found
    return [_own_field(frame, *each.shape) for frame, each in zip(frames, maps, strict=True)]


def _own_field(frame: Frame, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels of a picture (h, w) whose centres lie in the photo."""
    rows, columns = (
        (np.arange(count) + 0.5) * side / count + first
        for count, side, first in ((height, frame.height, frame.top), (width, frame.width, frame.left))
    )
    return np.outer((rows > 0) & (rows < frame.image_height), (columns > 0) & (columns < frame.image_width))


def _auroc(labels: NDArray[np.int64], values: NDArray[np.float64]) -> float | None:
    return auroc(labels == 1, values) if len(np.unique(labels)) == 2 else None


def _placed(dataset: Dataset, images: Images, maps: Sequence[Tensor]) -> Iterator[PixelItem]:
    """Each test image's map and region at its mask's own size, one at a time. A set without any mask yields nothing."""
    if not any(sample.mask for sample in images.samples):
        return
    for index, sample in enumerate(images.samples):
        anomaly_map, inside = placed(maps[index].cpu().numpy(), images.inside(index), images.frames[index])
        yield anomaly_map, dataset.mask(sample) if sample.mask or not sample.label else None, sample.label, inside


def data_measures(dataset: Dataset, images: Mapping[Split, Images]) -> dict[str, Plain]:
    """Spectral flatness of the training images, whether any is coloured, and area and contrast of each masked defect in the test
    set, by path."""
    test, defects = images["test"], dict[str, Plain]()
    for index, sample in enumerate(test.samples):
        if sample.label and sample.mask:
            picture, frame = _brightness(test.network_planes[index]), test.frames[index]
            inside = test.inside(index)
            shown = None if inside is None else placed_region(inside, frame)
            measured = defect_measures(place_map(picture, frame), dataset.mask(sample), shown)
            if measured is not None:
                defects[sample.path] = asdict(measured)
    flatness = spectral_flatness(_brightness(image) for image in images["train"].network_planes)
    coloured = any(has_colour(dataset.layout.pixels(sample.path)) for sample in images["train"].samples)
    return {"spectral_flatness": flatness, "coloured": coloured, "defects": defects}


def _brightness(planes: Tensor) -> FloatArray:
    """(H, W) of the planes (C, H, W) that networks see: the only one, or the luma of red, green and blue."""
    return planes[0].numpy() if len(planes) == 1 else np.tensordot(LUMA, planes.numpy(), 1)


def write_scores(path: Path, splits: Sequence[Scored], defects: Mapping[str, Plain]) -> None:
    """`scores.csv`: one line per image of every split; the measures of `defects` by path, empty where there are none."""
    names = splits[0].scores.point_names
    columns = (*SAMPLE_COLUMNS, *names, "score", "decision", UNSEEN_BY, *DEFECT_COLUMNS)
    write_csv(path, columns, [row for each in splits for row in _rows(each, defects)])


def _rows(scored: Scored, defects: Mapping[str, Plain]) -> Iterator[list[Plain]]:
    for index, sample in enumerate(scored.images.samples):
        told: Mapping[str, Plain] = {name: getattr(sample, name) for name in SAMPLE_COLUMNS}
        points: list[Plain] = [float(value) for value in scored.scores.points[index]]
        decided: list[Plain] = [
            float(scored.scores.scores[index]),
            int(scored.scores.decisions[index]),
            " ".join(scored.unseen_by),
        ]
        measured = defects.get(sample.path)
        found = measured if isinstance(measured, dict) else {}
        yield [*told.values(), *points, *decided, *(found.get(name.removeprefix("defect_")) for name in DEFECT_COLUMNS)]
