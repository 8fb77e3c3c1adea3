"""Image metrics against a worked example, scikit-learn and their own definitions."""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from radar.errors import DataError
from radar.evaluation.image_metrics import image_metrics, per_defect_metrics

LABELS = np.array([0, 0, 0, 1, 1])
SCORES = np.array([0.1, 0.2, 0.6, 0.5, 0.9])
CALLED = SCORES > 0.55


def random_test_set(seed: int, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores on `levels` distinct values (few: many ties) and decisions at their middle."""
    random = np.random.default_rng(seed)
    labels = np.concatenate(([0, 1], random.integers(0, 2, 38)))
    scores = random.integers(0, levels, 40) / levels + 0.2 * labels
    return labels, scores, scores >= 0.5


def test_worked_example() -> None:
    measured = image_metrics(LABELS, SCORES, CALLED)
    assert (measured.normal, measured.anomalous) == (3, 2)
    assert measured.accuracy == pytest.approx(3 / 5)  # right: 0.1, 0.2, 0.9; wrong: 0.6 called, 0.5 missed
    assert measured.precision == pytest.approx(1 / 2)
    assert measured.recall == pytest.approx(1 / 2)
    assert measured.f1 == pytest.approx(1 / 2)
    assert measured.false_positive_rate == pytest.approx(1 / 3)
    assert measured.auroc == pytest.approx(5 / 6)  # of six pairs only (0.6, 0.5) is in the wrong order
    assert measured.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert measured.f1_max_oracle == pytest.approx(4 / 5)  # from 0.5 up: precision 2/3, recall 1
    assert measured.f1_all_anomalous == pytest.approx(4 / 7)  # precision 2/5, recall 1


@pytest.mark.parametrize("levels", [pytest.param(3, id="many-ties"), pytest.param(10_000, id="distinct")])
@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scikit_learn(seed: int, levels: int) -> None:
    labels, scores, called = random_test_set(seed, levels)
    measured = image_metrics(labels, scores, called)
    everything = np.ones_like(called)
    assert measured.accuracy == pytest.approx(sklearn_metrics.accuracy_score(labels, called))
    assert measured.precision == pytest.approx(sklearn_metrics.precision_score(labels, called))
    assert measured.recall == pytest.approx(sklearn_metrics.recall_score(labels, called))
    assert measured.f1 == pytest.approx(sklearn_metrics.f1_score(labels, called))
    assert measured.auroc == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores))
    assert measured.average_precision == pytest.approx(sklearn_metrics.average_precision_score(labels, scores))
    assert measured.f1_all_anomalous == pytest.approx(sklearn_metrics.f1_score(labels, everything))
    oracle = max(sklearn_metrics.f1_score(labels, scores >= threshold) for threshold in scores)
    assert measured.f1_max_oracle == pytest.approx(oracle)


@pytest.mark.parametrize("seed", range(5))
def test_oracle_is_never_below_an_honest_or_a_trivial_f1(seed: int) -> None:
    measured = image_metrics(*random_test_set(seed, 50))
    assert measured.f1 is not None and measured.f1_max_oracle is not None and measured.f1_all_anomalous is not None
    assert measured.f1_max_oracle >= max(measured.f1, measured.f1_all_anomalous) - 1e-12


@pytest.mark.parametrize(
    ("normal", "anomalous", "expected"),
    [
        pytest.param(33, 84, 0.836, id="mvtec-tile-official-test-split"),
        pytest.param(21, 57, 0.844, id="mvtec-grid"),
    ],
)
def test_trivial_f1_of_known_test_sets(normal: int, anomalous: int, expected: float) -> None:
    labels = np.repeat([0, 1], [normal, anomalous])
    measured = image_metrics(labels, np.zeros(labels.size), np.ones(labels.size, dtype=bool))
    assert measured.f1_all_anomalous == pytest.approx(expected, abs=5e-4)
    assert measured.f1 == measured.f1_all_anomalous == measured.f1_max_oracle
    assert measured.auroc == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("label", "recall", "false_positive_rate", "accuracy"),
    [
        pytest.param(0, None, 0.25, 0.75, id="only-normal"),
        pytest.param(1, 0.25, None, 0.25, id="only-anomalous"),
    ],
)
def test_one_class_leaves_undefined_measures_none(
    label: int, recall: float | None, false_positive_rate: float | None, accuracy: float
) -> None:
    measured = image_metrics([label] * 4, [0.1, 0.2, 0.3, 0.9], [False, False, False, True])
    assert (measured.recall, measured.false_positive_rate) == (recall, false_positive_rate)
    assert measured.accuracy == accuracy
    values = asdict(measured)
    both = ("precision", "f1", "auroc", "average_precision", "f1_max_oracle", "f1_all_anomalous")
    assert [values[name] for name in both] == [None] * len(both)


def test_thresholds_do_not_cut_through_images_of_one_score() -> None:
    """Six images tie: all or none are called, so the best F1 is the trivial one; then 2 of 3 at the top are anomalous."""
    labels = [1, 1, 0, 0, 0, 0]
    tied = image_metrics(labels, np.full(6, 0.5), np.zeros(6, dtype=bool))
    assert tied.f1_max_oracle == tied.f1_all_anomalous == pytest.approx(2 * 2 / (2 + 6))
    parted = image_metrics(labels, [0.9, 0.9, 0.9, 0.1, 0.1, 0.1], np.zeros(6, dtype=bool))
    assert parted.f1_max_oracle == pytest.approx(2 * 2 / (2 + 3))


def test_whole_numbers_without_a_sign_are_ranked_as_other_scores() -> None:
    scores = np.array([0, 2, 6, 5, 9], dtype=np.uint8)
    assert image_metrics(LABELS, scores, CALLED) == image_metrics(LABELS, scores.astype(float), CALLED)


@pytest.mark.filterwarnings("error")
def test_precision_is_zero_where_nothing_is_called() -> None:
    measured = image_metrics(LABELS, SCORES, np.zeros(5, dtype=bool))
    assert (measured.precision, measured.recall, measured.f1, measured.false_positive_rate) == (0.0, 0.0, 0.0, 0.0)


def test_order_of_images_and_monotone_transforms_change_nothing() -> None:
    labels, scores, called = random_test_set(seed=7, levels=9)
    shuffled = np.random.default_rng(0).permutation(labels.size)
    expected = image_metrics(labels, scores, called)
    assert asdict(image_metrics(labels[shuffled], scores[shuffled], called[shuffled])) == pytest.approx(
        asdict(expected)
    )
    assert image_metrics(labels, np.exp(3 * scores) - 50, called) == expected


def test_measures_serialise_as_strict_json() -> None:
    measured = image_metrics([0, 0], [0.0, 1.0], [False, False])
    assert json.loads(json.dumps(asdict(measured), allow_nan=False))["auroc"] is None
    (defect,) = per_defect_metrics([0, 1], [0.0, 1.0], [False, True], ["good", "crack"])
    assert json.loads(json.dumps(asdict(defect), allow_nan=False))["defect"] == "crack"


@pytest.mark.parametrize(
    ("labels", "scores", "called", "message"),
    [
        pytest.param([], [], [], r": give three columns of one length, with at least one image$", id="empty"),
        pytest.param([0, 1], [0.5], [True, False], "columns of one length", id="lengths"),
        pytest.param([[0, 1]], [[0.5, 0.6]], [[True, False]], "columns of one length", id="two-dimensional"),
        pytest.param([0, 2], [0.5, 0.6], [True, False], r"found \[0, 2\]", id="label-2"),
        pytest.param([0, 1], [0.5, np.nan], [True, False], r"scores\[1\] is nan", id="nan-score"),
        pytest.param([0, 1], [-np.inf, 0.5], [True, False], r"scores\[0\] is -inf", id="infinite-score"),
        pytest.param([0, 1], [0.1, 0.5], [1, -1], "must be bool", id="forest-signs"),
    ],
)
def test_wrong_columns_are_refused(labels: list, scores: list, called: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        image_metrics(labels, scores, called)


def test_per_defect_worked_example() -> None:
    hole, crack = per_defect_metrics(
        labels=[0, 0, 1, 1, 1],
        scores=[0.1, 0.4, 0.2, 0.5, 0.9],
        decisions=np.array([False, False, False, True, True]),
        defects=["good", "good", "crack", "crack", "Hole"],
    )
    assert (hole.defect, crack.defect) == ("Hole", "crack")
    assert (crack.count, crack.recall, crack.auroc) == (2, 0.5, 0.75)  # 0.2 beats one of two normals, 0.5 both
    assert (hole.count, hole.recall, hole.auroc) == (1, 1.0, 1.0)


def test_per_defect_measures_average_to_those_of_the_whole_set() -> None:
    labels, scores, called = random_test_set(seed=3, levels=12)
    defects = np.where(labels == 0, "good", np.where(np.arange(labels.size) % 3 == 0, "a long name", "b"))
    whole, parts = image_metrics(labels, scores, called), per_defect_metrics(labels, scores, called, list(defects))
    counts = [part.count for part in parts]
    assert sum(counts) == whole.anomalous
    assert np.average([part.auroc for part in parts], weights=counts) == pytest.approx(whole.auroc)
    assert np.average([part.recall for part in parts], weights=counts) == pytest.approx(whole.recall)


def test_per_defect_without_normals_or_defects() -> None:
    (only,) = per_defect_metrics([1, 1], [0.1, 0.2], [True, False], ["crack", "crack"])
    assert (only.count, only.recall, only.auroc) == (2, 0.5, None)
    assert per_defect_metrics([0, 0], [0.1, 0.2], [True, False], ["good", "good"]) == ()


def test_per_defect_refuses_a_missing_name() -> None:
    with pytest.raises(DataError, match="1 names for 2 labels"):
        per_defect_metrics([0, 1], [0.1, 0.2], [True, False], ["good"])


@pytest.mark.parametrize("kinds", [(3, 16), (5, 7), (13, 29)])
def test_an_auroc_is_the_share_of_pairs_to_the_bit(kinds: tuple[int, int]) -> None:
    """Equal ones are so printed as equal."""
    stream, (normal, anomalous) = np.random.default_rng(sum(kinds)), kinds
    labels = np.repeat([0, 1], kinds)
    for _ in range(200):
        scores = stream.integers(0, 9, normal + anomalous)
        pairs = scores[normal:, None] - scores[None, :normal]
        exact = Fraction(2 * int((pairs > 0).sum()) + int((pairs == 0).sum()), 2 * pairs.size)
        order = stream.permutation(labels.size)
        assert image_metrics(labels[order], scores[order], scores[order] > 4).auroc == float(exact)
