"""The control charts of a log of predictions, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from numpy.typing import NDArray

from radar.deploy.monitor import Chart, Monitored
from radar.report import style
from radar.report.figures import save_figure
from radar.scoring.forest import Floats

Times = NDArray[np.datetime64]

_HEIGHT = 1.75  # inches, a chart
_DOT = 3.0  # points


def write_control_charts(path: Path, monitored: Monitored) -> None:
    """A PNG: per measure its values, and below them the moving average between its limits."""
    save_figure(control_charts(monitored), path)


@style.own_settings()
def control_charts(monitored: Monitored) -> Figure:
    """Left the values of each measure, right their moving average, all over time."""
    count = len(monitored.charts)
    figure = style.new_figure(2 * style.PLOT_SIZE[0] * 0.8, _HEIGHT * count + 0.4)
    rows = figure.subplots(count, 2, sharex=True, squeeze=False)
    times = np.array([time.replace(tzinfo=None) for time in monitored.times], dtype="datetime64[us]")
    for row, chart in zip(rows, monitored.charts, strict=True):
        _draw_values(row[0], times, chart, monitored.thresholds)
        _draw_levels(row[1], times, chart, monitored.times)
    for axes in rows[-1]:
        ticks = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(ticks)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(ticks))  # type: ignore[no-untyped-call]
        axes.xaxis.get_offset_text().set_fontsize(style.FONT_TEXT)
        axes.set_xlabel("time (UTC)", fontsize=style.FONT_TEXT, color=style.INK)
    return figure


def _draw_values(axes: Axes, times: Times, chart: Chart, thresholds: Floats) -> None:
    style.dress(axes, title=chart.measure, horizontal="", vertical="value")
    judged = slice(chart.first, None)
    if style.spans_decades(chart.values):
        axes.set_yscale("log")
        style.number_logarithmic(axes.yaxis, chart.values)
    axes.plot(times[: chart.first], chart.values[: chart.first], ".", color=style.GREY, markersize=_DOT)
    axes.plot(times[judged], chart.values[judged], ".", color=style.BLUE, markersize=_DOT)
    if chart.measure == "score":
        first, last = (
            axes.get_xlim()
        )  # of dates, as numbers; the line goes from side to side, as the last photo has a threshold, too
        places = np.concatenate([[first], date2num(times)[1:], [last]])  # type: ignore[no-untyped-call]
        axes.step(places, [*thresholds, thresholds[-1]], where="post", color=style.VERMILION, linewidth=1)
        axes.set_xlim(first, last)
        axes.set_title("score, and the threshold of its time", fontsize=style.FONT_TITLE, color=style.INK, loc="left")
    elif chart.first:
        axes.set_title(f"{chart.measure}; grey: the baseline", fontsize=style.FONT_TITLE, color=style.INK, loc="left")


def _draw_levels(axes: Axes, times: Times, chart: Chart, moments: Sequence[datetime]) -> None:
    told = (
        "within its limits" if chart.alarm is None else f"out of its limits at {moments[chart.alarm]:%Y-%m-%d %H:%M:%S}"
    )
    style.dress(axes, title=f"{chart.measure}: {told}", horizontal="", vertical="moving average of ranks (σ)")
    axes.plot(times[chart.first :], chart.levels, color=style.BLUE, linewidth=1.2)
    axes.axhspan(-chart.limit, chart.limit, color=style.LIGHT_GREY, alpha=0.4)
    for limit in (-chart.limit, chart.limit):
        axes.axhline(limit, color=style.GREY, linewidth=0.8, linestyle="--")
    if chart.alarm is not None:
        axes.plot(
            times[chart.alarm],
            chart.levels[chart.alarm - chart.first],
            "^" if chart.rises else "v",
            color=style.VERMILION,
        )
