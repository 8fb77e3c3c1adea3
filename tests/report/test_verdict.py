"""Planted outcomes, and the words for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from report_builders import metrics, result

from radar.report.result import EvaluatedImage, Result
from radar.report.verdict import verdict


def outcome(
    good: int, defective: int, *, rejected: int, found: int, ranked: bool = False, grouped: int = 1, asked: float = 0.05
) -> Result:
    """`rejected` of `good` and `found` of `defective` are called; of a group are `grouped` images."""
    labels = np.array([0] * good + [1] * defective)
    decisions = np.array([n < rejected for n in range(good)] + [n < found for n in range(defective)])
    scores = labels.astype(float) if ranked else np.zeros(labels.size)
    images = tuple(
        EvaluatedImage(f"{label}/{n}.png", str(n), int(label), "dent" if label else "good", f"{label} {n // grouped}", None, None)
        for n, label in enumerate(labels)
    )  # fmt: skip
    made = result(contamination__value=asked, dataset__image={"size": 100})
    found_metrics = metrics(labels, scores, decisions, [image.defect for image in images])
    return replace(made, images=images, decisions=decisions, scores=scores, metrics=found_metrics)


def test_found_missed_and_how_sure_that_is() -> None:
    assert verdict(outcome(8, 10, rejected=1, found=9)) == [
        "9 of 10 defective found (with so few, the true share lies between 55 and 99.7 %); missed: 1/17.png",
        "1 of 8 good rejected (with so few, the true rate lies between 0.3 and 53 %; 5 % was asked)",
    ]


def test_a_model_that_finds_nothing_is_not_to_be_used() -> None:
    first, second = verdict(outcome(8, 10, rejected=0, found=0))
    assert first.startswith("NONE of your 10 defects was found: do not use this model; the usual reasons are: ")
    assert "raise dataset.image.size" in first
    assert second.startswith("0 of 8 good rejected (with so few, the true rate lies between 0 and 37 %")


@pytest.mark.parametrize(
    ("asked", "told"),
    [(0.125, "12.5"), (0.0025, "0.25"), (0.05, "5"), (0.07, "7"), (0.333, "33.3"), (0.5, "50"), (0.00001, "0.001")],
)
def test_what_was_asked_is_told_as_it_was_set(asked: float, told: str) -> None:
    assert f"; {told} % was asked)" in verdict(outcome(20, 10, rejected=0, found=9, asked=asked))[1]


@pytest.mark.parametrize(
    ("image", "told"),
    [
        pytest.param({"size": 64, "width": 128}, "defects too small, at 128 × 64 px, to be seen", id="a rectangle"),
        pytest.param({"size": 64, "aspect": "short"}, "at 64 px on the short side, to be seen", id="shapes kept"),
        pytest.param({"size": 64, "width": None, "aspect": "crop"}, "at 64 px a side, to be seen", id="squares"),
        pytest.param({"size": None}, "defects too small; good photos", id="sizes kept"),
    ],
)
def test_the_size_that_may_be_too_small_is_that_of_the_images(image: dict[str, object], told: str) -> None:
    one = outcome(8, 10, rejected=0, found=0)
    one = replace(one, config={**one.config, "dataset": {**one.config["dataset"], "image": image}})
    assert told in verdict(one)[0]


def test_where_scores_tell_defects_the_threshold_is_named() -> None:
    first, _ = verdict(outcome(8, 10, rejected=0, found=0, ranked=True))
    assert first.startswith("NONE of your 10 defects was found") and "the threshold lies too high" in first
    assert "usual reasons" not in first


def test_one_defect_missed() -> None:
    assert verdict(outcome(8, 1, rejected=0, found=0))[0].startswith("Your only defect was NOT found: do not use")


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        pytest.param(
            {"good": 20, "defective": 0, "rejected": 1, "found": 0},
            "No defective photos to test with: what this model finds is not known",
            id="no defects",
        ),
        pytest.param(
            {"good": 0, "defective": 9, "rejected": 0, "found": 9}, "No good photos to test with", id="no good ones"
        ),
        pytest.param(
            {"good": 20, "defective": 20, "rejected": 12, "found": 20}, "5 % was asked): MORE than was asked", id="alarms"
        ),
        pytest.param(
            {"good": 10, "defective": 10, "rejected": 6, "found": 5},
            "It rejects good photos more often than defective ones: do not use this model",
            id="worse than guessing",
        ),
        pytest.param(
            {"good": 10, "defective": 10, "rejected": 5, "found": 5},
            "It rejects good photos as often as defective ones: do not use this model",
            id="no better than guessing",
        ),
        pytest.param(
            {"good": 3, "defective": 2, "rejected": 0, "found": 2}, "So few photos cannot show that", id="few photos"
        ),
        pytest.param(
            {"good": 40, "defective": 40, "rejected": 1, "found": 39, "grouped": 20},
            "1 of 40 good rejected (of 2 groups, of whose photos one tells as much as all: with so few, the true rate lies between",
            id="sheets",
        ),
        pytest.param(
            {"good": 4000, "defective": 4000, "rejected": 40, "found": 4000},
            "4000 of 4000 defective found (the true share lies between 99.9 and 100 %)",
            id="many",
        ),
    ],
)  # fmt: skip
def test_what_else_there_is_to_say(planted: dict[str, int], said: str) -> None:
    assert any(said in line for line in verdict(outcome(**planted))), verdict(outcome(**planted))


def test_what_an_exact_test_shows_is_not_called_too_little() -> None:
    """Where the intervals of the two shares overlap, too: 3 of 8 and 12 of 12 have p = 0.004."""
    assert len(verdict(outcome(8, 12, rejected=3, found=12))) == 2
    assert "cannot show" in verdict(outcome(8, 12, rejected=3, found=12, grouped=4))[2]


def test_nothing_more_is_said_where_all_is_well() -> None:
    assert len(verdict(outcome(40, 40, rejected=2, found=40))) == 2


def test_the_first_missed_photos_are_named() -> None:
    line = verdict(outcome(8, 10, rejected=0, found=4))[0]
    assert line.endswith("missed: 1/12.png, 1/13.png, 1/14.png, …")
