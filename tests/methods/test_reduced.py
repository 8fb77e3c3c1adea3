"""What methods with a map of their own share: one number of each map, how many windows or vectors an image gives, rules."""

from __future__ import annotations

import pytest
import torch
from network_builders import training_config

from radar.config.schema import BorderConfig
from radar.methods.parts.reduced import odd_problems, shares, shortened, step_problems
from radar.scoring.border import Border
from radar.scoring.reading import MapReading

NO_BORDER = Border(BorderConfig("none", 6))
MAPS = torch.tensor([[[[9.0, 3.0], [-1.0, -1.0]]]])


@pytest.mark.parametrize(
    ("statistic", "pixels", "expected"), [("max", 1, 9.0), ("mean", 1, 3.5), ("top", 2, 6.0), ("top", 50, 3.5)]
)
def test_reductions_by_hand(statistic, pixels, expected):
    maps, points = MapReading(NO_BORDER, 0, statistic, pixels)(MAPS)
    assert points.tolist() == [[expected]] and points.dtype == torch.float64
    assert torch.equal(maps, MAPS[:, 0].abs())


def test_smoothing_spreads_a_spot():
    spot = torch.zeros(1, 1, 24, 24)
    spot[0, 0, 12, 12] = 1.0
    (mapped,), points = MapReading(NO_BORDER, 2.0, "max", 1)(spot)
    assert mapped[12, 12] == mapped.max() == points[0, 0] < 0.5
    assert mapped[12, 14] > 0


def test_images_give_equally_many_and_never_more_in_all_than_asked():
    assert shares(10, 3, 0) == [3, 3, 3]
    assert shares(4, 4, 0) == [1, 1, 1, 1]
    for most, images in ((5, 40), (39, 40)):
        drawn = shares(most, images, 0)
        assert len(drawn) == images and sum(drawn) == most and set(drawn) == {0, 1}
        assert drawn == shares(most, images, 0) != shares(most, images, 1)


@pytest.mark.parametrize(("asked", "expected"), [(40, (40, 9)), (5, (5, 5)), (1000, (100, 9))])
def test_a_methods_own_training_is_never_longer_than_the_experiments(asked, expected):
    training = shortened(training_config(max_steps=100, warmup_steps=9), asked)
    assert (training.max_steps, training.warmup_steps) == expected


def test_a_broken_rule_is_one_line():
    assert list(odd_problems({"a": 3, "b": 4})) == ["b=4: must be odd"]
    (one, many, none) = step_problems({"a": [0], "b": [3, 11], "c": [], "d": [1, 10]}, 10)
    needs = "needs steps between 1 and diffusion.timesteps=10"
    assert (one, many, none) == (f"a=0: {needs}", f"b=[3, 11]: {needs}", f"c=[]: {needs}")
