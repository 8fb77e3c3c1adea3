"""A model asked about photos: what it says of each, in the original's own pixels."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from .errors import ImageError
from .map_levels import MapLevels, region_pixels
from .photo import Photo
from .picture import Answers, Picture, Scorer
from .pixel_sets import BoolArray
from .placement import placed
from .prediction import DEFECTIVE, GOOD, UNREADABLE, Prediction
from .preprocessing import FloatArray, Frame
from .regions import regions

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
    levels: MapLevels  # by which they are flagged
    inside: BoolArray | None = None  # the region of interest; None: all of it


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

    @staticmethod
    def of(answers: Answers, place: int, seconds: float) -> _Answer:
        decision = DEFECTIVE if answers.decisions[place] else GOOD
        return _Answer(float(answers.scores[place]), decision, answers.maps[place], seconds)


def examine(scorer: Scorer, photos: Sequence[Photo], most_regions: int) -> list[Examined]:
    """What `scorer` says of photos, whose readable ones have one size and share a pass."""
    began, pictures = time.perf_counter(), [photo.picture for photo in photos if photo.picture is not None]
    answers, refused = None, ""
    try:
        answers = scorer.answers(pictures) if pictures else None
    except ImageError as error:
        refused = str(error)
    seconds, place = (time.perf_counter() - began) / max(len(pictures), 1), 0
    examined = []
    for photo in photos:
        if photo.picture is None or answers is None:
            examined.append(_unreadable(scorer, photo, photo.error or refused))
        else:
            answer = _Answer.of(answers, place, seconds)
            examined.append(_judged(scorer, photo, photo.picture, answer, most_regions))
            place += 1
    return examined


def _judged(scorer: Scorer, photo: Photo, picture: Picture, answer: _Answer, most_regions: int) -> Examined:
    if not math.isfinite(answer.score):  # compared with the threshold it would read as good
        return _unreadable(scorer, photo, f"its score is {answer.score}")
    began, frame = time.perf_counter(), picture.frame
    anomaly_map, inside = _whole_map(answer.anomaly_map, picture.inside, frame)
    levels = scorer.threshold.map_levels
    looked_at = frame.height * frame.width if inside is None else int(inside.sum())
    flagged, found = regions(anomaly_map, levels, region_pixels(looked_at))
    area = int(flagged.sum())
    prediction = Prediction(
        **_common(scorer, photo),
        decision=answer.decision,
        score=answer.score,
        p_value=scorer.threshold.p_value(answer.score),
        region_count=len(found),
        flagged_area=area,
        flagged_share=area / (flagged.size if inside is None else max(1, looked_at)),
        regions=tuple(found[:most_regions]),
        width=frame.image_width,
        height=frame.image_height,
        brightness=picture.brightness,
        sharpness=picture.sharpness,
        milliseconds=round(1000 * (photo.seconds + answer.seconds + time.perf_counter() - began), 3),
        error=None,
    )
    return Examined(photo, prediction, Drawable(anomaly_map, flagged, levels, inside))


def _unreadable(scorer: Scorer, photo: Photo, error: str) -> Examined:
    unknown: dict[str, Any] = dict.fromkeys(_KNOWN_OF_READABLE)
    prediction = Prediction(**_common(scorer, photo), **unknown, decision=UNREADABLE, regions=(), error=error)
    return Examined(photo, prediction, None)


def _common(scorer: Scorer, photo: Photo) -> dict[str, Any]:
    return {
        "path": str(photo.path),
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "threshold": scorer.threshold.value,
        "threshold_name": scorer.threshold.name,
        "content_hash": photo.content_hash,
        "bytes": None if photo.stamp is None else photo.stamp.bytes,
        "modified_ns": None if photo.stamp is None else photo.stamp.modified_ns,
        "model": scorer.fingerprint[:MODEL_DIGITS],
    }


def _whole_map(anomaly_map: FloatArray, inside: BoolArray | None, frame: Frame) -> tuple[FloatArray, BoolArray | None]:
    """A map of the model's picture, and its region, at all pixels of the original."""
    here, within = placed(anomaly_map, inside, frame)
    whole = np.zeros((frame.image_height, frame.image_width), dtype=np.float32)
    whole[frame.visible] = here
    if within is None:
        return whole, None
    region = np.zeros(whole.shape, dtype=np.bool_)
    region[frame.visible] = within
    return whole, region
