"""Curves against scikit-learn; the figures of a whole report hold what they should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_builders import SETTINGS, one_kind, result, study
from sklearn.metrics import precision_recall_curve, roc_auc_score

from radar.report.build import Report
from radar.report.comparison import comparison_tables
from radar.report.figures_curves import band, precision_points, roc_points
from radar.report.html import page
from radar.report.result import Result
from radar.report.tables_sweep import ANSWERS, sweep_table

ONE = result(gain=1.0)
GRID = np.linspace(0, 1, 201)


def test_area_under_the_curve_is_the_auroc() -> None:
    scores = np.round(ONE.scores, 1)  # with ties
    points = roc_points(ONE.labels, scores, np.ones(scores.size))
    assert np.trapezoid(points, GRID) == pytest.approx(roc_auc_score(ONE.labels, scores), abs=0.01)
    assert (points[0] >= 0, points[-1]) == (True, 1)


def test_precision_is_scikit_learns_at_each_recall() -> None:
    precision, recall, _ = precision_recall_curve(ONE.labels, ONE.scores)
    points = precision_points(ONE.labels, ONE.scores, np.ones(ONE.scores.size))
    for level in (0.1, 0.5, 0.9, 1.0):
        reached = np.flatnonzero(recall >= level - 1e-9)[-1]
        assert points[round(200 * level)] == pytest.approx(precision[reached])


def test_weights_count_images_as_often_as_they_say() -> None:
    weights = np.random.default_rng(0).integers(0, 3, ONE.scores.size).astype(float)
    index = np.repeat(np.arange(ONE.scores.size), weights.astype(int))
    once = np.ones(index.size)
    for points in (roc_points, precision_points):
        np.testing.assert_allclose(
            points(ONE.labels, ONE.scores, weights), points(ONE.labels[index], ONE.scores[index], once)
        )


def test_the_band_holds_the_curve() -> None:
    low, high = band([ONE], roc_points, SETTINGS)
    middle = roc_points(ONE.labels, ONE.scores, np.ones(ONE.scores.size))
    assert np.mean((low <= middle + 1e-9) & (middle <= high + 1e-9)) > 0.95


@pytest.fixture(scope="module")
def drawn() -> dict[str, object]:
    return {name: figure for name, _, figure in Report(study(), SETTINGS, []).figures()}


def test_every_figure_of_a_report(drawn: dict[str, object]) -> None:
    singles = {"cost", "ranks_auroc", "ranks_f1", "sensitivity_timestep_value", "regime"}
    assert singles <= drawn.keys()
    assert {
        f"{kind}_{name}" for kind in ("roc", "precision_recall") for name in ("grid", "tile", "wood")
    } <= drawn.keys()


def test_every_axis_is_named(drawn: dict[str, object]) -> None:
    for name, figure in drawn.items():
        for axes in figure.axes:  # type: ignore[attr-defined]
            assert axes.get_xlabel() or axes.get_ylabel(), name


def test_lines_differ_in_dashes_and_not_in_colour_alone(drawn: dict[str, object]) -> None:
    lines = [line for line in drawn["roc_grid"].axes[0].lines if len(line.get_xdata()) == 201]  # type: ignore[attr-defined]
    assert len({str(line.get_linestyle()) for line in lines}) == len(lines) == 2


def test_names_in_the_gallery_open_no_tag() -> None:
    one = result()
    shown = (replace(one.images[0], path="<!--<script>.png"), *one.images[1:])
    text = page(Report([replace(one, images=shown)], SETTINGS, []), [])
    assert "<!--<script>.png" not in text
    assert "\\u003c!--\\u003cscript>.png" in text


def test_the_page_is_self_contained_and_complete(tmp_path: Path) -> None:
    text = page(Report(study(), SETTINGS, []), [])
    for outside in ("http://", "https://", 'src="/', "@import", "url("):
        assert outside not in text
    assert "default-src 'none'" in text
    for each in Report(study(), SETTINGS, []).tables:
        assert f'id="{each.name}"' in text
    assert text.count('"good/00.png"') == 6  # in the gallery of each method and data set
    assert "timestep.value = 50" in text  # how a run differs from most


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("beside", [[], study()[:3]], ids=["alone", "beside others"])
def test_test_images_of_one_kind_are_reported_like_any_other(label: int, beside: list[Result]) -> None:
    quantile = {"name": "upper_tail", "threshold": "quantile", "threshold_on": "cross_fitted"}
    bare = [one_kind(result(dataset="bare", preset=preset, seed=seed), label) for preset in "ab" for seed in range(2)]
    for each in bare:
        each.config["detector"] = quantile
    report = Report([*bare, *beside], SETTINGS, [])
    drawn = {name for name, _, _ in report.figures()}
    assert "bare" in page(report, []) and "histograms_bare_0" in drawn
    assert not {"roc_bare", "precision_recall_bare"} & drawn
    tables = {each.name: each for each in report.tables}
    (trivial,) = (row for row in tables["results"].rows if row[0].text == "bare" and "all called" in row[1].text)
    rate = tables["results"].headings.index("false positive rate")
    assert trivial[rate].text == ("–" if label else "1.000")
    assert ("false_alarms" in tables) == (label == 0)
    assert all(sweep_table(name, report.results, None, []).rows for name in ANSWERS if name != "unet")
    assert comparison_tables(bare[:2], SETTINGS)


def test_long_names_leave_the_plots_their_room() -> None:
    """As of runs whose many settings were typed."""
    typed = ", dataset.image.size=64, scoring.density.timesteps=[1, 5, 10], training.max_steps=2000, detector.name=lof"
    long = [
        replace(each, command=replace(each.command, preset=f"{each.command.preset}{typed}"))
        for each in study()
        if each.dataset != "wood"
    ]
    figures = {name: figure for name, _, figure in Report(long, SETTINGS, []).figures()}
    for name in ("roc_grid", "precision_recall_grid", "cost", "ranks_auroc", "sensitivity_timestep_value", "regime"):
        figure = figures[name]
        figure.canvas.draw()
        plots = [axes for axes in figure.axes if axes.get_subplotspec() is not None and axes.get_visible()]
        row = [axes for axes in plots if axes.get_subplotspec().rowspan.start == 0]
        assert sum(axes.get_position().width for axes in row) > 0.5, name
        assert min(axes.get_window_extent().height for axes in plots) > 100, name
        titles = [axes.title for axes in plots] + [axes._left_title for axes in plots]
        told = [text for legend in figure.legends for text in legend.get_texts()]
        for text in (each for each in (*titles, *told) if each.get_text()):
            box = text.get_window_extent()
            assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1, (name, text)
