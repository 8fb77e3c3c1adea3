"""What decides about an image and about a pixel of its map."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .entries import TEXT
from .map_levels import MapLevels

_LARGEST = float(np.finfo(np.float32).max)  # of a map's value


@dataclass(frozen=True, eq=False)
class CurrentThreshold:
    """Where defective begins, and the normal images beside which a score is extreme."""

    name: str = field(metadata=TEXT)  # of the version
    value: float  # an image is defective where its score lies above
    # a pixel is flagged where it belongs to a region above these
    map_levels: MapLevels = field(metadata={"minimum": -_LARGEST, "maximum": _LARGEST})
    normal_scores: NDArray[np.floating]  # (M,)

    def p_value(self, score: float) -> float:
        """Conformal p of an image's score: (1 + #{normals ≥ score}) / (normals + 1), small where it is extreme."""
        above = np.count_nonzero(self.normal_scores >= score)
        return float((1 + above) / (len(self.normal_scores) + 1))
