"""Which images a report shows."""

from __future__ import annotations

import numpy as np
import pytest

from radar.evaluation.selection import PanelChoice, select_panels

LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
SCORES = [0.1, 0.3, 0.49, 0.8, 0.2, 0.52, 0.7, 0.9]
CALLED = [score > 0.5 for score in SCORES]


def chosen(choices: tuple[PanelChoice, ...], kind: str) -> dict[int, str]:
    return {choice.index: choice.caption for choice in choices if choice.kind == kind}


def test_worked_example() -> None:
    choices = select_panels(LABELS, SCORES, CALLED, threshold=0.5, count=2)
    assert chosen(choices, "right") == {7: "clear right call: defect found", 0: "clear right call: normal passed"}
    assert chosen(choices, "wrong") == {3: "wrong call: false alarm", 4: "wrong call: defect missed"}
    assert chosen(choices, "borderline") == {
        2: "nearest of the others: normal passed",
        5: "nearest of the others: defect found",
    }
    assert [choice.kind for choice in choices] == ["right"] * 2 + ["wrong"] * 2 + ["borderline"] * 2


def test_worst_wrong_and_nearest_borderline_come_first() -> None:
    choices = select_panels(LABELS, SCORES, CALLED, threshold=0.5, count=1)
    assert list(chosen(choices, "wrong")) == [3]  # 0.30 beyond the threshold; image 4 is as far but comes later
    assert list(chosen(choices, "borderline")) == [2]


def test_without_a_wrong_call_the_nearest_to_wrong_is_shown_and_says_so() -> None:
    choices = select_panels([0, 0, 1, 1], [0.1, 0.4, 0.65, 0.9], [False, False, True, True], threshold=0.5, count=1)
    assert chosen(choices, "wrong") == {1: "no call is wrong; nearest to it: normal passed"}
    assert list(chosen(choices, "borderline")) == [2]


@pytest.mark.parametrize("outcome", ["all-wrong", "all-right", "random"])
@pytest.mark.parametrize("size", [1, 3, 40])
def test_no_image_is_chosen_twice_and_captions_hold(size: int, outcome: str) -> None:
    random = np.random.default_rng(size)
    scores = random.random(size)
    called = scores > 0.5
    labels = {"all-wrong": ~called, "all-right": called, "random": random.random(size) < 0.5}[outcome].astype(int)
    choices = select_panels(labels, scores, called, threshold=0.5, count=4)
    indices = [choice.index for choice in choices]
    assert len(set(indices)) == len(indices) <= min(size, 12)
    distance = np.abs(scores - 0.5)
    far, near = (distance[list(chosen(choices, kind))] for kind in ("right", "borderline"))
    assert max(near, default=0.0) <= min(far, default=1.0), "no call is clear that is nearer than one that is not"
    for choice in choices:
        right = bool(labels[choice.index]) == bool(called[choice.index])
        assert right == any(words in choice.caption for words in ("defect found", "normal passed"))
        if choice.kind == "right":
            assert right
        if choice.kind == "wrong":
            assert right == (outcome == "all-right" or bool((labels == called).all()))
