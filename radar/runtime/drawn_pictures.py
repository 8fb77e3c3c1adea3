"""Pictures that are drawn alike on every machine, and whether a graph says of them here what its model said where it was exported.

Libraries that run graphs rewrite them for the processor at hand, and may be wrong about it on one processor alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .philox import PhiloxStream
from .picture import Answers
from .preprocessing import FloatArray
from .region_of_interest import PLANE

ANSWERS = "drawn_answers.float32"  # maps, points and scores, one after the other, little-endian
IDENTITIES = ("drawn/0", "drawn/1")
TOLERANCE = 1e-4  # of a map's maximum, of a point, of a threshold's size or 1: what float32 in another order may change
_SCORE_TOLERANCE = 1e-2  # of a score's size or 1: rounding may lead a picture to another leaf of a few trees


class Difference(NamedTuple):
    """How far answers are from others; no number where they hold one that is none."""

    maps: float  # largest, of the maps' maximum
    points: float  # largest, of the point
    scores: float  # largest, of the score's size or 1
    decisions: int  # that are not those of its own scores

    @property
    def is_rounding(self) -> bool:
        """Whether float32 in another order explains it."""
        within = self.maps <= TOLERANCE and self.points <= TOLERANCE and self.scores <= _SCORE_TOLERANCE
        return within and not self.decisions


def drawn_planes(names: tuple[str, ...], height: int, width: int) -> FloatArray:
    """Planes `(N, P, height, width)` in [−1, 1], a picture for each of `IDENTITIES`: noise.

    A region of interest has corners, and borders along and across the picture's.
    """
    shape = (len(names), height, width)
    planes = np.stack([2 * PhiloxStream(0, f"{each}/planes", 0).uniform(shape) - 1 for each in IDENTITIES])
    if names[-1] == PLANE:
        planes[:, -1] = -1
        planes[:, -1, height // 5 :, : width - width // 4] = 1
    return planes


def packed(answers: Answers) -> bytes:
    """What `ANSWERS` holds."""
    arrays = (answers.maps, answers.points, answers.scores)
    return b"".join(np.ascontiguousarray(each, dtype="<f4").tobytes() for each in arrays)


def packed_size(points: int, height: int, width: int) -> int:
    """Bytes of answers with `points` numbers each."""
    return 4 * len(IDENTITIES) * (height * width + points + 1)


def difference(answers: Answers, content: bytes, threshold: float) -> Difference:
    """Between answers and packed ones of the same shapes, and between decisions and `threshold`, where rounding does not decide."""
    maps, points, scores = _unpacked(content, answers)
    clear = np.abs(answers.scores - threshold) > TOLERANCE * max(1.0, abs(threshold))
    with np.errstate(all="ignore"):
        return Difference(
            float(np.abs(answers.maps - maps).max() / np.abs(maps).max()),
            float(np.abs(answers.points / points - 1).max()),
            float((np.abs(answers.scores - scores) / np.maximum(1, np.abs(scores))).max()),
            int((answers.decisions != (answers.scores > threshold))[clear].sum()),
        )


def _unpacked(content: bytes, like: Answers) -> list[NDArray[np.float64]]:
    arrays = (like.maps, like.points, like.scores)
    parts = np.split(
        np.frombuffer(content, dtype="<f4").astype(np.float64), np.cumsum([each.size for each in arrays[:-1]])
    )
    return [part.reshape(each.shape) for part, each in zip(parts, arrays, strict=True)]
