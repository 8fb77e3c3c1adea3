"""Curves against scikit-learn; the figures of a whole report hold what they should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from report_builders import SETTINGS, one_kind, result, study
from sklearn.metrics import precision_recall_curve, roc_auc_score

from radar.report import style
from radar.report.build import Report
from radar.report.cells import cell_of, cells
from radar.report.comparison import comparison_tables
from radar.report.figures_curves import band, precision_points, precision_recall_figure, roc_figure, roc_points
from radar.report.figures_study import cost_figure, regime_figure, sensitivity_figure
from radar.report.html import page
from radar.report.result import Result
from radar.report.tables_ablation import Ablation, ablation_tables
from radar.report.tables_regime import regime_table, regimes
from radar.report.tables_results import cost_table
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


def test_forty_methods_have_forty_looks() -> None:
    many = [result(preset=f"p{number:02}", seed=seed) for number in range(40) for seed in range(2)]
    report = Report(many, replace(SETTINGS, resamples=2), [])
    for draw in (roc_figure, precision_recall_figure):
        lines = [line for line in draw(report.cells, report.settings).axes[0].lines if len(line.get_xdata()) == 201]
        assert len({(line.get_color(), repr(line._unscaled_dash_pattern)) for line in lines}) == 40
    cost = cost_figure(report.cells, [])
    shown = [look(handle) for handle in cost.legends[0].legend_handles][:40]
    drawn = [look(line) for line in cost.axes[0].lines if line.get_marker() == style.marker(0)]
    assert drawn == shown and len(set(shown)) == 40
    cost.canvas.draw()
    assert cost.axes[0].get_window_extent().height > 200


def look(line: Line2D) -> tuple[str, str]:
    return line.get_markerfacecolor(), line.get_markeredgecolor()


def test_forty_data_sets_have_forty_markers_and_forty_lines_three_ways_to_tell_them() -> None:
    assert len({style.marker(index) for index in range(40)}) == 40
    looks = [style.line(index) for index in range(40)]
    for one in (1, 2):  # dashes, and markers, each beside the colour
        assert len({repr((each[0], each[one])) for each in looks}) == 40
    assert looks[:8] == list(style.LINES)


def ablation(dataset: str, values: Mapping[Any, str], *, without: Sequence[Any] = ()) -> Ablation:
    """A series of one run for each value; `without` have no AUROC, and no pixel measure."""
    row = []
    for number, value in enumerate(values):
        one = result(dataset=dataset, seed=number)
        image = replace(one.metrics.image, auroc=None if value in without else (number + 1) / 10)
        one = replace(
            one, metrics=replace(one.metrics, image=image, pixel=None if value in without else one.metrics.pixel)
        )
        row.append(cell_of([one], 1))
    return Ablation(dataset, "RADAR", "unet.channels", "", "", tuple(values), tuple(values.values()), tuple(row))


def points(axes: Axes) -> dict[str, dict[str, float]]:
    """What a plot shows: by the label of a series, its values by the text of the tick that they stand over."""
    axes.figure.canvas.draw()
    ticks = {
        float(place): text.get_text() for place, text in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    }
    return {
        str(bars.get_label()): {
            ticks[float(x)]: round(float(y), 3) for x, y in zip(*bars.lines[0].get_data(), strict=True)
        }
        for bars in axes.containers
    }


@pytest.mark.parametrize(
    "series",
    [
        pytest.param([("grid", {"[8]": "[8]", "[8, 16]": "[8, 16]"}, ()), ("wood", {"[16]": "[16]", "[8]": "[8]"}, ())],
                     id="each has a value of its own"),
        pytest.param([("grid", {"a": "a", "b": "b", "c": "c"}, ("a",)), ("wood", {"a": "a", "b": "b", "c": "c"}, ())],
                     id="the first of one was not measured"),
        pytest.param([("grid", {1: "1", 50: "50"}, ()), ("wood", {"reference": "reference", "t1": "t1"}, ())],
                     id="numbers of one, names of the other"),
        pytest.param([("wood", {"reference": "reference", "t1": "t1"}, ()), ("grid", {1: "1", 50: "50"}, (1,))],
                     id="names of one, numbers of the other"),
        pytest.param([("grid", {True: "True", False: "False"}, ()), ("wood", {False: "False", True: "True"}, ())],
                     id="in two orders"),
        pytest.param([("grid", {1: "1", 100: "100"}, ()), ("wood", {7: "7", 20: "20"}, ())], id="numbers"),
        pytest.param([("grid", {0: "0", 2: "2"}, ()), ("wood", {1: "1", 40: "40"}, ())], id="zero among numbers"),
    ],
)  # fmt: skip
def test_points_stand_over_their_own_values(series: list[tuple[str, dict[Any, str], tuple[Any, ...]]]) -> None:
    members = [ablation(dataset, values, without=without) for dataset, values, without in series]
    axes = sensitivity_figure("unet.channels", members, []).axes[0]
    planted = {
        dataset: {number: (index + 1) / 10 for index, number in enumerate(values) if number not in without}
        for dataset, values, without in series
    }
    drawn = dict(zip((each.dataset for each in members), axes.containers, strict=True))
    if all(each.numeric for each in members):
        for dataset, expected in planted.items():
            x, y = drawn[dataset].lines[0].get_data()
            assert dict(zip(x, np.round(y, 3), strict=True)) == expected
        lowest = min(number for expected in planted.values() for number in expected)
        assert axes.get_xscale() == ("log" if lowest > 0 else "linear")
        return
    told = {
        f"{dataset}, RADAR": {values[key]: y for key, y in planted[dataset].items()} for dataset, values, _ in series
    }
    assert points(axes) == told


def test_a_series_without_the_first_measure_is_in_the_legend() -> None:
    members = [ablation("grid", {"a": "a", "b": "b"}, without=("a", "b")), ablation("wood", {"a": "a", "b": "b"})]
    (legend,) = sensitivity_figure("unet.channels", members, []).legends
    assert [text.get_text() for text in legend.get_texts()] == ["grid, RADAR", "wood, RADAR"]


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


def learnt(shared: float | None, own: float | None, **changes: Any) -> Result:
    """A run whose shared network took so long; None: it uses none, as its clock then tells by a 0; and its own fitting."""
    one = result(**changes)
    network, seconds = (
        one.metrics.network if shared is not None else None,
        {**one.metrics.seconds, "training": shared or 0.0},
    )
    cost = replace(one.metrics.cost, fit_seconds=own)
    return replace(one, metrics=replace(one.metrics, network=network, seconds=seconds, cost=cost))


def costs_of(some: Sequence[Result]) -> tuple[list[float], list[str]]:
    """Where points of the cost figure stand, and its legend."""
    figure = cost_figure(cells(some, None), [])
    assert figure.axes[0].get_xlabel().startswith("learning, s")
    places = [float(bars.lines[0].get_xdata()[0]) for bars in figure.axes[0].containers]
    return places, [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]


def test_the_cost_of_learning_is_the_networks_and_a_methods_own() -> None:
    places, legend = costs_of([
        learnt(60.0, 1.5, preset="shared"), learnt(None, 4.1, preset="svdd"), learnt(None, 0.25, preset="statistical"),
        learnt(60.0, 0.0, preset="none"),
    ])  # fmt: skip
    assert places == [60.0, 61.5, 0.25, 4.1]
    assert legend == ["radar, none", "radar, shared", "radar, statistical", "radar, svdd", "grid"]


def test_runs_that_do_not_tell_what_learning_took_are_left_out_and_told() -> None:
    untimed = learnt(60.0, 1.0, preset="untimed")
    untimed = replace(untimed, metrics=replace(untimed.metrics, seconds={"score": 1.0}))
    places, legend = costs_of([
        learnt(10.0, 1.0, preset="a", seed=0), learnt(90.0, None, preset="a", seed=1), learnt(30.0, 3.0, preset="a", seed=2),
        learnt(None, None, preset="gone"), untimed, one_kind(learnt(5.0, 5.0, preset="kind"), 0),
    ])  # fmt: skip
    assert places == [22.0]
    (told,) = (text for text in legend if text.startswith("not shown"))
    assert told.endswith(": radar, a: 1; radar, gone: 1; radar, kind ‡: 1; radar, untimed: 1")
    assert legend[:2] == ["radar, a", "grid"]


def test_nothing_learnt_in_a_known_time_is_no_error() -> None:
    assert costs_of([learnt(None, None)])[0] == []


POLYGON = {"region_of_interest": {"name": "polygons", "polygons": [[[0, 0], [0.5, 0], [0.5, 1]]]}}
FOUND = {"region_of_interest": {"name": "found", "tolerance": 4.0}, "size": 100}


IMAGE, REGION, CROP = "the image", "the region of interest", "the crop of the image"


@pytest.mark.parametrize(
    ("images", "field", "own"),
    [
        ([{}, {"size": 64}], IMAGE, [IMAGE, IMAGE]),
        ([{"region_of_interest": None}, {}], IMAGE, [IMAGE, IMAGE]),
        ([POLYGON, FOUND], REGION, [REGION, REGION]),
        ([FOUND, {}], f"{IMAGE} or {REGION}", [REGION, IMAGE]),
        ([{"aspect": "crop"}, {"aspect": "pad"}], f"{CROP} or {IMAGE}", [CROP, IMAGE]),
    ],
)
def test_shares_are_said_to_be_of_what_they_are_of(images: list[dict[str, Any]], field: str, own: list[str]) -> None:
    some = [result(preset=preset, dataset__image=image) for preset, image in zip("ab", images, strict=True)]
    found = regimes(cells(some, None))
    axes = [each for each in regime_figure(found, []).axes if each.get_xlabel()]
    by_method = {each.get_title(loc="left")[:8]: each.get_ylabel() for each in axes}
    assert by_method == {f"radar, {name}": f"area, % of {each}" for name, each in zip("ab", own, strict=True)}
    assert regime_table(found).notes[0].startswith(f"Area: median share of {field} under the mask. Contrast")


def told_by(figure: Figure) -> list[str]:
    """All that a figure names: titles, ticks and legends."""
    figure.canvas.draw()
    texts = [
        text.get_text() for axes in figure.axes for text in (axes.title, axes._left_title, *axes.get_yticklabels())
    ]
    texts += [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]
    return texts + [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_one_method_may_have_seen_regions_of_some_sets_alone() -> None:
    some = [result(dataset="grid", dataset__image=POLYGON), result(dataset="wood")]
    (axes, _) = regime_figure(
        [replace(each, cell=replace(each.cell, not_ranked="")) for each in regimes(cells(some, None))], []
    ).axes
    assert axes.get_ylabel() == f"area, % of {IMAGE} or {REGION}"


def test_development_sets_are_marked_in_figures_and_their_titles() -> None:
    report, plain = Report(study(), replace(SETTINGS, development=["wood"]), []), Report(study(), SETTINGS, [])
    for (name, title, figure), (_, bare, before) in zip(report.figures(), plain.figures(), strict=True):
        assert "◆" not in bare and not any("◆" in text for text in told_by(before))
        told = told_by(figure)
        explains = any(text.startswith("◆ dev") for text in told)
        if name.startswith("ranks_"):  # which pool it with others and name none
            assert title == f"{bare} ◆" and explains, name
            assert any("over 3 data sets ◆: critical" in text.replace("\n", " ") for text in told), name
            continue
        assert ("wood ◆" in title) == (title != bare) == ("wood" in bare), name
        named = any("wood" in text for text in told)
        assert any("wood ◆" in text for text in told) == named == explains, name
        assert not any("grid ◆" in text or "tile ◆" in text for text in told), name
    names = {name for name, _, _ in report.figures()}
    assert {"roc_wood", "precision_recall_wood", "histograms_wood_0"} <= names, "files are called as before"


def test_development_sets_are_marked_in_all_that_the_page_says_of_them() -> None:
    runs = [*study()[:9], one_kind(result(dataset="bare"), 0)]
    text = page(Report(runs, replace(SETTINGS, development=["wood", "bare"]), []), [])
    summary = text[text.index("<dl>") : text.index("</ul>") + 400]
    assert "<li>wood ◆, RADAR: AUROC" in summary and "<li>bare ◆, RADAR: test images of one kind" in summary
    assert "<li>grid, RADAR: AUROC" in summary and "bare ◆, grid, wood ◆</dd>" in summary
    assert "◆ development set: its test labels" in summary
    assert '"wood \\u25c6, RADAR, seed 0"' in text and '"grid, RADAR, seed 0"' in text
    assert "◆" not in page(Report(runs, SETTINGS, []), [])


def test_tables_of_times_show_what_methods_without_the_shared_network_learnt_in() -> None:
    own = [
        learnt(None, 4.0, seed=seed, patch__size=size, scoring__window=size) for seed in range(2) for size in (7, 14)
    ]
    shared = [learnt(60.0, 2.0, seed=seed, patch__size=size) for seed in range(2) for size in (7, 14)]
    for some, seconds in ((own, "4.0 ± 0.0"), (shared, "62.0 ± 0.0")):
        content = sweep_table("patch", some, None, [])
        assert {row[content.headings.index("learning, s")].text for row in content.rows} == {seconds}
    untold = sweep_table("patch", [*own[:2], learnt(None, None, seed=1, patch__size=7, scoring__window=7)], None, [])
    columns = [untold.headings.index(heading) for heading in ("patch, px", "learning, s")]
    found = {tuple(row[column].text for column in columns) for row in untold.rows}
    assert found == {("7 × 7", "4.0†"), ("14 × 14", "4.0")}
    (numbers,) = (each for each in comparison_tables([own[0], shared[0]], SETTINGS) if each.name == "numbers")
    (row,) = (row for row in numbers.rows if row[0].text == "own fitting, s")
    assert [entry.text for entry in row[1:]] == ["4.000", "2.000 (-2.000)"]


@pytest.mark.parametrize(("shared", "shown"), [(None, ["4.0", "4.0"]), (60.0, [])])
def test_an_ablation_of_methods_without_the_shared_network_has_their_own_fitting(
    shared: float | None, shown: list[str]
) -> None:
    (content,) = ablation_tables([learnt(shared, 4.0, timestep__value=value) for value in (1, 50)], None)
    places = [place for place, heading in enumerate(content.headings) if heading == "own fitting, s"]
    assert [row[place].text for place in places for row in content.rows] == shown
    assert all(len(row) == len(content.headings) for row in content.rows)


def test_ranks_that_rest_on_no_development_set_bear_no_mark() -> None:
    for development in ([], ["elsewhere"]):
        report = Report(study(), replace(SETTINGS, development=development), [])
        for name, title, figure in report.figures():
            if name.startswith("ranks_"):
                assert "◆" not in title and not any("◆" in text for text in told_by(figure))


def test_the_cost_of_methods_without_the_shared_network_is_of_all_their_runs() -> None:
    def timed(one: Result, metrics: float, *, trained: bool = True) -> Result:
        network = one.metrics.network
        network = None if network is None else replace(network, trained_by_this_run=trained)
        seconds = {**one.metrics.seconds, "metrics": metrics, "validation": metrics, "controls": metrics}
        return replace(one, metrics=replace(one.metrics, network=network, seconds=seconds))

    own = [timed(learnt(None, 4.0, seed=seed, preset="svdd"), 3.0 + seed) for seed in range(2)]
    shared = [timed(learnt(60.0, 2.0, seed=seed, preset="paper"), 10.0 + seed, trained=seed == 0) for seed in range(2)]
    content = cost_table(cells([*own, *shared], None))
    found = {
        row[content.headings.index("own fitting, s")].text: [
            row[content.headings.index(heading)].text
            for heading in ("runs that trained", "metrics, s", "validation, s", "controls, s")
        ]
        for row in content.rows
    }
    assert found == {"4.0 ± 0.0": ["–", *["3.50 ± 0.71"] * 3], "2.0 ± 0.0": ["1 of 2", *["10.00"] * 3]}
    told = [any("no shared network" in note for note in cost_table(cells(some, None)).notes) for some in (own, shared)]
    assert told == [True, False]
