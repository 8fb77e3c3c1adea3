"""Figures of the features: the scatter with the detector's boundary, and histograms of normal against anomalous."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from radar.report import style

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


_LABELS = {
    "global_norm": "global L2 norm of the filtered map",
    "local_norm": "largest local L2 norm",
    "map_statistic": "statistic of the anomaly map",
}


def feature_label(name: str) -> str:
    """What an axis says of a feature."""
    return _LABELS.get(name, name)


@dataclass(frozen=True, slots=True)
class Boundary:
    """A detector over two features: `score` maps points (M, 2) to scores (M,), higher is more anomalous."""

    score: Callable[[FloatArray], FloatArray]
    threshold: float


@dataclass(frozen=True, slots=True)
class _Group:
    """The points that share one marker."""

    name: str
    members: BoolArray
    marker: str
    colour: str
    filled: bool
    size: float


@style.own_settings()
def feature_scatter(
    features: ArrayLike,
    *,
    labels: ArrayLike,
    defects: Sequence[str],
    splits: Sequence[str],
    axis_labels: tuple[str, str],
    boundary: Boundary | None,
) -> Figure:
    """Draw the two features of every image, a marker per split of normals and per class of defect, and the boundary.

    `features` (N, 2), `labels` (N,) 0 / 1, `defects` (N,) class names, `splits` (N,) train, validation or test;
    `axis_labels` name the two features with their units. A positive feature that spans a factor above
    `style.LOGARITHMIC_SPAN` gets a logarithmic axis. The region called anomalous (score above the threshold) is
    shaded; `None`: no boundary.
    """
    points = np.asarray(features, dtype=np.float64)
    figure = style.new_figure(*style.PLOT_SIZE)
    axes = figure.subplots()
    style.dress(axes, title="Features of every image", horizontal=axis_labels[0], vertical=axis_labels[1])
    if style.spans_decades(points[:, 0]):
        axes.set_xscale("log")
        style.number_logarithmic(axes.xaxis, points[:, 0])
    if style.spans_decades(points[:, 1]):
        axes.set_yscale("log")
        style.number_logarithmic(axes.yaxis, points[:, 1])
    handles: list[Line2D | Patch] = [
        _draw_group(axes, points, group) for group in _groups(np.asarray(labels), defects, splits)
    ]
    axes.set_xlim(*_view(points[:, 0]))
    axes.set_ylim(*_view(points[:, 1]))
    if boundary is not None:
        handles += _draw_boundary(axes, boundary)
    figure.legend(handles=handles, loc="outside right upper", fontsize=style.FONT_SMALL, frameon=False)
    return figure


def _groups(labels: NDArray[np.generic], defects: Sequence[str], splits: Sequence[str]) -> Iterator[_Group]:
    """Normals by split, then anomalous images by class: later ones lie on top."""
    classes, parts = np.asarray(defects, dtype=np.str_), np.asarray(splits, dtype=np.str_)
    normals = (
        ("train", "o", style.GREY, False, 14.0),
        ("validation", "d", style.GREY, True, 16.0),
        ("test", "o", style.NORMAL_COLOUR, True, 18.0),
    )
    for split, marker, colour, filled, size in normals:
        members = (labels == 0) & (parts == split)
        if members.any():
            yield _Group(f"normal, {split} (n={members.sum()})", members, marker, colour, filled, size)
    for position, name in enumerate(np.unique(classes[labels == 1])):
        members = (labels == 1) & (classes == name)
        marker = style.DEFECT_MARKERS[position % len(style.DEFECT_MARKERS)]
        colour = style.DEFECT_COLOURS[position % len(style.DEFECT_COLOURS)]
        yield _Group(f"{name} (n={members.sum()})", members, marker, colour, True, 26.0)


def _draw_group(axes: Axes, points: FloatArray, group: _Group) -> Line2D:
    """Scatter one group; returns its legend entry."""
    face, edge = (group.colour, "white") if group.filled else ("none", group.colour)
    axes.scatter(
        points[group.members, 0],
        points[group.members, 1],
        s=group.size,
        marker=group.marker,
        facecolors=face,
        edgecolors=edge,
        linewidths=0.4 if group.filled else 0.7,
        zorder=3,
        label=group.name,
    )
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=group.marker,
        markersize=np.sqrt(group.size),
        markerfacecolor=face,
        markeredgecolor=edge,
        markeredgewidth=0.4 if group.filled else 0.7,
        label=group.name,
    )


def _draw_boundary(axes: Axes, boundary: Boundary) -> list[Line2D | Patch]:
    """Contour of the threshold and shading above it over the whole view; returns the legend entries."""
    horizontal, vertical = np.meshgrid(
        _between(axes.get_xlim(), axes.get_xscale() == "log"), _between(axes.get_ylim(), axes.get_yscale() == "log")
    )
    scores = boundary.score(np.column_stack((horizontal.ravel(), vertical.ravel()))).reshape(horizontal.shape)
    label = f"decision boundary, score = {boundary.threshold:.4g}"
    if scores.min() > boundary.threshold or scores.max() <= boundary.threshold:
        return [Line2D([], [], color=style.BLACK, label=f"{label} (outside the view)")]
    called = (scores > boundary.threshold).astype(np.float64)
    axes.contourf(horizontal, vertical, called, levels=[0.5, 1.5], colors=[style.LIGHT_GREY], alpha=0.45, zorder=1)
    axes.contour(
        horizontal, vertical, scores, levels=[boundary.threshold], colors=[style.BLACK], linewidths=1.2, zorder=4
    )
    shade = Patch(facecolor=style.LIGHT_GREY, alpha=0.45, label="called anomalous")
    return [Line2D([], [], color=style.BLACK, linewidth=1.2, label=label), shade]


@style.own_settings()
def feature_histograms(features: ArrayLike, labels: ArrayLike, names: Sequence[str]) -> Figure:
    """Draw, per feature, the histograms of normal against anomalous images over the same bins.

    `features` (N, D), `labels` (N,) 0 / 1, `names` (D,) with units. Bars are shares of a class's images, so classes of
    different size compare; the legend holds the overlap coefficient of the drawn bars. Features that span decades
    (`style.LOGARITHMIC_SPAN`) get logarithmic bins.
    """
    columns, truth = np.asarray(features, dtype=np.float64), np.asarray(labels) == 1
    figure = style.new_figure(style.HISTOGRAM_WIDTH * len(names), style.HISTOGRAM_WIDTH * 0.8)
    grid = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, values, name in zip(grid, columns.T, names, strict=True):
        style.dress(axes, title="", horizontal=name, vertical="share of the class's images")
        _draw_histogram(axes, values, truth)
    return figure


def overlap_of_shares(first: ArrayLike, second: ArrayLike) -> float:
    """Overlap coefficient of two histograms (B,) over the same bins, each summing to 1: 0 apart, 1 the same."""
    return float(np.minimum(np.asarray(first), np.asarray(second)).sum())


def _draw_histogram(axes: Axes, values: FloatArray, truth: BoolArray) -> None:
    """Both classes of one feature, the anomalous hatched, and the overlap in the legend."""
    edges = _bin_edges(values)
    if style.spans_decades(values):
        axes.set_xscale("log")
        style.number_logarithmic(axes.xaxis, values)
    shares = []
    kinds = (("normal", ~truth, style.NORMAL_COLOUR, ""), ("anomalous", truth, style.ANOMALOUS_COLOUR, "////"))
    for name, members, colour, hatch in kinds:
        count = int(members.sum())
        share = np.histogram(values[members], edges)[0] / max(count, 1)
        shares.append(share)
        axes.stairs(
            share,
            edges,
            fill=True,
            facecolor=to_rgba(colour, 0.4),
            edgecolor=colour,
            hatch=hatch,
            linewidth=1.2,
            label=f"{name} (n={count})",
        )
    title = f"overlap of the bars: {overlap_of_shares(*shares):.3f}" if truth.any() and not truth.all() else None
    axes.legend(title=title, title_fontsize=style.FONT_SMALL, fontsize=style.FONT_SMALL, frameon=False)


def _bin_edges(values: FloatArray) -> FloatArray:
    """Edges of bins over all values, by numpy's automatic rule within `style.BIN_RANGE`, even on the axis drawn."""
    logarithmic = style.spans_decades(values)
    spread = np.log(values) if logarithmic else values
    count = int(np.clip(np.histogram_bin_edges(spread, "auto").size - 1, *style.BIN_RANGE))
    edges: FloatArray = np.histogram_bin_edges(spread, count)
    if not logarithmic:
        return edges
    edges = np.exp(edges)
    edges[0], edges[-1] = values.min(), values.max()  # rounding must not push the extremes out
    return edges


def _view(values: FloatArray) -> tuple[float, float]:
    """Limits of an axis with a margin about the data."""
    logarithmic = style.spans_decades(values)
    spread = np.log(values) if logarithmic else values
    low, high = float(spread.min()), float(spread.max())
    margin = style.VIEW_MARGIN * ((high - low) or 1.0)
    limits = np.array([low - margin, high + margin])
    low, high = (np.exp(limits) if logarithmic else limits).tolist()
    return low, high


def _between(limits: tuple[float, float], logarithmic: bool) -> FloatArray:
    """Grid points between two limits, even on the axis drawn."""
    space = np.geomspace if logarithmic else np.linspace
    return np.asarray(space(limits[0], limits[1], style.BOUNDARY_GRID), dtype=np.float64)
