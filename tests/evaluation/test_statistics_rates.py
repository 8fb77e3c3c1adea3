"""Rates in groups: SciPy's exact interval where images are independent, and coverage where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from radar.evaluation.statistics_rates import delivered_rates, grouped_rate, promised_rate
from radar.scoring.threshold import conformal_quantile


def single(count: int) -> list[str]:
    return [str(index) for index in range(count)]


@pytest.mark.parametrize(("flagged", "images"), [(0, 16), (1, 21), (13, 190), (12, 12)])
def test_of_images_that_are_their_own_groups_it_is_the_exact_interval(flagged: int, images: int) -> None:
    found = grouped_rate(np.arange(images) < flagged, single(images), 0.95)
    exact = binomtest(flagged, images).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert (found.value, found.flagged, found.images, found.groups) == (flagged / images, flagged, images, images)


def test_images_of_a_group_that_are_alike_are_worth_one() -> None:
    alike = grouped_rate(np.repeat([1, 0, 0, 0, 0], 6), [str(n) for n in np.repeat(range(5), 6)], 0.95)
    exact = binomtest(1, 5).proportion_ci(0.95, method="exact")
    assert (alike.low, alike.high) == pytest.approx((exact.low, exact.high))
    nothing = grouped_rate(np.zeros(30), [str(n) for n in np.repeat(range(5), 6)], 0.95)
    assert (nothing.low, nothing.high) == pytest.approx((0, binomtest(0, 5).proportion_ci(0.95, method="exact").high))


def test_groups_of_several_sizes_by_hand() -> None:
    """Groups of 2, 2 and 4 are worth 64 / 24 images, whichever images are flagged; half of them is symmetric."""
    found = grouped_rate([1, 0, 0, 0, 1, 1, 1, 0], list("aabbcccc"), 0.9)
    assert (found.flagged, found.high) == (4, pytest.approx(1 - found.low))
    simulated = np.random.default_rng(0).beta(4 / 3, 4 / 3 + 1, size=400_000)
    assert found.low == pytest.approx(np.quantile(simulated, 0.05), abs=0.003)
    shares = grouped_rate([0.5, 0.5, 0, 0.5, 0.5, 1, 1, 0], list("aabbcccc"), 0.9)  # the same rate, of two seeds
    assert (shares.low, shares.high) == (found.low, found.high)


@pytest.mark.parametrize("sizes", [(8, 8), (6,) * 33, (1, 2, 3, 20), (1,) * 12])
@pytest.mark.parametrize("spread", [False, True])
def test_more_flagged_images_never_lower_an_end(sizes: tuple[int, ...], spread: bool) -> None:
    """An estimated design effect falls from its largest value, taken of no flagged image, to 1 of a single one."""
    groups = [str(each) for each in np.repeat(np.arange(len(sizes)), sizes)]
    order = np.random.default_rng(0).permutation(len(groups)) if spread else np.arange(len(groups))
    found = [
        grouped_rate(np.isin(np.arange(len(groups)), order[:count]), groups, 0.95) for count in range(len(groups) + 1)
    ]
    ends = np.array([(each.low, each.high) for each in found])
    assert (np.diff(ends, axis=0) >= 0).all()
    assert ends[0, 0] == 0 and ends[-1, 1] == 1


@pytest.mark.parametrize(
    ("groups", "sizes", "alike"),
    [
        (2, (8, 8), 0.7),
        (4, (4, 4), 0.5),
        (6, (1, 4), 0.9),
        (11, (1, 6), 0.7),
        (33, (3, 8), 0.5),
        (33, (1, 20), 0.9),
        (60, (3, 8), 0.9),
    ],
)
@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_the_interval_covers_the_rate_where_images_of_a_group_are_alike(
    groups: int, sizes: tuple[int, int], alike: float, rate: float
) -> None:
    """Alarms of a group share a rate of their own: `alike` is the correlation of two of its images."""
    random = np.random.default_rng([groups, int(100 * rate)])
    covered, exact = 0, 0
    for _ in range(300):
        of_image = np.repeat(np.arange(groups), random.integers(sizes[0], sizes[1] + 1, size=groups))
        rates = random.beta(rate * (1 / alike - 1), (1 - rate) * (1 / alike - 1), size=groups)
        flagged = random.random(of_image.size) < rates[of_image]
        found = grouped_rate(flagged, [str(each) for each in of_image], 0.95)
        covered += found.low <= rate <= found.high
        single_images = binomtest(int(flagged.sum()), flagged.size).proportion_ci(0.95, method="exact")
        exact += single_images.low <= rate <= single_images.high
    assert covered / 300 >= 0.93  # 1.6 standard errors below .95, which it has at least
    assert covered >= exact
    if groups > 30:
        assert exact / 300 < 0.85


@pytest.mark.parametrize(
    ("count", "contamination"), [(8, 0.05), (19, 0.05), (32, 0.05), (264, 0.05), (32, 0.1), (54, 0.01)]
)
def test_what_a_threshold_delivers_is_what_fresh_scores_find(count: int, contamination: float) -> None:
    """Uniform scores: the rate of false alarms of a threshold is one less it."""
    random = np.random.default_rng(count)
    rates = [1 - conformal_quantile(random.random(count), contamination) for _ in range(20_000)]
    expected, low, high = delivered_rates(count, contamination, 0.9)
    assert np.mean(rates) == pytest.approx(expected, rel=0.03)
    assert (low, high) == pytest.approx(tuple(np.quantile(rates, [0.05, 0.95])), rel=0.06, abs=2e-4)
    assert expected <= promised_rate(range(count), range(count), contamination)


@pytest.mark.parametrize(("groups", "size", "contamination"), [(1, 4, 0.05), (2, 4, 0.1), (6, 9, 0.05), (12, 5, 0.1)])
def test_the_promise_of_groups_is_kept_where_the_contamination_alone_is_not(
    groups: int, size: int, contamination: float
) -> None:
    """All images of a group share most of their score, and the new image is of a new group."""
    random = np.random.default_rng(groups)
    alarms = 0
    for _ in range(4000):
        scores = random.normal(size=(groups + 1, 1)) + 0.1 * random.normal(size=(groups + 1, size))
        alarms += scores[-1, 0] > conformal_quantile(scores[:-1].ravel(), contamination)
    last, of_group = scores[:-1].ravel(), np.repeat(range(groups), size).tolist()
    promised = promised_rate(last, of_group, contamination)
    assert alarms / 4000 <= promised + 0.02
    assert alarms / 4000 > contamination + 0.005
    assert promised_rate(last, range(groups * size), contamination) < promised


@pytest.mark.parametrize(
    "sizes", [[1] * 8 + [25], [1, 2, 4, 8, 16], [1] * 30 + [10] * 3], ids=["one large", "doubled", "mixed"]
)
@pytest.mark.parametrize("contamination", [0.05, 0.1, 0.2])
def test_the_promise_holds_for_groups_of_any_sizes(sizes: list[int], contamination: float) -> None:
    """Images of a group are alike, and which of them is large is drawn: the mean promise is no less than what a new one delivers."""
    random = np.random.default_rng(sum(sizes))
    promised, alarms = [], []
    for _ in range(4000):
        order = random.permutation(sizes)
        groups = np.repeat(np.arange(len(order)), order)
        scores = random.normal(size=len(order))[groups] + 1e-3 * random.normal(size=groups.size)
        promised.append(promised_rate(scores, groups.tolist(), contamination))
        alarms.append(1 - norm.cdf(conformal_quantile(scores, contamination)))
    assert np.mean(alarms) <= np.mean(promised) + 0.005


@pytest.mark.parametrize(
    ("count", "groups", "contamination", "promised"),
    [(4, 1, 0.05, 1 / 2), (8, 8, 0.05, 1 / 9), (19, 19, 0.05, 0.05), (40, 4, 0.1, (1 + 3 / 10) / 5)],
)
def test_promises_by_hand(count: int, groups: int, contamination: float, promised: float) -> None:
    of_group = [index * groups // count for index in range(count)]
    assert promised_rate(range(count), of_group, contamination) == pytest.approx(promised)


def test_a_large_group_above_the_threshold_is_one_group() -> None:
    """Of 33 images the 28th is the quantile: five of the 25 of one group lie above it, none of the eight others'."""
    scores, groups = range(33), [*range(8), *[8] * 25]
    assert promised_rate(scores, groups, 0.2) == 0.2, "no less than was asked for"
    assert promised_rate(scores, [*[8] * 25, *range(8)], 0.2) == pytest.approx((1 + 5) / 10)
