"""Figures of a training: loss against step, loss against timestep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from radar.report import style

_LINES = {
    "train_loss": ("training, at the steps t it draws", style.BLUE, "-", "."),
    "validation_loss": ("validation, at its own steps t", style.VERMILION, "--", "s"),
}
_LOSS_LABEL = "mean squared error of the noise, dimensionless"


@style.own_settings()
def loss_curve(history: Sequence[Mapping[str, float | None]]) -> Figure:
    """Training and validation loss against the optimiser step, and where validation loss is lowest.

    Each row holds `step`, and `train_loss`, `validation_loss` or both (absent or `None`: not measured at that step).
    A loss that is not finite leaves a gap, and the legend counts such steps.
    """
    figure = style.new_figure(*style.PLOT_SIZE)
    axes = figure.subplots()
    style.dress(axes, title="Loss during training", horizontal="optimiser step", vertical=_LOSS_LABEL)
    for key, (name, colour, line, marker) in _LINES.items():
        steps, losses = _column(history, key)
        if steps.size:
            _draw_loss(axes, steps, losses, f"{name}{_broken(losses)}", colour=colour, line=line, marker=marker)
    steps, losses = _column(history, "validation_loss")
    if np.isfinite(losses).any():
        best = int(np.nanargmin(np.where(np.isfinite(losses), losses, np.nan)))
        label = f"lowest validation: {losses[best]:.4g} at step {steps[best]:.0f}"
        axes.plot(steps[best], losses[best], "o", markersize=9, fillstyle="none", color=style.BLACK, label=label)
    _finish(axes)
    return figure


@style.own_settings()
def timestep_loss_curve(timesteps: ArrayLike, losses: ArrayLike) -> Figure:
    """Loss (T,) against the diffusion timestep (T,), counted 1…T as in the paper."""
    figure = style.new_figure(*style.PLOT_SIZE)
    axes = figure.subplots()
    style.dress(axes, title="Loss by timestep", horizontal="timestep t, 1 is the least noise", vertical=_LOSS_LABEL)
    steps, values = np.asarray(timesteps, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    _draw_loss(axes, steps, values, f"loss{_broken(values)}", colour=style.BLUE, line="-", marker=".")
    axes.set_xscale("log")
    style.number_logarithmic(axes.xaxis, steps)
    _finish(axes)
    return figure


def _column(history: Sequence[Mapping[str, float | None]], key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps and values of the rows that measured `key`."""
    measured = [(row["step"], row[key]) for row in history if row.get(key) is not None]
    pairs = np.array(measured, dtype=np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _draw_loss(
    axes: Axes,
    steps: NDArray[np.float64],
    losses: NDArray[np.float64],
    label: str,
    *,
    colour: str,
    line: str,
    marker: str,
) -> None:
    """One line with its points marked where they are few enough to tell apart."""
    shown = np.where(np.isfinite(losses), losses, np.nan)
    size = 4.0 if steps.size <= 60 else 0.0
    axes.plot(steps, shown, color=colour, linestyle=line, marker=marker, markersize=size, linewidth=1.2, label=label)


def _broken(losses: NDArray[np.float64]) -> str:
    """What the legend adds where losses are not finite."""
    count = int(np.sum(~np.isfinite(losses)))
    return f" ({count} not finite)" if count else ""


def _finish(axes: Axes) -> None:
    """Logarithmic losses where they span decades, and the legend."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.lines] or [np.empty(0)])
    finite = drawn[np.isfinite(drawn)]
    if style.spans_decades(finite):
        axes.set_yscale("log")
        style.number_logarithmic(axes.yaxis, finite)
    if axes.lines:
        axes.legend(fontsize=style.FONT_SMALL, frameon=False)
