"""A model asked about photos: what it says of each, in the original's own pixels."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from radar.data.decoding import BoolArray, FloatArray
from radar.data.images import Images
from radar.data.preprocessing import Frame, place_map, plane_names
from radar.data.sample import UNKNOWN_DEFECT, UNKNOWN_LABEL, Sample
from radar.deploy.photo import Photo, Picture
from radar.deploy.prediction import DEFECTIVE, GOOD, UNREADABLE, Prediction
from radar.deploy.regions import regions
from radar.errors import RadarError
from radar.model import Model
from radar.scoring.map_levels import region_pixels

MODEL_DIGITS = 12  # of the fingerprint, in a line
_KNOWN_OF_READABLE = (
    "score", "p_value", "region_count", "flagged_area", "flagged_share", "width", "height", "brightness", "sharpness",
    "milliseconds",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Drawable:
    """What pictures are drawn of: both `(H, W)`, at the original's own pixels."""

    anomaly_map: FloatArray  # 0 where the model does not look
    flagged: BoolArray  # the pixels of its regions


@dataclass(frozen=True, eq=False)
class Examined:
    """A photo and what is said of it; `drawable` is None where it is unreadable."""

    photo: Photo
    prediction: Prediction
    drawable: Drawable | None


@dataclass(frozen=True, eq=False)
class _Answer:
    """What a model says of one picture."""

    score: float
    decision: str
    anomaly_map: FloatArray  # of the model's picture
    seconds: float  # the picture's share of the pass


def examine(model: Model, photos: Sequence[Photo], most_regions: int) -> list[Examined]:
    """What `model` says of photos, whose readable ones have one size and share a pass."""
    answers = _answers(model, [(photo, photo.picture) for photo in photos if photo.picture is not None])
    examined = []
    for photo in photos:
        answer = next(answers) if photo.picture is not None else None
        if photo.picture is None or answer is None:
            examined.append(_unreadable(model, photo, photo.error or "the model does not take an image of this size"))
        elif not math.isfinite(answer.score):  # compared with the threshold it would read as good
            examined.append(_unreadable(model, photo, f"its score is {answer.score}"))
        else:
            examined.append(_judged(model, photo, photo.picture, answer, most_regions))
    return examined


def _answers(model: Model, pictures: Sequence[tuple[Photo, Picture]]) -> Iterator[_Answer | None]:
    began = time.perf_counter()
    try:
        scores = model.score(as_images(model, pictures)) if pictures else None
    except (RadarError, RuntimeError, ValueError):
        if model.config.dataset.image.size is not None:
            raise
        scores = None  # images keep their own size, which the method does not take
    seconds = (time.perf_counter() - began) / max(len(pictures), 1)
    for place in range(len(pictures)):
        if scores is None:
            yield None
        else:
            decision = DEFECTIVE if scores.decisions[place] else GOOD
            yield _Answer(float(scores.scores[place]), decision, scores.anomaly_maps[place].cpu().numpy(), seconds)


def as_images(model: Model, pictures: Sequence[tuple[Photo, Picture]]) -> Images:
    """Photos of one size, read for `model`, as it scores them."""
    samples = [
        Sample(str(photo.path), picture.identity, "test", UNKNOWN_LABEL, UNKNOWN_DEFECT, None, str(photo.path))
        for photo, picture in pictures
    ]
    planes = torch.from_numpy(np.stack([picture.planes for _, picture in pictures]))
    frames = tuple(picture.frame for _, picture in pictures)
    return Images(planes, plane_names(model.config.dataset.image), tuple(samples), frames)


def _judged(model: Model, photo: Photo, picture: Picture, answer: _Answer, most_regions: int) -> Examined:
    began, threshold, frame = time.perf_counter(), model.thresholds.current, picture.frame
    anomaly_map = _whole_map(answer.anomaly_map, frame)
    flagged, found = regions(anomaly_map, threshold.map_levels, region_pixels(frame.height * frame.width))
    area = int(flagged.sum())
    prediction = Prediction(
        **_common(model, photo),
        decision=answer.decision,
        score=answer.score,
        p_value=model.thresholds.p_value(answer.score),
        region_count=len(found),
        flagged_area=area,
        flagged_share=area / flagged.size,
        regions=tuple(found[:most_regions]),
        width=frame.image_width,
        height=frame.image_height,
        brightness=picture.brightness,
        sharpness=picture.sharpness,
        milliseconds=round(1000 * (photo.seconds + answer.seconds + time.perf_counter() - began), 3),
        error=None,
    )
    return Examined(photo, prediction, Drawable(anomaly_map, flagged))


def _unreadable(model: Model, photo: Photo, error: str) -> Examined:
    unknown: dict[str, Any] = dict.fromkeys(_KNOWN_OF_READABLE)
    prediction = Prediction(**_common(model, photo), **unknown, decision=UNREADABLE, regions=(), error=error)
    return Examined(photo, prediction, None)


def _common(model: Model, photo: Photo) -> dict[str, Any]:
    threshold = model.thresholds.current
    return {
        "path": str(photo.path),
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "threshold": threshold.value,
        "threshold_name": threshold.name,
        "content_hash": photo.content_hash,
        "bytes": None if photo.stamp is None else photo.stamp.bytes,
        "modified_ns": None if photo.stamp is None else photo.stamp.modified_ns,
        "model": model.fingerprint[:MODEL_DIGITS],
    }


def _whole_map(anomaly_map: FloatArray, frame: Frame) -> FloatArray:
    """A map of the model's picture at all pixels of the original."""
    whole = np.zeros((frame.image_height, frame.image_width), dtype=np.float32)
    whole[frame.visible] = place_map(anomaly_map, frame)
    return whole
