"""Normal images that are unlike the other ones: defective, perhaps, and learnt from as good."""

from __future__ import annotations

import numpy as np

from radar.report.result import Result
from radar.scoring.threshold import GAUSSIAN_MAD

_FAR = 5.0  # robust standard deviations above the median; how often sound images lie there: docs/quality.md
_LEAST = 10  # normal images of which a spread can be told
_LEFT_OUT = {"network", "densities"}  # what has learnt from an image finds it less odd


def suspects(result: Result) -> tuple[list[str], int]:
    """Paths of the normal images whose scores lie far above those of the others, the furthest first, and of how many they are.

    Far is measured by the median and the median absolute deviation (Rousseeuw and Croux 1993), which some bad images among the good
    ones hardly move. Images that everything had learnt from are not asked about, and a record tells no paths: of neither is any named.
    """
    asked = [each for each in result.normals if each.paths and _LEFT_OUT.intersection(each.unseen_by)]
    scores = np.concatenate([each.scores for each in asked]) if asked else np.empty(0)
    if scores.size < _LEAST:
        return [], scores.size
    above = scores - np.median(scores)
    spread = GAUSSIAN_MAD * np.median(np.abs(above))
    paths = [path for each in asked for path in each.paths]
    far = np.flatnonzero(above > _FAR * spread) if spread > 0 else np.empty(0, dtype=int)
    return [paths[index] for index in far[np.argsort(-above[far], kind="stable")]], scores.size
