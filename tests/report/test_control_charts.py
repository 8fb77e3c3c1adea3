"""Titles of control charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from matplotlib.dates import date2num

from radar.deploy.monitor import Chart, Monitored
from radar.report.control_charts import control_charts


def test_an_alarm_is_told_with_its_day() -> None:
    times = tuple(datetime(2026, 1, 30, 23, 59, 58, tzinfo=UTC) + timedelta(days=day) for day in range(3))
    chart = Chart("score", np.array([1.0, 2.0, 9.0]), 0, np.array([0.0, 1.0, 4.0]), 3.0, 2)
    figure = control_charts(Monitored(times, np.full(3, 3.0), 1, (chart,), 0, 0, 0, None))
    assert figure.axes[1].get_title(loc="left") == "score: out of its limits at 2026-02-01 23:59:58"


def test_a_threshold_is_drawn_from_the_photo_that_it_first_decides() -> None:
    times = tuple(datetime(2026, 1, 30, tzinfo=UTC) + timedelta(days=day) for day in range(4))
    chart = Chart("score", np.array([1.0, 2.0, 2.0, 1.0]), 0, np.zeros(4), 3.0, None)
    figure = control_charts(Monitored(times, np.array([3.0, 3.0, 1.5, 1.5]), 1, (chart,), 0, 0, 0, None))
    line = figure.axes[0].lines[-1]
    assert line.get_drawstyle() == "steps-post" and list(line.get_ydata()) == [3.0, 3.0, 1.5, 1.5, 1.5]
    places = list(line.get_xdata())
    assert places[1:-1] == list(date2num(times[1:]))
    assert (places[0], places[-1]) == figure.axes[0].get_xlim(), "of the first and of the last photo, too"
