"""How well images are told apart: by the detector's own threshold, by ranking, and per class of defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, f1_score, precision_score, roc_auc_score

from radar.errors import DataError
from radar.evaluation.typed_sections import Share


@dataclass(frozen=True, slots=True)
class ImageMetrics:
    """Image-level measures, each in [0, 1]; `None` where the test set cannot define it.

    `accuracy`, `precision`, `recall`, `f1` and `false_positive_rate` judge the detector's own decisions; precision is 0
    where nothing is called anomalous (scikit-learn's `zero_division=0`). `f1_max_oracle` **peeks**: the best F1 of any
    threshold on the test scores, so no detector earns it. `f1_all_anomalous` is the trivial F1 of calling every image
    anomalous, to be printed beside every other F1. Measures that weigh one class against the other (precision, every
    F1, AUROC, average precision) need both; recall needs an anomalous image, the false positive rate a normal one.
    """

    normal: int
    anomalous: int
    accuracy: Share
    precision: Share | None
    recall: Share | None
    f1: Share | None
    false_positive_rate: Share | None
    auroc: Share | None
    average_precision: Share | None
    f1_max_oracle: Share | None
    f1_all_anomalous: Share | None


@dataclass(frozen=True, slots=True)
class DefectMetrics:
    """Measures of one class of defect: `auroc` sets it against all normal images (`None` where there are none)."""

    defect: str
    count: int
    recall: Share
    auroc: Share | None


def image_metrics(labels: ArrayLike, scores: ArrayLike, decisions: ArrayLike) -> ImageMetrics:
    """Measure the scores and decisions of one test set.

    `labels` (N,) 0 normal / 1 anomalous; `scores` (N,) finite, higher is more anomalous; `decisions` (N,) bool, True
    where the detector calls the image anomalous. Raises `DataError` where shapes or values are wrong or N is 0.
    """
    truth, ranking, called = _checked(labels, scores, decisions)
    normal, anomalous = int(np.sum(~truth)), int(np.sum(truth))
    both = normal > 0 and anomalous > 0
    return ImageMetrics(
        normal=normal,
        anomalous=anomalous,
        accuracy=float(np.mean(called == truth)),
        precision=float(precision_score(truth, called, zero_division=0)) if both else None,
        recall=_share(called[truth]),
        f1=float(f1_score(truth, called, zero_division=0)) if both else None,
        false_positive_rate=_share(called[~truth]),
        auroc=auroc(truth, ranking) if both else None,
        average_precision=float(average_precision_score(truth, ranking)) if both else None,
        f1_max_oracle=_f1_max_oracle(truth, ranking) if both else None,
        f1_all_anomalous=2 * anomalous / (normal + 2 * anomalous) if both else None,
    )


def per_defect_metrics(
    labels: ArrayLike, scores: ArrayLike, decisions: ArrayLike, defects: Sequence[str]
) -> tuple[DefectMetrics, ...]:
    """Measure every class of defect among the anomalous images, in alphabetical order of the class.

    Arguments as for `image_metrics`; `defects` (N,) names the class of each image (that of a normal image is not read).
    Raises `DataError` as `image_metrics` does.
    """
    truth, ranking, called = _checked(labels, scores, decisions)
    names = np.asarray(defects, dtype=np.str_)
    if names.shape != truth.shape:
        raise DataError(f"defects: {names.size} names for {truth.size} labels; give one name per image")
    return tuple(
        _one_defect(str(name), truth & (names == name), truth, ranking, called) for name in np.unique(names[truth])
    )


def _one_defect(
    name: str,
    members: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    ranking: NDArray[np.float64],
    called: NDArray[np.bool_],
) -> DefectMetrics:
    """Measures of the images in `members` (N,) against all normal ones."""
    compared = members | ~truth
    has_normal = not truth.all()
    return DefectMetrics(
        defect=name,
        count=int(members.sum()),
        recall=float(np.mean(called[members])),
        auroc=auroc(members[compared], ranking[compared]) if has_normal else None,
    )


def auroc(truth: NDArray[np.bool_], ranking: NDArray[np.float64]) -> float:
    """AUROC of the values `ranking` (N,), higher for those that are `truth` (N,), of which there are of both kinds.

    It is a number of half pairs over twice their number, so equal ones are equal to the bit, whatever they were summed up in.
    """
    positive = int(np.sum(truth))
    half_pairs = 2 * positive * (len(truth) - positive)
    return round(float(roc_auc_score(truth, ranking)) * half_pairs) / half_pairs


def _f1_max_oracle(truth: NDArray[np.bool_], ranking: NDArray[np.float64]) -> float:
    """Best F1 over every distinct threshold on the test scores themselves."""
    order = np.argsort(-ranking, kind="stable")
    lasts = np.flatnonzero(np.append(np.diff(ranking[order]) != 0, True))  # the last image of each distinct score
    found, called = np.cumsum(truth[order])[lasts], lasts + 1
    return float(np.max(2 * found / (called + truth.sum())))


def _share(called: NDArray[np.bool_]) -> float | None:
    """Share of True, or `None` of nothing."""
    return float(np.mean(called)) if called.size else None


def _checked(
    labels: ArrayLike, scores: ArrayLike, decisions: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_]]:
    """The three columns as arrays of one length, or `DataError`."""
    truth, ranking, called = np.asarray(labels), np.asarray(scores, dtype=np.float64), np.asarray(decisions)
    if not (truth.ndim == 1 and truth.shape == ranking.shape == called.shape and truth.size > 0):
        raise DataError(
            f"labels {truth.shape}, scores {ranking.shape} and decisions {called.shape}: "
            "give three columns of one length, with at least one image"
        )
    if not np.isin(truth, (0, 1)).all():
        raise DataError(f"labels must be 0 (normal) or 1 (anomalous), found {np.unique(truth).tolist()}")
    if not np.isfinite(ranking).all():
        first = int(np.flatnonzero(~np.isfinite(ranking))[0])
        raise DataError(f"scores[{first}] is {ranking[first]}, not finite; mend the model that gave it")
    if called.dtype != np.bool_:
        raise DataError(f"decisions must be bool (True: called anomalous), not {called.dtype}")
    return truth.astype(np.bool_), ranking, called
