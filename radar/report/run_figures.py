"""The figures of one run, drawn from its directory: panels, features with the boundary, histograms, loss curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from radar.experiment.panels import read_panels
from radar.experiment.run_directory import REMEDY, RunDirectory
from radar.files import read_csv
from radar.model import Model
from radar.model_folder import load
from radar.report.figures import (
    Boundary,
    PanelRow,
    feature_histograms,
    feature_scatter,
    loss_curve,
    panel_figure,
    panel_title,
    save_figure,
    timestep_loss_curve,
)
from radar.report.figures_features import feature_label
from radar.runtime.numbers import number, whole
from radar.thresholds import FITTED

_VALIDATION_PREFIX = "validation_loss/t"
Row = dict[str, str]


def draw_run(run: RunDirectory) -> dict[str, Path]:
    """Draw every figure of a run, as PNG, from what the run has stored; returns their paths by name."""
    (_, rows), model = run.read_scores(), load(run.path).at(FITTED)
    figures = {**_feature_figures(model, rows), **_panel_figures(run, model.threshold, rows)}
    if run.history.exists():  # not every method trains the shared network
        figures |= _loss_figures(
            [{key: number(value) for key, value in row.items()} for row in read_csv(run.history, REMEDY)[1]]
        )
    paths = {name: run.figures / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    return paths


def _feature_figures(model: Model, rows: list[Row]) -> dict[str, Figure]:
    names = model.method.point_names
    points = np.array([[number(row[name]) for name in names] for row in rows])
    labels, tested = np.array([whole(row["label"]) for row in rows]), np.array([row["split"] == "test" for row in rows])
    axis_labels = [feature_label(name) for name in names]
    figures = {"feature_histograms": feature_histograms(points[tested], labels[tested], axis_labels)}
    if len(names) == 2:
        figures["feature_scatter"] = feature_scatter(
            points,
            labels=labels,
            defects=[row["defect"] for row in rows],
            splits=[row["split"] for row in rows],
            axis_labels=(axis_labels[0], axis_labels[1]),
            boundary=Boundary(model.detector.score, model.threshold),
        )
    return figures


def _panel_figures(run: RunDirectory, threshold: float, rows: list[Row]) -> dict[str, Figure]:
    of_path = {row["path"]: row for row in rows}
    panels = []
    for panel in read_panels(run.panels):
        row = of_path[panel.path]
        title = panel_title(
            name=panel.path,
            label=whole(row["label"]),
            defect=row["defect"],
            score=number(row["score"]),
            threshold=threshold,
            called=row["decision"] == "1",
        )
        panels.append(
            PanelRow(
                panel.image, panel.noise_map, panel.anomaly_map, panel.mask, f"{panel.caption}\n{title}", panel.region
            )
        )
    return {"panels": panel_figure(panels)} if panels else {}


def _loss_figures(history: list[dict[str, float]]) -> dict[str, Figure]:
    last = history[-1]
    timesteps = sorted(int(key.removeprefix(_VALIDATION_PREFIX)) for key in last if key.startswith(_VALIDATION_PREFIX))
    losses = [last[f"{_VALIDATION_PREFIX}{timestep}"] for timestep in timesteps]
    return {"loss": loss_curve(history), "timestep_loss": timestep_loss_curve(timesteps, losses)}
