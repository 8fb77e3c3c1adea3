"""The detectors: their thresholds against scikit-learn and by hand, what they flag, what they refuse."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from radar.config.schema import ContaminationConfig, DetectorConfig
from radar.errors import RunError
from radar.scoring.detector import Detector, ForestDetector, UpperTailDetector, detector_from_arrays, fit_detector
from radar.seeds import stream_seed

NAMES = ["isolation_forest", "upper_tail"]


def normals(count: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(sigma=0.2, size=(count, 2))


class Decider(NamedTuple):
    """A detector and its threshold."""

    detector: Detector
    threshold: float

    def score(self, points: np.ndarray) -> np.ndarray:
        return self.detector.score(points)

    def flagged(self, points: np.ndarray) -> np.ndarray:
        return self.score(points) > self.threshold


def fit(points: np.ndarray, name: str, contamination: float = 0.05, seed: int = 1, *, held_out=None) -> Decider:
    config = DetectorConfig(
        name=name,
        fitted_on="train",
        threshold_on="train" if held_out is None else "validation",
        threshold="quantile",
        spread_prior=2.0,
        trees=50,
        max_samples=64,
    )
    threshold_points = points if held_out is None else held_out
    share = ContaminationConfig(contamination)
    return Decider(*fit_detector(points, threshold_points, config=config, contamination=share, seed=seed))


@pytest.mark.parametrize("contamination", [0.01, 0.05, 0.1, 0.2, 0.5])
@pytest.mark.parametrize("count", [3, 20, 200], ids=lambda count: f"n{count}")
def test_the_forest_decides_as_scikit_learn_predicts(count, contamination):
    points = normals(count)
    detector = fit(points, "isolation_forest", contamination)
    reference = IsolationForest(
        n_estimators=50,
        max_samples=min(64, count),
        contamination=contamination,
        random_state=stream_seed(1, "detector") % 2**32,
    ).fit(points)
    new = normals(300, seed=7) * 1.2
    np.testing.assert_array_equal(detector.flagged(points), reference.predict(points) == -1)
    np.testing.assert_array_equal(detector.flagged(new), reference.predict(new) == -1)
    assert detector.threshold == pytest.approx(-reference.offset_, abs=1e-12)
    assert detector.flagged(points).mean() <= contamination + 1 / count


def test_the_forest_flags_the_contamination_share_of_its_own_points():
    points = normals(200)
    for contamination in (0.05, 0.1, 0.2):
        assert fit(points, "isolation_forest", contamination).flagged(points).mean() == pytest.approx(contamination)


def test_upper_tail_by_hand():
    """Logs 0…8 in the first feature: median 4, absolute deviations 0…4 with median 2; the second one lies still."""
    points = np.stack([np.exp(np.arange(9.0)), np.full(9, 7.0)], axis=1)
    detector = fit(points, "upper_tail", 0.2)
    upper_tail = detector.detector
    assert isinstance(upper_tail, UpperTailDetector)
    np.testing.assert_allclose(upper_tail.centre, [4, np.log(7)])
    assert upper_tail.spread[0] == pytest.approx(1.4826 * 2)
    np.testing.assert_allclose(detector.score(points), np.maximum((np.arange(9) - 4) / 2.9652, 0), atol=1e-12)
    # rank ⌈10 · .8⌉ = 8 of nine
    assert detector.threshold == pytest.approx((7 - 4) / 2.9652)
    assert detector.flagged(points).tolist() == [False] * 8 + [True]


@pytest.mark.parametrize("contamination", ["0.01", "0.05", "0.1", "0.2", "0.5"])
@pytest.mark.parametrize("count", [2, 9, 18, 19, 20, 59, 99, 199], ids=lambda count: f"n{count}")
def test_the_threshold_is_the_conformal_quantile(count, contamination):
    points = normals(count, seed=count)
    detector = fit(points, "upper_tail", float(contamination))
    wanted = (count + 1) * (1 - Fraction(contamination))
    rank = min(count, -(-wanted.numerator // wanted.denominator))
    assert detector.threshold == np.sort(detector.score(points))[rank - 1]
    assert detector.flagged(points).sum() == count - rank


def test_with_too_few_points_the_threshold_is_the_largest_score():
    points = normals(18)  # ⌈19 · .95⌉ = 19 of 18
    detector = fit(points, "upper_tail")
    assert detector.threshold == detector.score(points).max()


def test_new_normals_are_flagged_no_more_often_than_promised():
    """Exchangeable points: the expected share is below the contamination; five standard errors of slack."""
    shares = [
        fit(normals(39, seed), "upper_tail", 0.1).flagged(normals(200, 1000 + seed)).mean() for seed in range(100)
    ]
    assert np.mean(shares) < 0.1 + 5 * np.std(shares) / 10
    assert np.mean(shares) > 0.03


def test_only_the_upper_tail_is_flagged():
    points = normals()
    quiet, loud = points.min(axis=0, keepdims=True) / 10, points.max(axis=0, keepdims=True) * 10
    one_sided, forest = fit(points, "upper_tail"), fit(points, "isolation_forest")
    assert not one_sided.flagged(quiet) and one_sided.flagged(loud)
    assert forest.flagged(quiet) and forest.flagged(loud)


def test_one_loud_feature_is_enough_and_far_outliers_keep_their_order():
    detector = fit(normals(), "upper_tail")
    scores = detector.score(np.array([[1.0, 1.0], [1.0, 50.0], [1e4, 1.0], [1e8, 1.0]]))
    assert (np.diff(scores) > 0).all() and scores[1] > detector.threshold


def test_a_feature_of_zero_is_quiet_not_infinite():
    scores = fit(normals(), "upper_tail").score(np.array([[0.0, 0.0], [0.0, 1.0]]))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("points", "counted"),
    [
        (normals(1), "1 of 1"),
        (np.zeros((0, 2)), "0 of 0"),
        (np.array([[1.0, 2.0], [np.nan, 1.0], [1.0, 1.0]]), "2 of 3"),
        (np.array([[1.0, np.inf], [2.0, 1.0]]), "1 of 2"),
    ],
    ids=["one", "none", "nan", "infinite"],
)
def test_unusable_features_are_refused(name, points, counted):
    with pytest.raises(RunError, match=rf"detector\.fitted_on=train: .* got {counted}"):
        fit(points, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_is_a_function_of_its_seed(name):
    new = normals(50, 5)
    first, again, other = (fit(normals(), name, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.score(new), again.score(new))
    assert np.array_equal(first.score(new), other.score(new)) == (name == "upper_tail")


@pytest.mark.parametrize(("name", "kind"), [(NAMES[0], ForestDetector), (NAMES[1], UpperTailDetector)], ids=NAMES)
def test_a_stored_detector_scores_the_same(tmp_path, name, kind):
    detector = fit(normals(), name).detector
    np.savez(tmp_path / "detector.npz", **detector.arrays())
    with np.load(tmp_path / "detector.npz", allow_pickle=False) as arrays:
        again = detector_from_arrays(dict(arrays))
    new = normals(100, 9)
    assert isinstance(again, kind)
    np.testing.assert_array_equal(again.score(new), detector.score(new))


@pytest.mark.parametrize(
    "damage",
    [
        {"spread": np.array([1.0, 0.0])},
        {"spread": np.array([1.0, -1.0])},
        {"spread": np.ones(3)},
        {"centre": np.array([np.nan, 0.0])},
        {"centre": np.array(["a", "b"])},
        {"centre": np.zeros((2, 1)), "spread": np.ones((2, 1))},
    ],
    ids=["zero-spread", "negative-spread", "widths-differ", "nan-centre", "words", "columns"],
)
def test_a_damaged_upper_tail_is_refused(damage):
    with pytest.raises(RunError, match="damaged"):
        detector_from_arrays(fit(normals(), "upper_tail").detector.arrays() | damage)


@pytest.mark.parametrize(
    ("name", "missing"),
    [("upper_tail", "spread"), ("isolation_forest", "left"), ("upper_tail", "centre")],
)
def test_a_missing_array_is_refused(name, missing):
    arrays = fit(normals(), name).detector.arrays()
    del arrays[missing]
    with pytest.raises(RunError, match="detector: the stored"):
        detector_from_arrays(arrays)


@pytest.mark.parametrize("name", ["isolation_forest", "upper_tail"])
def test_the_threshold_comes_from_its_own_points(name):
    generator = np.random.default_rng(3)
    fitting, held_out = generator.gamma(9.0, size=(200, 2)), 1.2 * generator.gamma(9.0, size=(99, 2))
    own, other = (fit(fitting, name, 0.1, held_out=points) for points in (fitting, held_out))
    np.testing.assert_array_equal(own.score(held_out), other.score(held_out))
    assert other.flagged(held_out).mean() == pytest.approx(0.1, abs=0.011)
    assert own.flagged(held_out).mean() > 0.15
