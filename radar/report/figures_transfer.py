"""The figure of transfers: who scores whom how well."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from radar.report import style
from radar.report.figures_marks import explained
from radar.report.tables import Table

_SQUARE = 0.5  # inches, one cell of a matrix


@style.own_settings()
def transfer_figure(content: Table) -> Figure:
    """The table of AUROCs as one matrix per method: rows are training sets, columns the sets that are scored."""
    methods = list(dict.fromkeys(row[0].text for row in content.rows))
    datasets = content.headings[2:]
    width = _SQUARE * len(datasets) + 1.6
    tallest = max(sum(row[0].text == method for row in content.rows) for method in methods)
    figure = style.new_figure(width * len(methods) + 0.6, _SQUARE * tallest + 2.0)
    grid = figure.subplots(1, len(methods), squeeze=False)[0]
    for axes, method in zip(grid, methods, strict=True):
        rows = [row for row in content.rows if row[0].text == method]
        values = np.array([[np.nan if cell.value is None else cell.value for cell in row[2:]] for row in rows])
        style.dress(axes, title=method, horizontal="scored on", vertical="trained on")
        axes.grid(False)
        shown = axes.imshow(values, cmap=style.ANOMALY_COLOUR_MAP, vmin=0, vmax=1, aspect="equal")
        axes.set_xticks(range(len(datasets)), datasets, rotation=90)
        axes.set_yticks(range(len(rows)), [row[1].text for row in rows])
        _annotate(axes, values)
    figure.colorbar(shown, ax=list(grid), label="image AUROC", shrink=0.8)
    if marks := explained(datasets):
        style.legend_below(figure, marks)
    return figure


def _annotate(axes: Axes, values: NDArray[np.float64]) -> None:
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if np.isfinite(value):
                colour = style.BLACK if value > 0.5 else "white"
                axes.text(
                    column,
                    row,
                    f"{value:.2f}".lstrip("0"),
                    ha="center",
                    va="center",
                    fontsize=style.FONT_SMALL,
                    color=colour,
                )
