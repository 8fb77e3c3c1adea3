"""The tree of metrics: what is written is read back, and nothing that is misspelt, missing or of another type is let through."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from report_builders import result

from radar.evaluation.metrics import ControlQuality, Metrics, best_control, value_at

METRICS = result().metrics


def test_what_is_written_is_read_back() -> None:
    for one in (METRICS, replace(METRICS, noise=None, pixel=None, network=None, validation_loss=None, controls={})):
        assert Metrics.from_dict(json.loads(json.dumps(one.to_dict(), allow_nan=False))) == one


def test_a_record_from_before_the_border_was_measured_is_read() -> None:
    tree = METRICS.to_dict()
    assert METRICS.value("border_share", "test") == 0.5
    del tree["border_share"]
    older = Metrics.from_dict(tree)
    assert older == replace(METRICS, border_share=None)
    assert older.value("border_share", "test") is None


def test_a_record_from_before_memory_was_measured_by_stage_is_read() -> None:
    tree = METRICS.to_dict()
    assert METRICS.value("memory", "training", "host") == 500.0
    del tree["memory"]
    older = Metrics.from_dict({**tree, "peak_memory_mib": 700.0})
    assert older == replace(METRICS, memory={})
    assert older.value("memory", "training", "host") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda tree: tree["image"].pop("auroc"), "metrics/image/auroc: is missing", id="missing"),
        pytest.param(lambda tree: tree["image"].update(aurocc=1.0), "metrics/image/aurocc: is unknown", id="unknown"),
        pytest.param(
            lambda tree: tree["pixel"].update(auroc="0.9"), "pixel/auroc: must be float, not '0.9'", id="text"
        ),
        pytest.param(lambda tree: tree["image"].update(normal=1.5), "image/normal: must be int", id="no count"),
        pytest.param(lambda tree: tree.update(threshold=None), "metrics/threshold: must be float, not None", id="null"),
        pytest.param(lambda tree: tree.update(image=[]), "metrics/image: must hold normal, anomalous", id="no section"),
        pytest.param(
            lambda tree: tree["image"].update(auroc=-0.5),
            "auroc: must be at most 1 and at least 0, not -0.5",
            id="below",
        ),
        pytest.param(lambda tree: tree["pixel"].update(aupro=7), "pixel/aupro: must be at most 1", id="above"),
        pytest.param(
            lambda tree: tree["controls"]["raw_sobel"]["image"].update(recall=1.001),
            "raw_sobel/image/recall: must",
            id="control",
        ),
        pytest.param(
            lambda tree: tree["image"].update(anomalous=-3), "anomalous: must be at least 0, not -3", id="count"
        ),
        pytest.param(lambda tree: tree["cost"].update(fit_seconds=-1.0), "fit_seconds: must be at least 0", id="time"),
        pytest.param(lambda tree: tree["network"].update(trained_by_this_run=1), "must be bool", id="a number for yes"),
    ],
)
def test_what_does_not_fit_is_named(change: Callable[[dict[str, Any]], object], message: str) -> None:
    tree = METRICS.to_dict()
    change(tree)
    with pytest.raises(ValueError, match=message):
        Metrics.from_dict(tree)


def test_what_rounding_leaves_beyond_a_bound_is_read() -> None:
    tree = METRICS.to_dict()
    tree["image"]["average_precision"] = 1.0000000000000002  # as scikit-learn has it
    assert Metrics.from_dict(tree).image.average_precision == pytest.approx(1)


def test_what_runs_of_old_did_not_measure_may_be_missing() -> None:
    tree = METRICS.to_dict()
    del tree["data"]["coloured"], tree["separation"]["score"]["chance"], tree["noise"]["l2_norm"]["chance"]
    before = Metrics.from_dict(tree)
    assert before.data == replace(METRICS.data, coloured=None)
    assert before.value("separation", "score", "chance", "overlap", "mean") is None
    assert METRICS.value("noise", "l2_norm", "chance", "overlap", "mean") == 0.7
    assert before.value("noise", "l2_norm", "chance", "overlap", "mean") is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("image", "auroc"), METRICS.image.auroc),
        (("controls", "raw_sobel", "image", "auroc"), 0.6),
        (("controls", "untrained", "image", "auroc"), None),
        (("separation", "score", "p_value"), 0.01),
        (("noise", "normality", "distance_from_gaussian", "normal"), 1.0),
        (("network", "trained_by_this_run"), 1.0),
        (("seconds", "nothing"), None),
        (("parameters",), 1000.0),
    ],
)
def test_a_metric_is_found_by_its_path(path: tuple[str, ...], expected: float | None) -> None:
    assert METRICS.value(*path) == expected


@pytest.mark.parametrize(
    "path", [("image", "aurocc"), ("noise", "ks"), ("controls", "a", "noise"), ("auroc",), ("image",)]
)
def test_a_misspelt_path_is_an_error_even_where_the_section_is_null(path: tuple[str, ...]) -> None:
    for one in (METRICS, replace(METRICS, noise=None, controls={})):
        with pytest.raises(ValueError, match="/".join(path)):
            one.value(*path)
    with pytest.raises(ValueError, match="seconds"):  # a control has none
        value_at(METRICS.controls["raw_sobel"], "seconds", "training")


def test_flat_names_are_paths() -> None:
    flat = METRICS.flat()
    assert flat["controls/raw_sobel/image/auroc"] == 0.6
    assert flat["network/origin/packages/torch"] == "2.6"
    numbers = {key: value for key, value in flat.items() if isinstance(value, float)}
    assert all(METRICS.value(*key.split("/")) == value for key, value in numbers.items())


AUROC = ("image", "auroc")


def with_controls(own: float | None, **controls: float | None) -> Metrics:
    image = replace(METRICS.image, auroc=own)
    told = {name: ControlQuality(replace(image, auroc=value), {}, {}, None) for name, value in controls.items()}
    return replace(METRICS, image=image, controls=told)


def test_the_best_control_has_the_highest_mean_over_the_runs_that_have_both() -> None:
    runs = [with_controls(0.9, a=0.5, b=0.6), with_controls(0.7, a=0.8), with_controls(None, a=0.1, b=1.0)]
    best = best_control(runs, *AUROC)
    assert best is not None
    assert (best.name, best.value, best.gain) == ("a", pytest.approx(0.65), pytest.approx(0.15))
    assert best_control([with_controls(0.9), with_controls(None, a=0.5), with_controls(0.5, a=None)], *AUROC) is None
    equal = best_control([with_controls(0.9, z=0.5, a=0.5)], *AUROC)
    assert equal is not None
    assert equal.name == "z"


def test_of_controls_whose_means_differ_by_rounding_alone_the_first_is_the_best() -> None:
    lower, higher = 0.1 + 0.2, 0.3
    assert lower != higher
    for first, second in ((lower, higher), (higher, lower)):
        best = best_control([with_controls(0.9, z=first, a=second)], *AUROC)
        assert best is not None
        assert best.name == "z"
