"""Loss figures: the lines hold the rows, gaps and the lowest validation loss are marked."""

from __future__ import annotations

import numpy as np
import pytest

from radar.report.figures import loss_curve, timestep_loss_curve

HISTORY: list[dict[str, float | None]] = [
    {"step": 100, "train_loss": 0.9, "validation_loss": None},
    {"step": 200, "train_loss": 0.5, "validation_loss": 0.6},
    {"step": 300, "train_loss": 0.3, "validation_loss": 0.4},
    {"step": 400, "train_loss": 0.2, "validation_loss": 0.45},
    {"step": 500, "train_loss": 0.1},
]


def test_loss_curve_holds_what_was_measured_and_marks_the_best_step() -> None:
    axes = loss_curve(HISTORY).axes[0]
    training, validation, best = axes.lines
    np.testing.assert_array_equal(training.get_xydata(), [(row["step"], row["train_loss"]) for row in HISTORY])
    np.testing.assert_array_equal(validation.get_xydata(), [(200, 0.6), (300, 0.4), (400, 0.45)])
    np.testing.assert_array_equal(best.get_xydata(), [(300, 0.4)])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "training, at the steps t it draws",
        "validation, at its own steps t",
        "lowest validation: 0.4 at step 300",
    ]
    assert axes.get_yscale() == "log"
    assert axes.get_xlabel() == "optimiser step"


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=["nan", "infinite"])
def test_a_loss_that_is_not_finite_is_a_counted_gap(value: float) -> None:
    history = [*HISTORY, {"step": 600, "train_loss": value, "validation_loss": value}]
    axes = loss_curve(history).axes[0]
    assert np.isnan(axes.lines[0].get_ydata()[-1])
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == [
        "training, at the steps t it draws (1 not finite)",
        "validation, at its own steps t (1 not finite)",
        "lowest validation: 0.4 at step 300",
    ]


def test_loss_curve_without_validation_has_one_line() -> None:
    axes = loss_curve([{"step": 1, "train_loss": 0.0}, {"step": 2, "train_loss": 1.0}]).axes[0]
    assert len(axes.lines) == 1
    assert axes.get_yscale() == "linear"  # a zero loss has no place on a logarithmic axis


def test_loss_curve_of_nothing_is_empty() -> None:
    axes = loss_curve([]).axes[0]
    assert len(axes.lines) == 0 and axes.get_legend() is None


def test_timestep_loss_curve_holds_every_timestep() -> None:
    axes = timestep_loss_curve([1, 10, 100, 1000], [0.5, 0.2, 0.05, 0.01]).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [(1, 0.5), (10, 0.2), (100, 0.05), (1000, 0.01)])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
