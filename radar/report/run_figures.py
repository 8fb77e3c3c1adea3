"""The figures of one run, drawn from its directory: panels, features with the boundary, histograms, loss curves."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from radar.experiment.panels import read_panels
from radar.experiment.run_directory import RunDirectory
from radar.experiment.stored_model import load_detector, load_history
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
from radar.scoring.detector import UpperTailDetector
from radar.scoring.features import FEATURE_NAMES

_AXIS_LABELS = ("global L2 norm of the filtered noise map", "largest local L2 norm")
_VALIDATION_PREFIX = "validation_loss/t"
Row = dict[str, str]


def draw_run(run: RunDirectory) -> dict[str, Path]:
    """Draw every figure of a run, as PNG, from what the run has stored; returns their paths by name."""
    with run.scores.open(newline="") as file:
        rows = list(csv.DictReader(file))
    figures = {**_feature_figures(run, rows), **_panel_figures(run, rows)}
    if run.network.exists():  # not every method has one
        figures |= _loss_figures(run)
    paths = {name: run.figures / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    return paths


def _feature_figures(run: RunDirectory, rows: list[Row]) -> dict[str, Figure]:
    features = np.array([[float(row[name]) for name in FEATURE_NAMES] for row in rows])
    labels = np.array([int(row["label"]) for row in rows])
    tested = np.array([row["split"] == "test" for row in rows])
    detector = load_detector(run.detector)
    # of a method with a score of its own, the detector judges that one: there is no boundary between the two norms
    judges_score = isinstance(detector, UpperTailDetector) and len(detector.centre) == 1
    return {
        "feature_scatter": feature_scatter(
            features,
            labels=labels,
            defects=[row["defect"] for row in rows],
            splits=[row["split"] for row in rows],
            axis_labels=_AXIS_LABELS,
            boundary=None if judges_score else Boundary(detector.score, detector.threshold),
        ),
        "feature_histograms": feature_histograms(features[tested], labels[tested], _AXIS_LABELS),
    }


def _panel_figures(run: RunDirectory, rows: list[Row]) -> dict[str, Figure]:
    threshold = load_detector(run.detector).threshold
    of_path = {row["path"]: row for row in rows}
    panels = []
    for panel in read_panels(run.panels):
        row = of_path[panel.path]
        title = panel_title(
            name=panel.path,
            label=int(row["label"]),
            defect=row["defect"],
            score=float(row["score"]),
            threshold=threshold,
            called=row["decision"] == "1",
        )
        panels.append(
            PanelRow(panel.image, panel.noise_map, panel.anomaly_map, panel.mask, f"{panel.caption}\n{title}")
        )
    return {"panels": panel_figure(panels)} if panels else {}


def _loss_figures(run: RunDirectory) -> dict[str, Figure]:
    history = load_history(run.network)
    last = history[-1]
    timesteps = sorted(int(key.removeprefix(_VALIDATION_PREFIX)) for key in last if key.startswith(_VALIDATION_PREFIX))
    losses = [last[f"{_VALIDATION_PREFIX}{timestep}"] for timestep in timesteps]
    return {"loss": loss_curve(history), "timestep_loss": timestep_loss_curve(timesteps, losses)}
