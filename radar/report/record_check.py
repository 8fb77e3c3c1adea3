"""Whether counts, decisions and AUROC that a record states are what its labels and scores give: records are edited, and merged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radar.evaluation.image_metrics import image_metrics, per_defect_metrics
from radar.report.result import Floats, Result

_OF_IMAGES = (
    "normal",
    "anomalous",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "f1_all_anomalous",
    "false_positive_rate",
    "auroc",
)
_OF_DEFECTS = ("count", "recall", "auroc")
_ROUNDING = 1e-9


def check_metrics(result: Result) -> None:
    """Raise `ValueError` where counts, decisions or AUROC are stated otherwise, of all images or of a class of defects.

    Raises `DataError` where labels or scores are none.
    """
    normal, anomalous = result.labels == 0, result.labels == 1
    found = image_metrics(result.labels, result.scores, result.decisions)
    _compare("image", _OF_IMAGES, found, result.metrics.image, _tied(result.scores, normal, anomalous))
    named = np.array([image.defect for image in result.images])
    of_classes = per_defect_metrics(result.labels, result.scores, result.decisions, named.tolist())
    own = {each.defect: each for each in of_classes}
    if own.keys() != result.metrics.defects.keys():
        raise ValueError(
            f"metrics/defects: are {', '.join(result.metrics.defects)}, and its images show {', '.join(own)}"
        )
    for name, each in own.items():
        tied = _tied(result.scores, normal, anomalous & (named == name))
        _compare(f"defects/{name}", _OF_DEFECTS, each, result.metrics.defects[name], tied)


def _tied(scores: Floats, normal: NDArray[np.bool_], members: NDArray[np.bool_]) -> float:
    """By how much AUROC may differ since scores were rounded: each pair that is equal now may have been none."""
    values, counts = np.unique(scores[normal], return_counts=True)
    known = np.isin(scores[members], values)
    ties = counts[np.searchsorted(values, scores[members][known])].sum()
    return float(0.5 * ties / max(1, normal.sum() * members.sum()))


def _compare(place: str, names: tuple[str, ...], found: object, stated: object, tied: float) -> None:
    for name in names:
        own, other = getattr(found, name), getattr(stated, name)
        allowed = _ROUNDING + (tied if name == "auroc" else 0)
        if (own is None) != (other is None) or (own is not None and abs(own - other) > allowed):
            raise ValueError(f"metrics/{place}/{name} is {other}, and its own scores and labels give {own}")
