"""What decides about an image and about a pixel of its map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .map_levels import MapLevels


@dataclass(frozen=True, eq=False)
class CurrentThreshold:
    """Where defective begins, and the normal images beside which a score is extreme."""

    name: str  # of the version
    value: float  # an image is defective where its score lies above
    map_levels: MapLevels  # a pixel is flagged where it belongs to a region above these
    normal_scores: NDArray[np.floating]  # (M,)

    def p_value(self, score: float) -> float:
        """Conformal p of an image's score: (1 + #{normals ≥ score}) / (normals + 1), small where it is extreme."""
        above = np.count_nonzero(self.normal_scores >= score)
        return float((1 + above) / (len(self.normal_scores) + 1))
