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


def grown(count: int, side: int, seed: int, *, tall: int | None = None) -> torch.Tensor:
    """Maps of independent exponential values `(count, 1, side, side)`: their maximum grows by 1 where the area is e times as large."""
    random = torch.Generator().manual_seed(seed)
    return -torch.rand(count, 1, tall or side, side, generator=random).clamp(min=1e-30).log()


@pytest.mark.parametrize("statistic", ["max", "top"])
def test_scores_of_other_areas_are_as_those_of_the_normals(statistic):
    reading = MapReading(NO_BORDER, 0, statistic, 9)
    raw = MapReading(NO_BORDER, 0, statistic, 9)
    reading.learn_growth(grown(64, 64, 0)[:, None].unbind(0))
    assert 0.9 < float(reading.growth) < 1.1 and float(reading.area) == 64 * 64
    same = grown(200, 64, 1)
    assert torch.equal(reading(same)[1], raw(same)[1]), "to the bit, of their own area"
    assert torch.equal(reading(same)[0], raw(same)[0]), "a map is a map"
    threshold = reading(grown(4000, 64, 2))[1].quantile(0.95)
    for size in (16, 256):
        images = [grown(100, size, 100 * size + part) for part in range(10)]
        rates = [(torch.cat([each(part)[1] for part in images]) > threshold).double().mean() for each in (reading, raw)]
        assert 0.05 / 1.5 < rates[0] < 0.05 * 1.5, size
        assert not 0.05 / 2 < rates[1] < 0.05 * 2
    assert (reading(grown(1000, 128, 3, tall=32))[1] > threshold).double().mean() == pytest.approx(0.05, abs=0.025)


def test_a_mean_does_not_grow_and_small_maps_tell_nothing():
    mean, small = MapReading(NO_BORDER, 0, "mean", 1), MapReading(NO_BORDER, 0, "max", 1)
    mean.learn_growth(grown(8, 64, 0)[:, None].unbind(0))
    small.learn_growth(grown(8, 6, 0)[:, None].unbind(0))
    assert float(mean.growth) == float(small.growth) == 0


def test_the_area_is_that_of_the_pixels_that_count():
    region = MapReading(NO_BORDER, 0, "max", 1, has_region=True)
    margin = MapReading(Border(BorderConfig("margin", 8)), 0, "max", 1)
    maps = grown(64, 64, 0)
    plane = torch.full_like(maps, -1.0)
    plane[..., 32:] = 1.0
    region.learn_growth(torch.cat([maps, plane], dim=1)[:, None].unbind(0))
    margin.learn_growth(maps[:, None].unbind(0))
    assert (float(region.area), float(margin.area)) == (64 * 32, 48 * 48)
    assert 0.8 < float(region.growth) < 1.25 and 0.8 < float(margin.growth) < 1.25


def test_a_reading_that_was_stored_before_there_was_a_growth_has_none():
    reading = MapReading(NO_BORDER, 0, "max", 1)
    reading.learn_growth(grown(8, 64, 0)[:, None].unbind(0))
    old = MapReading(NO_BORDER, 0, "max", 1)
    old.load_state_dict({})
    assert float(old.growth) == 0 and float(reading.growth) > 0
    old.load_state_dict(reading.state_dict())
    assert torch.equal(old(grown(3, 32, 1))[1], reading(grown(3, 32, 1))[1])


@pytest.mark.parametrize("columns", [slice(0, 20), slice(30, 36), slice(0, 33), slice(40, 64)])
def test_a_region_tells_its_growth_wherever_it_lies(columns):
    reading = MapReading(NO_BORDER, 0, "max", 1, has_region=True)
    maps = grown(400, 64, 0)
    plane = torch.full_like(maps, -1.0)
    plane[..., columns] = 1.0
    reading.learn_growth(torch.cat([maps, plane], dim=1)[:, None].unbind(0))
    assert 0.85 < float(reading.growth) < 1.15 and float(reading.area) == 64 * (columns.stop - columns.start)
