"""The forest of plain arrays equals scikit-learn's, survives a round trip and refuses damage."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from radar.errors import RunError
from radar.scoring.forest import Forest


def sample(count: int, width: int, kind: str = "normal") -> np.ndarray:
    stream = np.random.default_rng(count * 10 + width)
    if kind == "constant":
        return np.full((count, width), 0.1)
    points = stream.lognormal(size=(count, width))
    if kind == "duplicates":
        points = points[stream.integers(0, max(1, count // 3), count)]
    return points


def fitted(points: np.ndarray, trees: int = 20, max_samples: int = 256, seed: int = 3) -> Forest:
    return Forest.fit(points, trees=trees, max_samples=max_samples, seed=seed)


@pytest.mark.parametrize("kind", ["normal", "duplicates", "constant"])
@pytest.mark.parametrize("max_samples", [2, 64, 256], ids=lambda value: f"max{value}")
@pytest.mark.parametrize("width", [1, 2], ids=["one-feature", "two-features"])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 300], ids=lambda value: f"n{value}")
def test_scores_equal_scikit_learn(count, width, max_samples, kind):
    points = sample(count, width, kind)
    reference = IsolationForest(n_estimators=20, max_samples=min(max_samples, count), random_state=3).fit(points)
    new = np.concatenate([points, sample(50, width), [[1e9] * width, [-1e9] * width, [0.0] * width]])
    found = fitted(points, max_samples=max_samples).anomaly_score(new)
    np.testing.assert_allclose(found, -reference.score_samples(new), atol=1e-12, rtol=0)
    assert ((found > 0) & (found <= 1)).all()


def test_single_precision_points_go_where_scikit_learn_sends_them():
    """A threshold rounded to single precision may lie on its other side; scikit-learn compares the rounded point."""
    points = np.arange(40.0).reshape(20, 2)
    forest = fitted(points)
    reference = IsolationForest(n_estimators=20, max_samples=20, random_state=3).fit(points)
    thresholds = np.unique(forest.threshold[forest.feature >= 0])
    near = np.stack([thresholds, thresholds], axis=1)
    np.testing.assert_allclose(forest.anomaly_score(near), -reference.score_samples(near), atol=1e-12, rtol=0)


def test_a_point_on_the_threshold_goes_left():
    forest = Forest(
        feature=np.array([[1, -1, -1]]),
        threshold=np.array([[0.5, 0, 0]]),
        left=np.array([[1, 1, 2]]),
        right=np.array([[2, 1, 2]]),
        depth=np.array([[0, 1.0, 3.0]]),
        max_samples=np.array(2),  # of mean path length 1
    )
    points = np.array([[9, 0.5], [9, np.nextafter(np.float32(0.5), np.float32(1))], [0, -7]])
    np.testing.assert_allclose(forest.anomaly_score(points), [2**-1, 2**-3, 2**-1])


def test_a_seed_beyond_32_bits_is_taken_modulo():
    points = sample(30, 2)
    wide, narrow = fitted(points, seed=2**40 + 5), fitted(points, seed=5)
    np.testing.assert_array_equal(wide.anomaly_score(points), narrow.anomaly_score(points))
    assert not np.array_equal(narrow.anomaly_score(points), fitted(points, seed=6).anomaly_score(points))


def test_the_planted_outlier_scores_highest():
    points = np.random.default_rng(0).normal(size=(200, 2))
    scores = fitted(points, trees=100).anomaly_score(np.concatenate([points, [[8.0, -8.0]]]))
    assert scores.argmax() == 200 and scores[-1] > 0.7


@pytest.mark.parametrize(("count", "kind"), [(2, "normal"), (50, "normal"), (50, "duplicates"), (10, "constant")])
def test_a_stored_forest_scores_the_same(tmp_path, count, kind):
    forest = fitted(sample(count, 2, kind))
    np.savez(tmp_path / "forest.npz", **forest.arrays())
    with np.load(tmp_path / "forest.npz", allow_pickle=False) as arrays:
        again = Forest.from_arrays(dict(arrays))
    new = sample(100, 2)
    np.testing.assert_array_equal(again.anomaly_score(new), forest.anomaly_score(new))


def planted(name: str, value: float, *, at_leaf: bool = False):
    """Damage: sets an array's first entry at an inner node, or at a leaf."""

    def damage(arrays: dict[str, np.ndarray]) -> None:
        place = np.argwhere((arrays["feature"] == -1) == at_leaf)[0]
        arrays[name][tuple(place)] = value

    return damage


def replaced(name: str, change):
    def damage(arrays: dict[str, np.ndarray]) -> None:
        arrays[name] = change(arrays[name])

    return damage


DAMAGE = {
    "cycle-to-the-root": planted("left", 0),
    "own-child": planted("right", 0),
    "cycle-through-a-leaf": planted("left", 0, at_leaf=True),
    "child-out-of-range": planted("right", 10_000),
    "leaf-child-out-of-range": planted("right", 10_000, at_leaf=True),
    "negative-child": planted("left", -2),
    "negative-leaf-child": planted("left", -2, at_leaf=True),
    "unknown-feature-mark": planted("feature", -2),
    "nan-threshold": planted("threshold", np.nan),
    "infinite-depth": planted("depth", np.inf, at_leaf=True),
    "negative-depth": planted("depth", -1.0, at_leaf=True),
    "one-tree-less": replaced("left", lambda array: array[1:]),
    "flat": replaced("feature", np.ravel),
    "fractions-for-children": replaced("left", lambda array: array.astype(float)),
    "words-for-features": replaced("feature", lambda array: array.astype(str)),
    "words-for-thresholds": replaced("threshold", lambda array: array.astype(str)),
    "no-samples": replaced("max_samples", lambda _: np.array(0)),
    "many-samples": replaced("max_samples", lambda _: np.array([4, 4])),
    "fractional-samples": replaced("max_samples", lambda _: np.array(np.nan)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_forest_is_refused(damage):
    arrays = {name: array.copy() for name, array in fitted(sample(40, 2)).arrays().items()}
    damage(arrays)
    with pytest.raises(RunError, match="damaged"):
        Forest.from_arrays(arrays)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)], ids=["no-trees", "no-nodes"])
def test_an_empty_forest_is_refused(shape):
    arrays = {name: np.zeros(shape, int) for name in ("feature", "left", "right")}
    arrays |= {"threshold": np.zeros(shape), "depth": np.zeros(shape), "max_samples": np.array(2)}
    with pytest.raises(RunError, match="damaged"):
        Forest.from_arrays(arrays)


@pytest.mark.parametrize("name", ["feature", "threshold", "left", "right", "depth", "max_samples"])
def test_a_missing_array_is_named(name):
    arrays = fitted(sample(10, 2)).arrays()
    del arrays[name]
    with pytest.raises(RunError, match=f"lacks '{name}'"):
        Forest.from_arrays(arrays)


def test_a_feature_that_the_points_lack_is_refused():
    arrays = {name: array.copy() for name, array in fitted(sample(40, 2)).arrays().items()}
    planted("feature", 2)(arrays)
    with pytest.raises(RunError, match="tests feature 3 of points that have 2"):
        Forest.from_arrays(arrays).anomaly_score(sample(5, 2))
