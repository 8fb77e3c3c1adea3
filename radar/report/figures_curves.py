"""ROC and precision–recall curves: mean over seeds, with a pointwise band of the bootstrap over groups of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from radar.config.verbs import ReportConfig
from radar.evaluation.statistics_resampling import bootstrap_weights
from radar.report import style
from radar.report.cells import Cell, dataset_name, mean, on_common_data
from radar.report.figures_marks import explained
from radar.report.result import Result

Floats = NDArray[np.float64]
Points = Callable[[NDArray[np.int_], Floats, Floats], Floats]
"""Labels, scores and weights of N images → the curve at the grid."""

_GRID = np.linspace(0, 1, 201)
_BAND_RESAMPLES = 300  # enough for a band that is looked at; tables use the configured number


def roc_points(labels: NDArray[np.int_], scores: Floats, weights: Floats) -> Floats:
    """True positive rates (201,) at even false positive rates from 0 to 1, of images (N,) that count `weights` (N,) times."""
    found, alarmed = _cumulative(labels, scores, weights)
    rates: Floats = np.interp(_GRID, np.append(0.0, alarmed / alarmed[-1]), np.append(0.0, found / found[-1]))
    return rates


def precision_points(labels: NDArray[np.int_], scores: Floats, weights: Floats) -> Floats:
    """Precision (201,) at even recalls from 0 to 1: that of the smallest set of called images that reaches the recall."""
    found, alarmed = _cumulative(labels, scores, weights)
    recall, precision = found / found[-1], found / np.maximum(found + alarmed, 1e-12)
    places = np.searchsorted(recall, np.maximum(_GRID, 1e-9) - 1e-9)
    reached: Floats = precision[np.minimum(places, recall.size - 1)]
    return reached


def _cumulative(labels: NDArray[np.int_], scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Anomalous and normal images at or above each distinct score that any image of positive weight has, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    order = order[weights[order] > 0]
    lasts = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    called = weights[order]
    return np.cumsum(called * labels[order])[lasts], np.cumsum(called * (1 - labels[order]))[lasts]


@style.own_settings()
def roc_figure(cells: Sequence[Cell], settings: ReportConfig) -> Figure:
    """ROC of each method on one data set."""
    figure, axes = _empty(
        dataset_name(cells[0].dataset, settings.development),
        "ROC",
        "false positive rate",
        "true positive rate (recall)",
    )
    axes.plot([0, 1], [0, 1], color=style.GREY, linewidth=0.8, linestyle=":", label="chance")
    for index, cell in enumerate(cells):
        measure = f"AUROC {mean(cell.values('image', 'auroc')):.3f}"
        _draw(axes, cell, index, roc_points, measure=measure, settings=settings)
    style.legend_within(figure, axes, _handles(axes, cells), "lower right")
    return figure


@style.own_settings()
def precision_recall_figure(cells: Sequence[Cell], settings: ReportConfig) -> Figure:
    """Precision against recall of each method on one data set."""
    figure, axes = _empty(
        dataset_name(cells[0].dataset, settings.development), "Precision and recall", "recall", "precision"
    )
    share = float(on_common_data(cells)[0].one.labels.mean())
    axes.axhline(share, color=style.GREY, linewidth=0.8, linestyle=":", label=f"all called anomalous: {share:.3f}")
    for index, cell in enumerate(cells):
        measure = f"AP {mean(cell.values('image', 'average_precision')):.3f}"
        _draw(axes, cell, index, precision_points, measure=measure, settings=settings)
    style.legend_within(figure, axes, _handles(axes, cells), "lower left")
    return figure


def _empty(dataset: str, title: str, horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    figure = style.new_figure(style.PLOT_SIZE[1] * 1.15, style.PLOT_SIZE[1])
    axes = figure.subplots()
    style.dress(axes, title=f"{title}: {dataset}", horizontal=horizontal, vertical=vertical)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    return figure, axes


def _draw(axes: Axes, cell: Cell, index: int, points: Points, *, measure: str, settings: ReportConfig) -> None:
    colour, dashes, _ = style.line(index)
    line = np.mean([points(each.labels, each.scores, np.ones(each.scores.size)) for each in cell.results], axis=0)
    low, high = band(cell.results, points, settings)
    axes.fill_between(_GRID, low, high, color=colour, alpha=style.BAND_OPACITY, linewidth=0)
    axes.plot(_GRID, line, color=colour, linestyle=dashes, linewidth=1.4, label=f"{cell.name}, {measure}")


def _handles(axes: Axes, cells: Sequence[Cell]) -> list[Artist]:
    """Of what is drawn, and of what the marks of its names mean."""
    return [
        *axes.get_legend_handles_labels()[0],
        *explained([axes.get_title(loc="left"), *(cell.name for cell in cells)]),
    ]


def band(results: Sequence[Result], points: Points, settings: ReportConfig) -> tuple[Floats, Floats]:
    """Pointwise interval of the curve's mean over seeds; the same resample of the images for all seeds."""
    first = results[0]
    weights = bootstrap_weights(
        first.labels, first.groups, min(settings.resamples, _BAND_RESAMPLES), np.random.default_rng(settings.seed)
    )
    curves = np.mean([[points(each.labels, each.scores, row) for row in weights] for each in results], axis=0)
    tail = (1 - settings.level) / 2
    low, high = np.quantile(curves, [tail, 1 - tail], axis=0)
    return low, high
