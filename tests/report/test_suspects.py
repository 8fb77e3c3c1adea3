"""Planted bad images among good ones, and which are named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from report_builders import result

from radar.report.result import Result, ScoredNormals
from radar.report.suspects import suspects
from radar.report.verdict import verdict


def scored(*splits: tuple[str, tuple[str, ...], list[float]], named: bool = True) -> Result:
    """A run whose normals have these scores."""
    normals = []
    for split, unseen_by, scores in splits:
        names = tuple(f"{split}/{index}.png" for index in range(len(scores)))
        normals.append(ScoredNormals(split, unseen_by, names, names, np.array(scores), names if named else ()))
    return replace(result(contamination__value=0.05, dataset__image={"size": 100}), normals=tuple(normals))


def around(centre: float, count: int, seed: int = 0) -> list[float]:
    return [centre + value for value in np.random.default_rng(seed).normal(size=count).clip(-2, 2)]


LEFT_OUT, HELD_OUT = ("densities", "detector"), ("network", "densities", "detector")


def test_the_oddest_come_first_whichever_split_they_lie_in() -> None:
    train, validation = around(3, 40), around(3, 10, seed=1)
    train[7], train[30], validation[2] = 12.0, 30.0, 20.0
    found = suspects(scored(("train", LEFT_OUT, train), ("validation", HELD_OUT, validation)))
    assert found == (["train/30.png", "validation/2.png", "train/7.png"], 50)


@pytest.mark.parametrize("seed", range(5))
def test_a_tenth_of_bad_ones_hides_none_of_them_and_low_scores_are_not_odd(seed: int) -> None:
    scores = [*around(0, 90, seed), *around(40, 10, seed), -50.0]
    assert sorted(suspects(scored(("train", LEFT_OUT, scores)))[0]) == sorted(f"train/{n}.png" for n in range(90, 100))


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("shift", [-100.0, 0.0, 1000.0])
def test_no_unit_of_the_scores_matters(factor: float, shift: float) -> None:
    scores = [factor * (score + shift) for score in [*around(0, 30), 15.0]]
    assert suspects(scored(("train", LEFT_OUT, scores))) == (["train/30.png"], 31)


@pytest.mark.parametrize(
    ("run", "asked"),
    [
        pytest.param(scored(("train", LEFT_OUT, around(0, 50))), 50, id="all alike"),
        pytest.param(scored(("train", ("detector",), [*around(0, 30), 99.0])), 0, id="learnt from"),
        pytest.param(scored(("train", LEFT_OUT, [*around(0, 30), 99.0]), named=False), 0, id="a record"),
        pytest.param(scored(("train", LEFT_OUT, [*around(0, 8), 99.0])), 9, id="too few"),
        pytest.param(scored(("train", LEFT_OUT, [0.0] * 20 + [99.0])), 21, id="no spread"),
        pytest.param(scored(), 0, id="no normals"),
    ],
)
def test_nothing_is_named_where_nothing_can_be_told(run: Result, asked: int) -> None:
    assert suspects(run) == ([], asked)
    assert not any("unlike" in line for line in verdict(run))


def test_the_verdict_names_three_and_says_that_there_are_more() -> None:
    line = verdict(scored(("train", LEFT_OUT, [*around(0, 30), 40.0, 80.0, 60.0, 50.0])))[-1]
    assert line.startswith(
        "4 of the 34 good photos are unlike the others (train/31.png, train/32.png, train/33.png, …): look"
    )
