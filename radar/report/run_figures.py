"""The figures of one run: panels, feature scatter with the detector's boundary, feature histograms, loss curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from radar.report.figures import (
    Boundary,
    PanelRow,
    feature_histograms,
    feature_scatter,
    loss_curve,
    panel_figure,
    save_figure,
    timestep_loss_curve,
)

_AXIS_LABELS = ("global L2 norm of the edge map", "largest local L2 norm")
_VALIDATION_PREFIX = "validation_loss/t"


@dataclass(frozen=True)
class RunPoints:
    """Features `(N, 2)` of every scored image, with what is known of each."""

    features: NDArray[np.float64]
    labels: Sequence[int]
    defects: Sequence[str]
    splits: Sequence[str]


def run_figures(
    *, panels: Sequence[PanelRow], points: RunPoints, boundary: Boundary, history: Sequence[dict[str, float]]
) -> dict[str, Figure]:
    """All figures of a run by name; those without content are left out."""
    tested = np.array([split == "test" for split in points.splits])
    figures = {
        "feature_scatter": feature_scatter(
            points.features,
            labels=points.labels,
            defects=points.defects,
            splits=points.splits,
            axis_labels=_AXIS_LABELS,
            boundary=boundary,
        ),
        "feature_histograms": feature_histograms(
            points.features[tested], np.asarray(points.labels)[tested], _AXIS_LABELS
        ),
    }
    if panels:
        figures["panels"] = panel_figure(panels)
    if history:
        figures["loss"] = loss_curve(history)
        timesteps = sorted(
            int(key.removeprefix(_VALIDATION_PREFIX)) for key in history[-1] if key.startswith(_VALIDATION_PREFIX)
        )
        figures["timestep_loss"] = timestep_loss_curve(
            timesteps, [history[-1][f"{_VALIDATION_PREFIX}{timestep}"] for timestep in timesteps]
        )
    return figures


def save_figures(figures: dict[str, Figure], folder: Path) -> dict[str, Path]:
    """Write every figure as a PNG into `folder`; returns their paths by name."""
    folder.mkdir(exist_ok=True)
    paths = {name: folder / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    return paths
