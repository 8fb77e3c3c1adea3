"""Which test images a report shows: the clearest right calls, the worst wrong ones, those nearest to the threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind = Literal["right", "wrong", "borderline"]


@dataclass(frozen=True, slots=True)
class PanelChoice:
    """One chosen test image: its position in the test set, why it was chosen, and that in words."""

    index: int
    kind: Kind
    caption: str


def select_panels(
    labels: ArrayLike, scores: ArrayLike, decisions: ArrayLike, threshold: float, count: int
) -> tuple[PanelChoice, ...]:
    """Choose up to `count` test images of each kind; none twice, so a small test set gives fewer.

    `labels` (N,) 0 / 1, `scores` (N,), `decisions` (N,) bool, all against `threshold` in the scores' unit. *Right* are
    correct calls farthest from the threshold, normal and anomalous taking turns; *wrong* the wrong calls farthest from
    it or, where no call is wrong, the right ones nearest to it; *borderline* those of the others nearest to it, but no
    more than half of those that are left, so that none of them is farther than a right one. Right
    ones come first, then wrong, then borderline. Equal distances keep the test set's order.
    """
    truth, called = np.asarray(labels) == 1, np.asarray(decisions, dtype=np.bool_)
    distance = np.abs(np.asarray(scores, dtype=np.float64) - threshold)
    nearest = np.argsort(distance, kind="stable")
    farthest = np.argsort(-distance, kind="stable")
    correct = truth == called
    wrong = [int(index) for index in farthest if not correct[index]] or [int(index) for index in nearest]
    wrong = wrong[:count]
    others = [int(index) for index in nearest if index not in wrong]
    borderline = others[: min(count, len(others) // 2)]
    shown = {*wrong, *borderline}
    right = [index for index in _turns(farthest, truth) if correct[index] and index not in shown][:count]
    return (
        *(PanelChoice(index, "right", _right(bool(truth[index]))) for index in right),
        *(PanelChoice(index, "wrong", _wrong(bool(truth[index]), bool(called[index]))) for index in wrong),
        *(PanelChoice(index, "borderline", _borderline(truth[index], called[index])) for index in borderline),
    )


def _turns(order: NDArray[np.intp], truth: NDArray[np.bool_]) -> list[int]:
    """`order` with anomalous and normal images taking turns, as long as both last."""
    rank = np.empty(order.size, dtype=np.intp)
    for side in (order[truth[order]], order[~truth[order]]):
        rank[side] = np.arange(side.size)
    return sorted((int(index) for index in order), key=lambda index: (rank[index], not truth[index]))


def _right(anomalous: bool) -> str:
    """Caption of a clear right call."""
    return f"clear right call: {'defect found' if anomalous else 'normal passed'}"


def _wrong(anomalous: bool, called: bool) -> str:
    """Caption of a wrong call, or of the right one nearest to being wrong."""
    if anomalous == called:
        return f"no call is wrong; nearest to it: {'defect found' if anomalous else 'normal passed'}"
    return f"wrong call: {'defect missed' if anomalous else 'false alarm'}"


def _borderline(anomalous: bool, called: bool) -> str:
    """Caption of a call that is nearest to the threshold but for those of another kind; it need not be near."""
    outcome = {
        (True, True): "defect found",
        (True, False): "defect missed",
        (False, True): "false alarm",
        (False, False): "normal passed",
    }[bool(anomalous), bool(called)]
    return f"nearest of the others: {outcome}"
