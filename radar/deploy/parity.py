"""How far an exported model is from the one that it was exported from, on image files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radar.deploy.scorer import ModelScorer
from radar.errors import DataError, RunError
from radar.model import Model
from radar.runtime.drawn_pictures import TOLERANCE
from radar.runtime.errors import ImageError
from radar.runtime.exported import ExportedModel
from radar.runtime.stream import read_ahead


@dataclass(frozen=True)
class Disagreement:
    """An image that the two decide otherwise."""

    path: str
    score: float  # the model's
    exported_score: float
    threshold: float
    within: bool  # whether its score is so close to the threshold that rounding decides


@dataclass(frozen=True)
class Parity:
    """What was found on images."""

    images: int
    map_error: float  # largest difference of a map, of that map's maximum
    score_error: float  # largest difference of a score
    disagreements: tuple[Disagreement, ...]

    def holds(self, tolerance: float = TOLERANCE) -> bool:
        """Whether maps agree, and decisions but for scores at the threshold."""
        return self.map_error <= tolerance and all(each.within for each in self.disagreements)


def parity(model: Model, exported: ExportedModel, paths: Iterable[Path], tolerance: float = TOLERANCE) -> Parity:
    """Ask both about each of the files, which both can read. Raises `DataError` where one cannot, or there is none, and `RunError`
    where one of the two answers with what is no number, which nothing agrees with.
    """
    own, errors, scores, disagreements = ModelScorer(model), [], [], []
    files = list(paths)
    for mine, theirs in zip(read_ahead(files, own, 1), read_ahead(files, exported, 1), strict=True):
        if mine.picture is None or theirs.picture is None:
            raise DataError(f"{mine.path}: {mine.error or theirs.error}; leave it out")
        try:
            said, again = own.answers([mine.picture]), exported.answers([theirs.picture])
        except ImageError as error:
            raise DataError(f"{mine.path}: {error}; leave it out") from None
        for name, answers in (("the model", said), ("what was exported", again)):
            if not (np.isfinite(answers.maps).all() and np.isfinite(answers.scores).all()):
                raise RunError(f"{mine.path}: {name} answers with what is no number; do not use it")
        # a map that is 0 everywhere differs by as much as the other is high
        errors.append(float(np.abs(again.maps - said.maps).max() / (said.maps.max() or 1.0)))
        score, other = float(said.scores[0]), float(again.scores[0])
        scores.append(abs(score - other))
        if said.decisions[0] != again.decisions[0]:
            threshold = own.threshold.value
            within = abs(score - threshold) <= tolerance * max(1.0, abs(threshold))
            disagreements.append(Disagreement(str(mine.path), score, other, threshold, within))
    if not errors:
        raise DataError("no images to compare on; name a folder that holds some")
    return Parity(len(errors), float(np.max(errors)), float(np.max(scores)), tuple(disagreements))
