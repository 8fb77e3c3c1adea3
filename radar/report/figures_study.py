"""Figures over many runs: sensitivity to a setting, cost against quality, ranks with the critical difference, the regime map."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from radar.evaluation.statistics_ranks import cliques
from radar.report import style
from radar.report.cells import Cell, dataset_name, mean, pooled_name, spread
from radar.report.figures_marks import explained
from radar.report.pixels import field_of
from radar.report.tables_ablation import Ablation, curve, value_names
from radar.report.tables_ranks import Ranking
from radar.report.tables_regime import Regime

_PANELS_PER_ROW = 4
_SENSITIVITY = {
    "AUROC": ("image", "auroc"),
    "F1": ("image", "f1"),
    "false positive rate": ("image", "false_positive_rate"),
    "pixel AUROC": ("pixel", "auroc"),
}
_UNITS = {"patch.size": "px", "scoring.window": "px", "scoring.blur.sigma": "px", "training.max_steps": "steps",
          "dataset.train_images": "images", "timestep.value": "1 … T", "contamination.value": "share of normals"}  # fmt: skip


@style.own_settings()
def sensitivity_figure(key: str, members: Sequence[Ablation], development: Collection[str]) -> Figure:
    """Four measures against one setting, a line per data set and method: mean over seeds, bars of one standard deviation."""
    figure = style.new_figure(style.PLOT_SIZE[0] * 1.3, style.PLOT_SIZE[1] * 1.2)
    grid = figure.subplots(2, 2, squeeze=False).ravel()
    unit = f", {_UNITS[key]}" if key in _UNITS else ""
    names = None if all(each.numeric for each in members) else value_names(members)
    labels = [_label(each, development) for each in members]
    handles: dict[str, Artist] = {}
    for axes, (measure, path) in zip(grid, _SENSITIVITY.items(), strict=True):
        style.dress(axes, title="", horizontal=f"{key}{unit}", vertical=measure)
        for index, (each, label) in enumerate(zip(members, labels, strict=True)):
            _draw_curve(axes, each, path, index=index, names=names, label=label)
        handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        if names is None:
            _number_values(axes, sorted({float(value) for each in members for value in each.values}))
        else:
            _name_values(axes, list(names.values()))
    style.legend_below(figure, [*(handles[label] for label in labels if label in handles), *explained(labels)])
    return figure


def _label(ablation: Ablation, development: Collection[str]) -> str:
    held = f" ({ablation.fixed})" if ablation.fixed else ""
    return f"{dataset_name(ablation.dataset, development)}, {ablation.family}{held}"


def _draw_curve(
    axes: Axes,
    ablation: Ablation,
    path: tuple[str, ...],
    *,
    index: int,
    names: Mapping[str, str] | None,
    label: str,
) -> None:
    """Points over the values themselves, or over the places that these have among all `names`; nothing where nothing was measured."""
    colour, dashes, marker = style.line(index)
    values, means, spreads = curve(ablation, *path)
    if not values:
        return
    order = None if names is None else list(names)
    places = values if order is None else [order.index(repr(value)) for value in values]
    axes.errorbar(
        np.array(places, dtype=float), means, yerr=spreads, color=colour, linestyle=dashes, marker=marker, markersize=4,
        linewidth=1.2, capsize=2, label=label,
    )  # fmt: skip


def _name_values(axes: Axes, names: Sequence[str]) -> None:
    texts = [_lines(name) for name in names]
    upright = any("\n" in text for text in texts)  # a line per setting, beside each other below the tick
    axes.set_xticks(range(len(texts)), texts, rotation=90 if upright else 20)
    if upright:
        axes.tick_params(axis="x", labelsize=style.FONT_SMALL * 0.75)


def _number_values(axes: Axes, values: Sequence[float]) -> None:
    if style.spans_decades(np.array(values)):
        axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()


def _lines(value: str) -> str:
    """One line for each setting that `value` tells; lists stay whole."""
    return re.sub(r", (?=[a-z_.]+ = )", "\n", value)


@style.own_settings()
def cost_figure(cells: Sequence[Cell], development: Collection[str]) -> Figure:
    """AUROC against what learning took: colours per method, a marker per data set, bars of one standard deviation over seeds.

    Runs count that know both; a line of the legend tells how many others there are.
    """
    figure = style.new_figure(*style.PLOT_SIZE)
    axes = figure.subplots()
    horizontal = "learning, s: the network's training and the method's own fitting"
    style.dress(axes, title="Cost against quality", horizontal=horizontal, vertical="image AUROC")
    drawn = [(cell, costs) for cell in cells if (costs := _costs(cell))]
    methods = list(dict.fromkeys(cell.name for cell, _ in drawn))
    datasets = list(dict.fromkeys(cell.dataset for cell, _ in drawn))
    looks = {method: _point(*style.ring(index)) for index, method in enumerate(methods)}
    markers = {name: style.marker(index) for index, name in enumerate(datasets)}
    for cell, costs in drawn:
        seconds, quality = zip(*costs, strict=True)
        axes.errorbar(
            mean(seconds), mean(quality), xerr=spread(seconds) or 0, yerr=spread(quality) or 0, marker=markers[cell.dataset],
            **looks[cell.name], linewidth=0.8, capsize=2,
        )  # fmt: skip
    times = np.array([seconds for _, costs in drawn for seconds, _ in costs])
    if style.spans_decades(times):
        axes.set_xscale("log")
        style.number_logarithmic(axes.xaxis, times)
    shown = {dataset_name(name, development): marker for name, marker in markers.items()}
    handles = [Line2D([], [], marker="o", label=method, **look) for method, look in looks.items()]
    handles += [
        Line2D([], [], color=style.INK, marker=marker, linestyle="none", label=name) for name, marker in shown.items()
    ]
    handles += [*_left_out(cells), *explained([*methods, *shown])]
    style.legend_below(figure, handles, columns=2)
    return figure


def _costs(cell: Cell) -> list[tuple[float, float]]:
    """Seconds of learning and AUROC of each run that knows both."""
    pairs = [(each.metrics.learning_seconds, each.metrics.image.auroc) for each in cell.results]
    return [(seconds, auroc) for seconds, auroc in pairs if seconds is not None and auroc is not None]


def _left_out(cells: Sequence[Cell]) -> list[Line2D]:
    """An entry of a legend without a line that tells of the runs of which `_costs` tells nothing; none where there are none."""
    missing = Counter[str]()
    for cell in cells:
        missing[cell.name] += len(cell.results) - len(_costs(cell))
    told = "; ".join(f"{name}: {number}" for name, number in missing.items() if number)
    words = f"not shown, runs that do not tell both what learning took and an AUROC: {told}"
    return [Line2D([], [], linestyle="none", label=words)] if told else []


def _point(inside: str, around: str) -> dict[str, Any]:
    """How a point of these two colours is drawn; its bars have that around it."""
    return {"color": around, "markerfacecolor": inside, "markeredgecolor": around, "markeredgewidth": 1.6, "markersize": 7,
            "linestyle": "none"}  # fmt: skip


@style.own_settings()
def critical_difference_figure(ranking: Ranking, alpha: float, development: Collection[str]) -> Figure:
    """Mean ranks on a line, best at the left; bars join methods that are not told apart. The title is marked where a development
    set is among the data sets."""
    count = len(ranking.methods)
    names = [style.folded(name) for name in ranking.methods]
    lines = max(name.count("\n") + 1 for name in names)
    figure = style.new_figure(style.PLOT_SIZE[0], 1.1 + (0.1 + style.LABEL_HEIGHT * lines) * count)
    axes = figure.subplots()
    difference = ranking.compared.critical_difference
    pooled = pooled_name(f"{ranking.measure} over {len(ranking.datasets)} data sets", ranking.datasets, development)
    title = f"{pooled}: critical difference {difference:.2f} (α = {alpha})"
    style.dress(axes, title=title, horizontal="mean rank, 1 is the best", vertical="")
    order = np.argsort(ranking.compared.ranks, kind="stable")
    for row, index in enumerate(order):
        rank = float(ranking.compared.ranks[index])
        axes.plot([rank, rank], [0, -1 - row], color=style.GREY, linewidth=0.7)
        axes.plot(rank, -1 - row, "o", color=style.BLACK, markersize=4)
        axes.annotate(
            f" {names[index]}: {rank:.2f}",
            (rank, -1 - row),
            fontsize=style.FONT_SMALL,
            va="center",
        )
    for step, (low, high) in enumerate(cliques(ranking.compared.ranks, difference)):
        axes.plot([low - 0.03, high + 0.03], [-0.3 - 0.25 * step] * 2, color=style.BLACK, linewidth=3)
    axes.set_xlim(0.9, count + 0.1 + 0.45 * (count - 1))
    axes.set_xticks(range(1, count + 1))
    axes.set_ylim(-count - 0.7, 0.3)
    axes.set_yticks([])
    axes.grid(False)
    if notes := explained([title]):
        style.legend_below(figure, notes)
    return figure


@style.own_settings()
def regime_figure(found: Sequence[Regime], development: Collection[str]) -> Figure:
    """Recall of each class of defects (number and shade) over contrast and area; a marker per data set, a panel per method."""
    known = [each for each in found if each.area and each.contrast and each.recall]
    methods = list(dict.fromkeys(each.cell.name for each in known))
    datasets = list(dict.fromkeys(each.cell.dataset for each in known))
    columns = min(max(len(methods), 1), _PANELS_PER_ROW)
    rows = max(math.ceil(len(methods) / columns), 1)
    figure = style.new_figure(style.HISTOGRAM_WIDTH * 1.25 * columns, style.HISTOGRAM_WIDTH * 1.1 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in grid[len(methods) :]:
        spare.set_visible(False)
    shown = None
    for axes, method in zip(grid, methods, strict=False):
        style.dress(
            axes,
            title=style.folded(method),
            horizontal="contrast, standard deviations of the rest",
            vertical=f"area, % of {field_of(each.cell.one for each in known if each.cell.name == method)}",
        )
        for dataset in datasets:
            some = [each for each in known if (each.cell.name, each.cell.dataset) == (method, dataset)]
            shown = axes.scatter(
                [each.contrast for each in some], [100 * (each.area or 0) for each in some], c=[mean(each.recall) for each in some],
                cmap=style.ANOMALY_COLOUR_MAP, vmin=0, vmax=1, s=42, edgecolors=style.INK, linewidths=0.5,
                label=dataset_name(dataset, development),
                marker=style.marker(datasets.index(dataset)),
            )  # fmt: skip
            for each in some:
                place = (each.contrast or 0.0, 100 * (each.area or 0))
                axes.annotate(f" {mean(each.recall):.2f}", place, fontsize=style.FONT_SMALL * 0.85, color=style.INK)
        axes.set_xscale("log")
        axes.set_yscale("log")
        style.number_logarithmic(axes.xaxis, np.array([each.contrast for each in known], dtype=float))
        style.number_logarithmic(axes.yaxis, np.array([100 * (each.area or 0) for each in known], dtype=float))
    if shown is not None:
        figure.colorbar(shown, ax=list(grid), label="recall", shrink=0.8)
        handles, names = grid[0].get_legend_handles_labels()
        style.legend_below(figure, [*handles, *explained([*methods, *names])], columns=4)
    return figure
