"""A new threshold for a fitted model: from the scores of normal photos, with what so many can promise, or by hand."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from radar.config.schema import DatasetConfig
from radar.data.decoding import FloatArray
from radar.data.file_reader import FileReader
from radar.data.learnt_images import LearntImages, RecordedGroups, RecordedImages
from radar.data.manifest import read_manifest
from radar.data.near_duplicates import THUMBNAIL_SIDE
from radar.data.preprocessing import thumbnail
from radar.data.sample import Sample
from radar.deploy.scorer import ModelScorer
from radar.errors import DataError
from radar.experiment.recorded_root import recorded_root
from radar.experiment.run_directory import RunDirectory
from radar.model import Calibration, Model
from radar.model_folder import FOLDER
from radar.runtime.errors import ImageError
from radar.runtime.stream import batches, read_ahead
from radar.scoring.forest import Floats
from radar.scoring.map_levels import MapLevels, map_levels, map_tops
from radar.scoring.threshold import grouped_quantile
from radar.thresholds import Threshold

_MANIFEST = "manifest.csv"  # of a run directory, above its model


@dataclass(frozen=True, eq=False)
class ScoredPhoto:
    """A photo's score, and by what its content is known."""

    path: str
    identity: str  # content hash, as manifests have it
    score: float
    map_tops: Floats | None  # (2,), how high its map rises; None where the score was read, not computed
    thumbnail: FloatArray | None  # by which photos that are nearly the same are known; None likewise


@dataclass(frozen=True)
class UnscoredPhoto:
    """A photo that has no score, and why."""

    path: str
    error: str


def scored(model: Model, paths: Iterable[Path], decode_ahead: int) -> Iterator[ScoredPhoto | UnscoredPhoto]:
    """The scores that `model` gives the files at `paths`, in their order, in bounded memory; a bad file stops nothing."""
    scorer = ModelScorer(model)
    for batch in batches(read_ahead(paths, scorer, decode_ahead), scorer.pictures_per_pass):
        readable = [photo.picture for photo in batch if photo.picture is not None]
        yield from (UnscoredPhoto(str(photo.path), str(photo.error)) for photo in batch if photo.picture is None)
        if not readable:
            continue
        try:
            answers = scorer.answers(readable)
        except ImageError as error:
            yield from (UnscoredPhoto(str(picture.path), str(error)) for picture in readable)
            continue
        regions = [torch.from_numpy(picture.inside) for picture in readable if picture.inside is not None]
        all_tops = map_tops([*torch.from_numpy(answers.maps)], regions or None)
        for picture, score, tops in zip(readable, answers.scores, all_tops, strict=True):
            if math.isfinite(score):
                small = thumbnail(picture.pixels, THUMBNAIL_SIDE)
                yield ScoredPhoto(str(picture.path), picture.identity, float(score), tops, small)
            else:
                yield UnscoredPhoto(str(picture.path), f"its score is {score}")


def learnt_images(run_or_folder: Path, layout: str) -> LearntImages | None:
    """What the model of a run, or in a model's folder, has learnt from images of a `layout`; None where no list of it is there.

    The list is the run directory's manifest; a model's folder that was copied alone has none. Raises `DataError` for a damaged one.
    """
    samples = _recorded(run_or_folder)
    return None if samples is None else LearntImages.of(samples, layout)


def recorded_groups(run_or_folder: Path, dataset: DatasetConfig) -> RecordedGroups | None:
    """The groups in which a run on `dataset` counted its images; None, and errors, likewise."""
    samples = _recorded(run_or_folder)
    return None if samples is None else RecordedGroups.of(samples, dataset)


def learnt_files(run_or_folder: Path) -> list[tuple[Path, str]] | None:
    """Where the images lie that a run has learnt from or held out, and their content hashes; none of drawn ones, and none where no
    list of them, or no word of their folder, is there; None where their folder is not found. Raises `DataError` and `StoredError` for
    what is damaged.
    """
    samples, run = _recorded(run_or_folder), RunDirectory(_run_of(run_or_folder))
    dataset = run.read_config().get("dataset") if run.config.is_file() else None
    root = dataset.get("root") if isinstance(dataset, dict) else None
    if samples is None or not isinstance(root, str):
        return []
    if (folder := recorded_root(run.path, root, samples)) is None:
        return None
    return [(folder / sample.path, sample.content_hash) for sample in samples if sample.split != "test"]


