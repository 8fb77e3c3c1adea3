"""Runs on several versions of a data set's data: which count, and that what stands beside others says on what it was measured."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from report_builders import SETTINGS, on_other_data, one_kind, result

from radar.report.build import Report
from radar.report.cells import LEFT_OUT, MARKS, OTHER_DATA, OTHER_TRAINING, cells, main_cells
from radar.report.figures_study import cost_figure
from radar.report.html import page
from radar.report.result import Result
from radar.report.tables_comparisons import pair_table, pairs
from radar.report.tables_ranks import rankings
from radar.report.tables_results import main_table

DETECTOR = {"name": "upper_tail", "threshold": "quantile", "threshold_on": "cross_fitted"}
TRIVIAL = "·\u00a0all called anomalous"


def learnt_from(one: Result, data: str, ended: str = "2026") -> Result:
    """The same run, tested on the same images, that read another manifest."""
    told = {"name": f"{one.name}{data}", "fingerprint": f"{one.fingerprint}{data}", "ended": ended}
    return replace(one, environment={**one.environment, "data_manifest_hash": data}, **told)


def on_fewer(one: Result, normal: int) -> Result:
    """The same run on test images of which some normal ones are left out."""
    kept = slice(one.images[0].label == 0 and 12 - normal, None)
    changed = {name: getattr(one, name)[kept] for name in ("images", "scores", "decisions", "features")}
    image = replace(one.metrics.image, normal=normal)
    return replace(on_other_data(one), **changed, metrics=replace(one.metrics, image=image))


@pytest.mark.parametrize("later", ["first", "second"])
@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
def test_of_equally_many_runs_those_on_the_later_data_count_whatever_they_are_called(
    later: str, names: tuple[str, str]
) -> None:
    groups = [
        [
            replace(
                learnt_from(result(seed=seed), data, "2027" if data == later else "2026"),
                name=name,
                fingerprint=f"{name}{seed}",
            )
            for seed in range(2)
        ]
        for data, name in zip(("first", "second"), names, strict=True)
    ]
    for order in itertools.permutations([*groups[0], *groups[1]]):
        (cell,) = cells(order, None)
        assert ({each.data for each in cell.results}, len(cell.results), cell.marks) == ({later}, 2, LEFT_OUT)


def test_of_equally_many_runs_of_a_method_those_count_that_stand_beside_the_other_methods() -> None:
    own = [learnt_from(result(preset="a"), "all", "2026"), learnt_from(result(preset="a"), "few", "2027")]
    others = [learnt_from(result(preset=preset), "all") for preset in "bc"]
    assert {cell.method: (cell.one.data, cell.marks) for cell in cells([*own, *others], None)} == {
        "radar, a": ("all", LEFT_OUT),
        "radar, b": ("all", ""),
        "radar, c": ("all", ""),
    }


def test_methods_that_learnt_from_other_data_are_marked_wherever_they_stand_beside_others_and_not_ranked() -> None:
    some = [result(dataset=name, preset=preset, gain=1 + n) for name in "pq" for n, preset in enumerate("abc")]
    few = [learnt_from(each, "few") if (each.dataset, each.command.preset) == ("p", "a") else each for each in some]
    chosen = main_cells(cells(few, None))
    marked = [cell for cell in chosen if cell.marks]
    assert [(cell.dataset, cell.name, cell.marks) for cell in marked] == [("p", "radar, a ⊕", OTHER_TRAINING)]
    content = pair_table(pairs(chosen, SETTINGS), SETTINGS)
    told = {(row[0].text, row[1].text, row[2].text) for row in content.rows}
    assert {("p", "radar, a ⊕", "radar, b"), ("p", "radar, b", "radar, c"), ("q", "radar, a", "radar, b")} <= told
    assert f"{OTHER_TRAINING} {MARKS[OTHER_TRAINING]}" in content.notes
    assert [each.methods for each in rankings(chosen, 0.05)] == [("radar, b", "radar, c")] * 2
    assert [len(each.methods) for each in rankings(main_cells(cells(some, None)), 0.05)] == [3, 3]


def test_a_setting_that_learnt_from_what_the_others_did_stands_for_its_method() -> None:
    typed = ["dataset.train_images=4"]
    own = [result(preset="a"), *(learnt_from(result(preset="a", overrides=typed, dataset__train_images=4, seed=seed), "few")
                                 for seed in range(2))]  # fmt: skip
    others = [result(preset=preset) for preset in "bc"]
    rows = {cell.method: cell.marks.replace("†", "") for cell in main_cells(cells([*own, *others], None))}
    assert rows == {"radar, a": LEFT_OUT, "radar, b": "", "radar, c": ""}


@pytest.mark.parametrize("order", list(itertools.permutations((4, 8, None))))
def test_in_a_study_of_how_many_images_are_needed_the_plain_runs_stand_for_their_methods(
    order: tuple[int | None, ...],
) -> None:
    """Whatever ended last."""
    some = []
    for year, count in enumerate(order, 2026):
        typed = [] if count is None else [f"dataset.train_images={count}"]
        for preset in "ab":
            one = result(preset=preset, overrides=typed, dataset__train_images=count)
            some.append(learnt_from(one, f"{count} images", str(year)))
    rows = {cell.method: cell.marks for cell in main_cells(cells(some, None))}
    assert rows == {"radar, a": LEFT_OUT, "radar, b": LEFT_OUT}
    marked = {cell.method: cell.marks for cell in cells(some, None) if cell.marks}
    assert marked == {
        f"radar, {preset}, dataset.train_images={count}": OTHER_TRAINING for preset in "ab" for count in (4, 8)
    }


@pytest.fixture(params=[("a", "b", "c"), ("c", "a", "b")], ids=["first by name", "last by name"])
def apart(request: pytest.FixtureRequest) -> tuple[str, Report]:
    """The preset that was tested on fewer normal images, in a report of it and two others."""
    moved, *others = request.param
    runs = [on_fewer(result(preset=moved), 4), *(result(preset=preset) for preset in others)]
    for each in runs:
        each.config["detector"] = DETECTOR
    return moved, Report(runs, SETTINGS, [])


def test_calling_everything_anomalous_is_that_of_the_images_that_most_were_tested_on(
    apart: tuple[str, Report],
) -> None:
    _, report = apart
    rows = [row for row in main_table(report.cells).rows if row[1].text == TRIVIAL]
    f1 = main_table(report.cells).headings.index("F1")
    assert [row[f1].text for row in rows] == [f"{2 * 18 / (12 + 2 * 18):.3f}"]
    (axes,) = _figure(report, "precision_recall_grid").axes
    assert "all called anomalous: 0.600" in _legend(axes)


@pytest.mark.parametrize(
    "name", ["regime", "separation", "noise_distances", "noise_moments", "border", "false_alarms", "cost"]
)
def test_what_was_tested_on_other_data_is_marked_in_every_table(apart: tuple[str, Report], name: str) -> None:
    moved, report = apart
    (content,) = (each for each in report.tables if each.name == name)
    shown = {row[1].text for row in content.rows}
    assert shown == {f"radar, {preset} ‡" if preset == moved else f"radar, {preset}" for preset in "abc"}
    assert f"{OTHER_DATA} {MARKS[OTHER_DATA]}" in content.notes


@pytest.mark.parametrize("name", ["roc_grid", "precision_recall_grid", "cost", "regime"])
def test_what_was_tested_on_other_data_is_marked_in_every_figure(apart: tuple[str, Report], name: str) -> None:
    moved, report = apart
    figure = _figure(report, name)
    told = [*(text for axes in figure.axes for text in (axes.get_title(), axes.get_title("left"), *_legend(axes))),
            *(text.get_text() for legend in figure.legends for text in legend.get_texts())]  # fmt: skip
    assert any(text.startswith(f"radar, {moved} ‡") for text in told)
    assert any(text.startswith("‡ measured on other data") for text in told)
    for preset in {"a", "b", "c"} - {moved}:
        assert any(text.startswith(f"radar, {preset}") and "‡" not in text for text in told)


def test_a_figure_without_marks_explains_none() -> None:
    figure = cost_figure(main_cells(cells([result(preset=preset) for preset in "ab"], None)), [])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["radar, a", "radar, b", "grid"]


def test_the_summary_of_the_page_says_what_is_not_ranked() -> None:
    runs = [result(preset="a"), result(preset="b"), result(preset="c", dataset__image={"size": 256})]
    text = page(Report(runs, SETTINGS, []), [])
    assert "grid, radar, c, not ranked: other pixels (256 px): AUROC" in text


def test_methods_that_are_not_ranked_are_told_so_in_every_table() -> None:
    """The same method twice, on two sizes, of which one is that of the other methods."""
    runs = [
        result(preset=preset, dataset__image={"size": size}, detector__name="x")
        for preset, size in (("a", 100), ("b", 100), ("b", 256), ("c", 256), ("d", 100))
    ]
    for each in runs:
        each.config["detector"] = DETECTOR
    tables = {each.name: each for each in Report(runs, SETTINGS, []).tables}
    large = "not ranked: other pixels (256 px)"
    wanted = {"radar, a", "radar, b", f"radar, b, {large}", f"radar, c, {large}", "radar, d"}
    for name in ("comparisons", "regime", "false_alarms", "defects"):
        columns = (1, 2) if name == "comparisons" else (1,)
        assert {row[column].text for row in tables[name].rows for column in columns} == wanted, name
    for name in ("border", "separation", "cost"):
        assert len({row[1].text for row in tables[name].rows if row[1].text.endswith(large)}) == 2, name
    assert len(tables["false_alarms"].rows) == 3 * 5
    controls = [row[1].text for row in tables["results"].rows if "raw_sobel" in row[1].text]
    assert controls == ["·\u00a0raw_sobel"], "one that is equal everywhere stands for those that are ranked"


def test_a_control_of_other_data_alone_has_its_name() -> None:
    bare = [replace(result(preset=preset), metrics=replace(result().metrics, controls={})) for preset in "bc"]
    content = main_table(main_cells(cells([on_other_data(result(preset="a")), *bare], None)))
    assert [row[1].text for row in content.rows if "raw_sobel" in row[1].text] == ["·\u00a0raw_sobel (radar, a ‡)"]


@pytest.mark.parametrize("label", [0, 1])
def test_a_curve_is_drawn_of_those_that_were_tested_on_both_kinds(label: int) -> None:
    """Whatever the first by name was tested on."""
    runs = [one_kind(result(preset="a"), label), result(preset="b"), result(preset="c")]
    figure = _figure(Report(runs, SETTINGS, []), "roc_grid")
    told = [text for text in _legend(figure.axes[0]) if text.startswith("radar")]
    assert [text.partition(", AUROC")[0] for text in told] == ["radar, b", "radar, c"]


def _figure(report: Report, name: str) -> Figure:
    (figure,) = (figure for each, _, figure in report.figures() if each == name)
    return figure


def _legend(axes: Axes) -> Sequence[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]
