"""The border, planted: what is louder there comes to the interior's level, and a margin keeps it out of the score."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scoring_builders import scoring_config
from torch import Tensor

from radar.config.schema import BorderConfig
from radar.scoring.border import Border, border_problem, distance_to_border
from radar.scoring.reading import MapReading, NormReading, Reading

LOUDER = torch.tensor([5.0, 3.0, 2.0, 1.5])  # ring by ring, from the outermost inwards
SIDES = (40, 53)


def responses(count: int, seed: int, *, louder: bool = True) -> Tensor:
    """Independent pixels, `(count, 2, H, W)`, planted louder near the border."""
    plain = torch.randn(count, 2, *SIDES, generator=torch.Generator().manual_seed(seed))
    factors = torch.cat([LOUDER, torch.ones(1)])[distance_to_border(*SIDES).clamp(max=len(LOUDER))]
    return plain * factors if louder else plain


def readings(name: str, width: int = len(LOUDER)) -> list[Reading]:
    """Both kinds, neither of which filters: a ring is then what was planted."""
    config = BorderConfig(name, width)
    norms = NormReading.of(scoring_config(kernel=1, edge="none", window=5, border=config))
    return [norms, MapReading(Border(config), 0.0, "top", 20)]


def ring_means(maps: Tensor) -> list[float]:
    distance = distance_to_border(*maps.shape[1:])
    return [float(maps[:, distance == ring].mean()) for ring in range(12)]


def test_distance_to_the_border_by_hand():
    assert distance_to_border(3, 5).tolist() == [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    assert distance_to_border(4, 4).tolist() == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("kind", [0, 1])
def test_a_standardised_border_is_as_loud_as_the_interior_on_new_images(kind):
    reading = readings("standardised")[kind]
    before = ring_means(reading(responses(30, 1))[0])
    assert before[0] == pytest.approx(5 * before[-1], rel=0.1)  # nothing is learnt yet
    reading.learn(responses(40, 0).split(7))
    after = ring_means(reading(responses(30, 1))[0])
    np.testing.assert_allclose(after, after[-1], rtol=0.05)
    torch.testing.assert_close(1 / reading.border.factors, LOUDER, rtol=0.05, atol=0)


@pytest.mark.parametrize("kind", [0, 1])
def test_a_defect_that_a_loud_border_hides_is_found_once_that_is_standardised(kind):
    test = responses(20, 2)
    test[:10, :, 17:24, 22:29] *= 2.3
    found = {}
    for name in ("none", "standardised"):
        reading = readings(name)[kind]
        reading.learn(responses(40, 0).split(8))
        points = reading(test)[1][:, -1]
        found[name] = float((points[:10, None] > points[None, 10:]).double().mean())
    assert found["none"] < 0.8 and found["standardised"] > 0.95


@pytest.mark.parametrize("kind", [0, 1])
def test_a_margin_ignores_what_lies_in_it_and_keeps_what_lies_inside(kind):
    reading, plain = readings("margin")[kind], responses(3, 3, louder=False)
    outer, inner = plain.clone(), plain.clone()
    outer[:, :, : len(LOUDER)] *= 50
    inner[:, :, len(LOUDER) + 1] *= 50
    (maps, points), (outer_maps, outer_points), (_, inner_points) = (reading(each) for each in (plain, outer, inner))
    assert torch.equal(points, outer_points)
    assert (inner_points > 2 * points).all()
    assert torch.equal(maps[:, len(LOUDER) :], outer_maps[:, len(LOUDER) :])
    assert (outer_maps[:, 0] > 10 * maps[:, 0]).all()  # it stays in the map


@pytest.mark.parametrize("kind", [0, 1])
def test_with_none_nothing_is_learnt_or_changed(kind):
    reading, test = readings("none")[kind], responses(4, 4)
    before = reading(test)
    reading.learn(responses(5, 0).split(2))
    assert not reading.border.state_dict()
    assert all(torch.equal(first, second) for first, second in zip(before, reading(test), strict=True))


@pytest.mark.parametrize("name", ["margin", "standardised"])
@pytest.mark.parametrize("axes", [(2,), (3,), (2, 3)])
@pytest.mark.parametrize("kind", [0, 1])
def test_a_mirrored_image_has_the_mirrored_map_and_the_same_points(name, axes, kind):
    reading, test = readings(name)[kind], responses(4, 5)
    reading.learn([responses(10, 0)])
    (maps, points), (mirrored, same) = reading(test), reading(test.flip(axes))
    assert torch.equal(mirrored.flip([axis - 1 for axis in axes]), maps)
    torch.testing.assert_close(same, points, rtol=1e-6, atol=0)


@pytest.mark.parametrize("silent", [slice(0, 1), slice(4, 36)], ids=["ring", "interior"])
def test_a_ring_or_an_interior_of_zeros_changes_nothing(silent):
    (_, reading), test = readings("standardised"), torch.zeros(2, 2, *SIDES)
    distance = distance_to_border(*SIDES)
    test[:, :, ~torch.isin(distance, torch.arange(SIDES[0])[silent])] = 1.0
    reading.learn([test])
    assert torch.equal(reading.border.factors, torch.ones(4))


@pytest.mark.parametrize(
    ("name", "width", "least", "message"),
    [
        ("none", 99, 11, None),
        ("margin", 4, 12, None),
        ("margin", 5, 12, "scoring.border.width=5: leaves 10 px of 30 × 20 px, and 12 are needed"),
        ("standardised", 9, 12, None),
        ("standardised", 10, 12, "scoring.border.width=10: leaves 0 px of 30 × 20 px, and 1 are needed"),
    ],
)
def test_a_border_leaves_something_inside(name, width, least, message):
    assert border_problem(BorderConfig(name, width), 20, 30, least) == message