def called_defective(
    run_or_folder: Path, layout: str, photos: Iterable[ScoredPhoto], files: FileReader
) -> list[ScoredPhoto]:
    """Those that are defective images of the run's own data set; none where no list of those is there. Raises `DataError` for a
    damaged one."""
    samples = _recorded(run_or_folder) or ()
    defective = RecordedImages.of([sample for sample in samples if sample.label == 1], layout)
    return [photo for photo in photos if defective.has(Path(photo.path), photo.identity, files)]


def _recorded(run_or_folder: Path) -> tuple[Sample, ...] | None:
    manifest = _run_of(run_or_folder) / _MANIFEST
    return read_manifest(manifest) if manifest.is_file() else None


def _run_of(run_or_folder: Path) -> Path:
    here = run_or_folder.resolve()
    return here.parent if here.name == FOLDER else here


def usable(photos: Iterable[ScoredPhoto], learnt: Collection[str]) -> tuple[list[ScoredPhoto], list[ScoredPhoto], int]:
    """Photos whose scores are like those of new ones; those that the model was fitted on, scored too low; how many repeat others.

    Both are known by their content, so a copy under another name is recognised, and one that was encoded anew is not.
    """
    kept: dict[str, ScoredPhoto] = {}
    fitted: list[ScoredPhoto] = []
    repeated = 0
    for photo in photos:
        if photo.identity in learnt:
            fitted.append(photo)
        elif photo.identity in kept:
            repeated += 1
        else:
            kept[photo.identity] = photo
    return list(kept.values()), fitted, repeated


def from_normals(
    calibration: Calibration,
    normals: Sequence[ScoredPhoto],
    groups: Sequence[str],
    false_alarms: float,
    *,
    name: str,
    source: str,
    origin: str,
) -> Threshold:
    """The conformal quantile of the scores of n normal photos in `groups` (n,): of photos of a new group, taken alike, at most
    `false_alarms` are expected above it.

    Raises `DataError` where G groups cannot promise that rate, which must be 1 / (G + 1) at least (Vovk et al. 2005; Lee, Barber and
    Willett 2023): the largest score would then be a threshold that promises less than was asked for.
    """
    count = len(set(groups))
    if false_alarms * (count + 1) < 1:
        raise DataError(f"{origin}: {_too_few(len(normals), count, false_alarms)}")
    scores = np.array([photo.score for photo in normals])
    value = grouped_quantile(scores, groups, false_alarms)
    tops = [photo.map_tops for photo in normals if photo.map_tops is not None]
    computed = len(tops) == len(normals)
    levels = map_levels(np.stack(tops), false_alarms, groups) if computed else levels_like(calibration, value)
    return Threshold(name, value, levels, source, origin, _now(), false_alarms, scores, count)


def _too_few(photos: int, groups: int, false_alarms: float) -> str:
    """What so many cannot promise, and what helps."""
    needed, best = math.ceil(1 / false_alarms - 1e-9) - 1, math.ceil(1000 / (groups + 1)) / 1000
    alone = groups == photos
    found = (
        f"{photos} usable normal images"
        if alone
        else f"{photos} usable normal images of {groups} group{'s'[: groups - 1]}"
    )
    more = f"needs {needed}; give more" if alone else f"needs {needed} groups; give photos of more sheets or batches"
    instead = f", or ask for --false-alarms {best:g} or more" if best < 1 else ""
    apart = "" if alone else ", or say group=none where photos do not belong together"
    return f"{found} cannot promise {false_alarms} false alarms, which {more}{instead}{apart}"


def by_hand(calibration: Calibration, value: float, *, name: str, reason: str = "") -> Threshold:
    """A threshold that somebody chose by hand, and why; it promises nothing."""
    value += 0.0  # of a zero, never the one below it, which would be told as -0
    return Threshold(name, value, levels_like(calibration, value), "hand", reason, _now(), None, np.zeros(0), None)


def levels_like(calibration: Calibration, value: float) -> MapLevels:
    """Map levels that as few of the normals' maps exceed as their scores exceed `value`, where no map of other images is known."""
    above = np.count_nonzero(calibration.scores > value)
    return map_levels(calibration.map_tops, (1 + above) / (len(calibration.scores) + 1))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
