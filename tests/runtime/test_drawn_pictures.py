"""Drawn pictures are the same on every machine, and answers about them come back from their bytes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from radar.runtime.drawn_pictures import IDENTITIES, difference, drawn_planes, packed, packed_size
from radar.runtime.picture import Answers
from radar.runtime.region_of_interest import PLANE, plane_problem


def answers() -> Answers:
    stream = np.random.default_rng(0)
    maps = stream.uniform(0, 9, (2, 5, 7)).astype(np.float32)
    return Answers(np.array([1.5, -2.5]), np.array([True, False]), 3 + stream.uniform(size=(2, 4)), maps)


def test_pictures_are_those_of_every_machine() -> None:
    planes = drawn_planes(("grey", "blue"), 9, 8)
    assert planes.shape == (len(IDENTITIES), 2, 9, 8) and planes.dtype == np.float32
    assert planes.min() >= -1 and planes.max() < 1 and abs(planes.mean()) < 0.1 and len(np.unique(planes)) > 250
    assert hashlib.sha256(planes.tobytes()).hexdigest()[:16] == "8d764e001803f616"


def test_a_region_is_one() -> None:
    planes = drawn_planes(("grey", PLANE), 40, 33)
    assert not any(map(plane_problem, planes[:, -1])) and {*np.unique(planes[:, -1])} == {-1, 1}


def test_answers_come_back_and_each_number_counts() -> None:
    content = packed(answers())
    assert len(content) == packed_size(4, 5, 7)
    assert difference(answers(), content, 0.0).is_rounding
    assert max(difference(answers(), content, 0.0)) < 1e-6
    for place in range(0, len(content), 4):
        other = bytearray(content)
        other[place : place + 4] = np.float32(np.frombuffer(content[place : place + 4], "<f4") * 1.2 + 0.2).tobytes()
        assert not difference(answers(), bytes(other), 0.0).is_rounding


def test_decisions_are_those_of_the_scores_unless_rounding_decides() -> None:
    content = packed(answers())
    assert difference(answers(), content, 0.0).decisions == 0
    assert difference(answers(), content, 2.0).decisions == 1
    assert difference(answers(), content, 1.5 + 1e-5).decisions == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_no_rounding(value: float) -> None:
    content = packed(answers())
    for name in ("maps", "points", "scores"):
        changed = answers()
        getattr(changed, name).flat[0] = value
        assert not difference(changed, content, 0.0).is_rounding, name
