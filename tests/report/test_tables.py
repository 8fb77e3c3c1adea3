"""Tables: their texts, and that what they print is what the results hold."""

from __future__ import annotations

import csv
import io
import math
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_builders import SETTINGS, on_other_data, result, study

from radar.evaluation.metrics import Kinds, Origin
from radar.evaluation.statistics_resampling import Units
from radar.experiment.transfer import Transfer
from radar.report.build import Report, table_files
from radar.report.cells import FEW, FEWER, cells, main_cells
from radar.report.html import page
from radar.report.result import Result
from radar.report.tables import Entry, csv_text, latex, latex_escaped, markdown, marked, over_seeds, p_value, table
from radar.report.tables_ablation import ablations
from radar.report.tables_comparisons import Pair, pair_table, pairs
from radar.report.tables_ranks import rank_table, rankings
from radar.report.tables_results import cost_table, main_table, provenance_table, published_table
from radar.report.tables_statistics import moments_table, noise_table, separation_table, smallest_p
from radar.report.tables_sweep import sweep_table


def test_mean_and_deviation_over_seeds() -> None:
    assert over_seeds([0.5, 0.7]).text == "0.600 ± 0.141"
    assert over_seeds([0.5]).text == "0.500"
    assert over_seeds([]).text == "–"
    assert (p_value(0.0001).text, p_value(0.04).text, p_value(None).text) == ("< 0.001", "0.040", "–")


def test_the_three_texts_of_a_table() -> None:
    content = table("t", "Title_1", ("a", "b"), [["x|y_%", Entry("2†", 2.0, ("run",))]], "100 %")
    assert markdown(content) == (
        "**Title_1**\n\n| a | b |\n| --- | ---: |\n| x\\|y\\_% | 2† |\n\n- 100 %\n"
        "- † fewer seeds than asked, or than the rest of the row has\n"
    )
    assert csv_text(content) == "a,b,b (value),runs\nx|y_%,2†,2,run\n"
    assert r"x\textbar{}y\_\% & 2$\dagger$ \\" in latex(content)
    assert latex_escaped(r"a_b & 5 % \ ±") == r"a\_b \& 5 \% \textbackslash{} $\pm$"


def test_the_main_table_has_every_method_control_and_the_trivial_decision() -> None:
    content = main_table(main_cells(cells(study(), None)))
    rows = {(row[0].text, row[1].text): row for row in content.rows}
    f1 = content.headings.index("F1")
    mine = [each.metrics.image.f1 for each in study()[:3]]
    assert rows["grid", "RADAR"][f1].text == f"{np.mean(mine):.3f} ± {np.std(mine, ddof=1):.3f}"
    assert rows["grid", "·\u00a0all called anomalous"][f1].text == f"{2 * 18 / (12 + 2 * 18):.3f}"
    assert ("grid", "·\u00a0raw_sobel (RADAR)") in rows
    assert any("+7 and +13" in note and "disagree" in note for note in content.notes)


_TILE = {"dataset__layout": "mvtec", "dataset__category": "tile"}
_FOLDER = {"dataset__layout": "folder", "dataset__category": None}


@pytest.mark.parametrize(
    ("dataset", "overrides", "keys", "figures"),
    [
        pytest.param("tile", ["experiment=paper_tile"], _TILE, {"RADAR": "0.67"}, id="the category of MVTec AD"),
        pytest.param("tile", ["dataset=mvtec", "dataset.category=tile"], _TILE, {"RADAR": "0.67"}, id="the same, typed otherwise"),
        pytest.param("tile", ["dataset=folder", "dataset.name=tile"], _FOLDER, {}, id="photos in a folder called tile"),
        pytest.param("tile", ["dataset=mvtec_folder"], _TILE | {"dataset__category": None}, {}, id="a folder as MVTec's"),
        pytest.param("tile", [], _TILE | {"dataset__category": "grid"}, {}, id="another category of that name"),
        pytest.param("tile", ["dataset=stochastic_tile"], {**_TILE, "dataset__layout": "synthetic"}, {}, id="drawn"),
        pytest.param("tile", [], {}, {}, id="a layout that is not told"),
        pytest.param("tile_quads", [], _TILE, {}, id="parts of the category's photos"),
        pytest.param("prints", ["dataset=prints"], _FOLDER, {"RADAR": "0.85", "DiffusionAD": "0.27"}, id="the authors' set"),
        pytest.param("prints", ["experiment=paper_prints"], _FOLDER, {"RADAR": "0.85", "DiffusionAD": "0.27"}, id="by experiment"),
        pytest.param("prints", ["experiment=paper", "dataset=folder", "dataset.name=prints"], _FOLDER, {}, id="photos called prints"),
        pytest.param("prints", ["experiment=paper_prints", "dataset=folder"], _FOLDER, {}, id="an experiment's set, replaced"),
        pytest.param("prints", [], _FOLDER, {}, id="a run that does not tell what was typed"),
    ],
)  # fmt: skip
def test_the_papers_figures_stand_beside_runs_on_its_data_sets_whatever_others_are_called(
    dataset: str, overrides: list[str], keys: dict[str, Any], figures: dict[str, str]
) -> None:
    content = main_table(cells([result(dataset=dataset, overrides=overrides, **keys)], None))
    column = content.headings.index("F1 in the paper")
    texts = {row[1].text: row[column].text for row in content.rows}
    told = {f"{method}, as published": f1 for method, f1 in figures.items()}
    assert {name: text for name, text in texts.items() if "as published" in name} == told
    assert texts["RADAR"] == figures.get("RADAR", "–")


def test_of_two_data_sets_of_one_name_the_papers_alone_has_its_figure() -> None:
    public = [result(dataset="tile", overrides=["dataset=tile"], **_TILE)]
    own = on_other_data(result(dataset="tile", overrides=["dataset=folder", "scoring.window=7"], **_FOLDER))
    content = main_table(cells([*public, own], None))
    column = content.headings.index("F1 in the paper")
    texts = {row[1].text: row[column].text for row in content.rows if "·" not in row[1].text}
    assert texts == {"RADAR": "0.67", "RADAR, as published": "0.67", "RADAR, scoring.window=7": "–"}


def test_controls_that_are_the_same_for_every_method_are_shown_once() -> None:
    first = study()[:3]
    second = [
        replace(each, fingerprint=f"{each.fingerprint}b", command=replace(each.command, preset="fast"))
        for each in first
    ]
    content = main_table(main_cells(cells([*first, *second], None)))
    names = [row[1].text for row in content.rows]
    assert {"RADAR", "radar, fast", "·\u00a0raw_sobel"} <= set(names)
    assert sum("raw_sobel" in name for name in names) == 1


def test_the_papers_figures_are_as_quoted() -> None:
    text = csv_text(published_table())
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["data set"], row["F1"]) for row in rows] == [("prints", "0.85"), ("prints", "0.27"), ("tile", "0.67")]


@pytest.mark.parametrize("name", ["tile", "prints"])
def test_the_papers_figures_bear_the_mark_of_their_data_set(name: str) -> None:
    sets = [row[0].text for row in marked(published_table(), [name]).rows]
    assert {text for text in sets if "◆" in text} == {f"{name} ◆"}
    assert sum("◆" in text for text in sets) == sum(text.startswith(name) for text in sets)
    assert not any("◆" in row[0].text for row in marked(published_table(), ["grid"]).rows)


@pytest.mark.parametrize("value", [1 / 3, 0.123456789012345, 1234567.25, 60.0, 1e-12])
def test_a_page_sorts_by_every_digit(value: float) -> None:
    report = Report([result()], SETTINGS, [])
    report.__dict__["tables"] = [table("x", "X", ("a",), [[Entry("shown", value)]])]
    (told,) = re.findall(r'data-value="([^"]*)"', page(report, []))
    assert float(told) == value


def test_an_ablation_holds_everything_else() -> None:
    (one,) = ablations(study(), None)
    assert (one.dataset, one.key, one.values) == ("grid", "timestep.value", (1, 50))
    assert [len(cell.results) for cell in one.cells] == [3, 2]
    assert [cell.marks for cell in one.cells] == ["", "†"]
    beside = result(seed=0, timestep__value=5, scoring__stride=7)  # another stride as well
    assert [each.values for each in ablations([*study(), beside], None)] == [(1, 50)]


def test_two_axes_give_a_series_for_each_value_of_the_other() -> None:
    grid = [result(timestep__value=t, patch__size=p) for t in (1, 5, 10) for p in (14, 28)]
    found = ablations(grid, None)
    assert {(each.key, each.fixed, each.values) for each in found} == {
        ("timestep.value", "patch.size = 14", (1, 5, 10)), ("timestep.value", "patch.size = 28", (1, 5, 10)),
        *(("patch.size", f"timestep.value = {t}", (14, 28)) for t in (1, 5, 10)),
    }  # fmt: skip


def test_pairs_compare_the_same_images_over_common_seeds() -> None:
    compared = pairs(main_cells(cells(study(), None)), SETTINGS)
    assert [(each.dataset, each.seeds) for each in compared] == [(name, (0, 1, 2)) for name in ("grid", "tile", "wood")]
    for each in compared:
        means = [np.mean(cell.values("image", "auroc")) for cell in (each.first, each.second)]
        found = each.compared
        assert found.tests.difference == pytest.approx(means[1] - means[0])
        assert found.interval[0] <= found.tests.difference <= found.interval[1]
        assert found.groups == (6, 9)
        assert found.tests.grouped
        assert found.tests.auroc.p_value < 0.05


def test_a_pair_on_few_groups_is_marked_and_says_what_its_p_cannot_fall_below() -> None:
    def on_sheets(one: Result, count: int) -> Result:
        """The same run, its images on `count` sheets of each kind."""
        images = [replace(each, group=f"{each.label} {n % count}") for n, each in enumerate(one.images)]
        return replace(one, images=tuple(images))

    for count, bound, mark in ((2, "(≥ 0.125)", FEW), (9, "", FEW), (12, "", "")):
        some = [on_sheets(result(preset=preset, gain=gain), count) for preset, gain in (("a", 1.0), ("b", 2.5))]
        content = pair_table(pairs(main_cells(cells(some, None)), SETTINGS), SETTINGS)
        shown = dict(zip(content.headings, content.rows[0], strict=True))
        assert shown["groups"].text == f"{count} + {count}{mark}"
        assert shown["AUROC p"].text.endswith(bound)
        assert ("(≥" in shown["AUROC p"].text) == bool(bound)
        assert any(note.startswith(FEW) for note in content.notes) == bool(mark)


def test_ranks_count_data_sets_that_all_methods_have() -> None:
    auroc, f1 = rankings(main_cells(cells(study(), None)), 0.05)
    assert (auroc.measure, f1.measure) == ("AUROC", "F1")
    assert auroc.datasets == ("grid", "tile", "wood")
    assert auroc.compared.ranks.tolist() == [2, 1]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(tmp_path: Path) -> None:
    (tmp_path / "all.tex").write_text(table_files(Report(study(), SETTINGS, []))["tables.tex"])
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_same_results_give_the_same_files_in_any_order() -> None:
    assert table_files(Report(study(), SETTINGS, [])) == table_files(Report(study()[::-1], SETTINGS, []))


def test_development_sets_are_marked_in_every_table_that_names_one() -> None:
    settings = replace(SETTINGS, development=["grid"])
    plain, tables = (
        {each.name: each for each in Report(study(), chosen, []).tables} for chosen in (SETTINGS, settings)
    )
    pooling = set()
    for name, content in tables.items():
        before, told = plain[name], {"grid ◆"} & {entry.text for row in content.rows for entry in row}
        wanted = [
            [f"{entry.text} ◆" if entry.text == "grid" or "grid" in entry.datasets else entry.text for entry in row]
            for row in before.rows
        ]
        assert [[entry.text for entry in row] for row in content.rows] == wanted
        assert list(content.headings) == ["grid ◆" if text == "grid" else text for text in before.headings]
        marks = any("◆" in text for text in (*content.headings, *(text for row in wanted for text in row)))
        assert any(note.startswith("◆ development set") for note in content.notes) == marks
        if marks and not told and "grid ◆" not in content.headings:
            pooling.add(name)
    assert pooling == {"ranks"}, "the ranks rest on grid as on others"
    assert "grid ◆" in {row[0].text for row in tables["results"].rows} and tables["published"] == plain["published"]


NAMES = [
    "1",
    "12",
    "crack",
    "good",
    "AUROC",
    "recall",
    "RADAR",
    "data set",
    "method",
    "trained on",
    "0.600",
    "all data sets",
    "–",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_development_set_that_is_called_like_something_else_marks_its_own_rows_alone(name: str) -> None:
    runs = [result(dataset=dataset, seed=seed, gain=1 + seed) for dataset in (name, "grid") for seed in range(2)]
    runs.append(result(dataset="grid", timestep__value=50))
    for each in runs:
        each.config["detector"] = {"name": "upper_tail", "threshold": "quantile", "threshold_on": "cross_fitted"}
    image = replace(runs[0].metrics.image, auroc=0.6)
    transfer = Transfer(
        image, {}, {}, None, runs[2].fingerprint, runs[2].name, name, runs[0].data, Origin("0.1.0", None, {})
    )
    plain, report = (Report(runs, replace(SETTINGS, development=each), [transfer]) for each in ([], [name]))
    for before, content in zip(plain.tables, report.tables, strict=True):
        place = 1 if content.name.startswith("transfer") else 0
        for was, row in zip(before.rows, content.rows, strict=True):
            pools = {column for column, entry in enumerate(was) if len(entry.datasets) > 1 and name in entry.datasets}
            own = {place} if was[place].datasets == (name,) else pools
            wanted = [f"{entry.text} ◆" if column in own else entry.text for column, entry in enumerate(was)]
            assert [entry.text for entry in row] == wanted, content.name
        wanted = [
            f"{name} ◆" if each == name and place and column > 1 else each
            for column, each in enumerate(before.headings)
        ]
        assert list(content.headings) == wanted
    assert any(f"{name} ◆" in each.headings for each in report.tables if each.name.startswith("transfer"))
    assert {each.name for each in report.tables} >= {"false_alarms", "ablation_timestep_value", "border", "cost"}
    both = marked(sweep_table("transfer", runs, None, [transfer]), [name])
    assert sum(text.startswith(f"{name} ◆: ") for text in both.headings) == 2
    assert sum("◆" in text for text in both.headings) == 2


def test_what_fewer_seeds_measured_is_marked_and_names_its_runs() -> None:
    first, *rest = (result(seed=seed) for seed in range(3))
    bare = [replace(each, metrics=replace(each.metrics, controls={})) for each in rest]
    (cell,) = cells([first, *bare], None)
    content = main_table([cell])
    own, control = (
        next(row for row in content.rows if row[1].text == name) for name in (cell.method, "·\u00a0raw_sobel")
    )
    auroc = content.headings.index("AUROC")
    assert (control[2].text, control[auroc].text, control[auroc].runs) == (f"1{FEWER}", f"0.600{FEWER}", (first.name,))
    assert FEWER not in own[auroc].text
    assert len(own[auroc].runs) == 3
    assert (best := cell.best_control("image", "auroc")) is not None
    assert best.gain == pytest.approx(first.metrics.image.auroc - 0.6)


def test_the_noise_table_has_the_largest_p_value_of_the_seeds() -> None:
    some = [result(seed=seed) for seed in range(2)]
    noise = some[1].metrics.noise
    assert noise is not None
    noise = replace(noise, pixels=replace(noise.pixels, p_value=0.3))
    some[1] = replace(some[1], metrics=replace(some[1].metrics, noise=noise))
    content = noise_table(cells(some, None), 0.05)
    row, other = content.rows[:2]
    p, adjusted = content.headings.index("p"), content.headings.index("Holm p")
    assert (row[p].text, row[adjusted].text) == ("0.300", "0.300")
    assert (other[p].text, other[adjusted].text) == ("0.010", "0.030")


def test_distances_stand_beside_what_chance_alone_gives() -> None:
    some = [result(seed=seed) for seed in range(2)]
    content = separation_table(cells(some, None), 0.05)
    shown = dict(zip(content.headings, content.rows[0], strict=True))
    assert shown["overlap (chance: mean, limit)"].text == "0.400 ± 0.000 (0.700, 0.600)"
    assert shown["KL(a ‖ n), nats (chance: mean, limit)"].text == "1.000 ± 0.000 (0.250, 0.350)"
    # of two sheets of each kind six assignments, one in six is as rare as can be; of four, one in seventy
    for sheets, limit in ((2, "–"), (4, "0.600")):
        few = [replace(each, group=f"{each.label} {n % sheets}") for n, each in enumerate(some[0].images)]
        row = separation_table(cells([replace(some[0], images=tuple(few))], None), 0.05).rows[0]
        assert row[content.headings.index("overlap (chance: mean, limit)")].text == f"0.400 (0.700, {limit})"
    before = {
        name: replace(distances, chance=None, p_value=0.5) for name, distances in some[0].metrics.separation.items()
    }
    old = replace(some[0], metrics=replace(some[0].metrics, separation=before),
                  images=tuple(replace(each, group=str(each.label)) for each in some[0].images))  # fmt: skip
    row = separation_table(cells([old], None), 0.05).rows[0]
    assert row[3].text == "0.500 (–)"
    assert row[content.headings.index("p")].text == "0.500 (≥ 1.000)"  # two sheets: two assignments, equally far apart


def test_ranks_are_of_the_largest_whole_block_on_comparable_data() -> None:
    presets = ("a", "b", "c", "d")
    some = [
        result(dataset=name, preset=preset, gain=1 + n)
        for name in ("p", "q", "r")
        for n, preset in enumerate(presets[:3])
    ]
    some += [result(dataset="p", preset="d"), result(dataset="q", preset="d"), result(dataset="s", preset="a")]
    ranking, _ = rankings(main_cells(cells(some, None)), 0.05)
    assert (ranking.datasets, len(ranking.methods)) == (("p", "q", "r"), 3)
    assert "p, q, r" in rank_table([ranking], [], 0.05).notes[-1]
    moved = [on_other_data(each) if (each.dataset, each.command.preset) == ("r", "a") else each for each in some]
    ranking, _ = rankings(main_cells(cells(moved, None)), 0.05)
    assert (ranking.datasets, len(ranking.methods)) == (("p", "q"), 4)


def test_ranks_of_methods_that_share_no_seed_say_so() -> None:
    def seeded(*of_wood: int) -> list[Result]:
        apart = [("wood", seed, preset) for preset, seeds in (("a", (0, 1)), ("b", of_wood)) for seed in seeds]
        common = [("grid", 0, "a"), ("grid", 0, "b")]
        return [result(dataset=name, seed=seed, preset=preset) for name, seed, preset in (*common, *apart)]

    for of_wood, told in (
        ((2, 3), ["wood: no seed of radar, a is one of radar, b, so a difference may come from the seeds"]),
        ((1, 2), []),
    ):
        content = rank_table(rankings(main_cells(cells(seeded(*of_wood), None)), 0.05), [], 0.05)
        assert [note for note in content.notes if "no seed" in note] == told


def test_two_splits_of_the_same_images_count_once_in_ranks() -> None:
    some = [each for each in study() if each.dataset in ("grid", "wood") and each.config["timestep"]["value"] == 1]
    again = [
        replace(each, name=f"{each.name}l", fingerprint=f"{each.fingerprint}l",
                config={**each.config, "dataset": {"name": "grid_literature", "train_images": None}})
        for each in some if each.dataset == "grid"
    ]  # fmt: skip
    ranking, _ = rankings(main_cells(cells([*some, *again], None)), 0.05)
    assert ranking.datasets == ("grid", "wood")


def test_the_papers_figure_stands_beside_its_recipe_alone() -> None:
    results = [result(dataset="tile", preset=preset, **_TILE) for preset in ("paper", "recommended")]
    content = main_table(main_cells(cells(results, None)))
    column = content.headings.index("F1 in the paper")
    shown = {row[1].text: row[column].text for row in content.rows if row[0].text == "tile"}
    assert (shown["RADAR"], shown["radar, recommended"]) == ("0.67", "–")
    changed = main_table(cells([result(dataset="tile", overrides=["scoring.window=7"])], None))
    assert changed.rows[0][column].text == "–"


def test_a_latex_table_longer_than_a_page_goes_on_in_the_next() -> None:
    rows = [[f"row {number}", Entry(f"{number}", number)] for number in range(100)]
    text = latex(table("long", "Many", ("a", "b"), rows, "remark"))
    assert text.count(r"\begin{table}") == text.count(r"\toprule") == 3
    assert text.count(r"\label{tab:long}") == text.count("remark") == 1
    assert text.count("Many (continued)") == 2
    assert [f"row {number} &" in text for number in range(100)] == [True] * 100
    assert text.rindex("remark") > text.index("row 99")


def test_the_noise_hypothesis_is_of_methods_that_predict_noise() -> None:
    predicting = result()
    other = result(method__name="pca", preset="fast", gain=2)
    other = replace(other, metrics=replace(other.metrics, noise=None))
    tables = {each.name: each for each in Report([predicting, other], SETTINGS, []).tables}
    methods = {
        name: {row[1].text for row in tables[name].rows} for name in ("noise_distances", "noise_moments", "separation")
    }
    assert methods["noise_distances"] == methods["noise_moments"] == {"RADAR"}
    assert methods["separation"] == {"RADAR", "pca, fast"}
    assert "noise_distances" not in {each.name for each in Report([other], SETTINGS, []).tables}


def test_a_row_of_costs_names_every_device_of_its_runs() -> None:
    def on(device: str, preset: str, seed: int) -> Result:
        one = result(preset=preset, seed=seed)
        return replace(one, environment={**one.environment, "device": device})

    several = [on("card B", "a", 0), on("CPU, 2 threads", "a", 1), on("card B", "a", 2)]
    alone = [on("CPU, 2 threads", "b", seed) for seed in range(2)]
    content = cost_table(cells([*several, *alone], None))
    assert [row[-1].text for row in content.rows] == ["card B; CPU, 2 threads", "CPU, 2 threads"]
    assert any(note.startswith("Where several devices are named") for note in content.notes)
    assert not any("several devices" in note for note in cost_table(cells(alone, None)).notes)


def test_normality_that_was_not_tested_is_a_dash() -> None:
    one = result()
    noise = one.metrics.noise
    assert noise is not None
    normality = replace(noise.normality, rejected_share=Kinds(None, 0.5))
    untested = replace(one, metrics=replace(one.metrics, noise=replace(noise, normality=normality)))
    content = moments_table(cells([untested], None))
    assert [row[content.headings.index("rejected")].text for row in content.rows] == ["–", "0.500"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, ""), (20261128, "20261128"), (60.0, "60"), (2**53, str(float(2**53))), (1_234_567, "1234567"), (-3, "-3"), (-0.0, "0"),
        (0.1, "0.1"), (1 / 3, "0.3333333333333333"), (np.float64(2 / 3), "0.6666666666666666"), (np.int64(12345678), "12345678"),
        (1e300, "1e+300"), (1234567.25, "1234567.25"), (1e-12, "1e-12"),
    ],
)  # fmt: skip
def test_a_csv_holds_every_digit(value: float | None, told: str) -> None:
    content = table("x", "", ("a", "b"), [(Entry("1", value), Entry("", 1))])
    row = next(csv.DictReader(io.StringIO(csv_text(content))))
    assert row.get("a (value)", "") == told
    assert not told or float(told) == value


def test_the_csv_of_where_cells_come_from_tells_seeds_whole() -> None:
    some = [result(seed=seed) for seed in (20261128, 7)]
    text = csv_text(provenance_table(cells(some, None)))
    assert {row["seed (value)"] for row in csv.DictReader(io.StringIO(text))} == {"20261128", "7"}


def test_p_values_are_corrected_for_the_tests_that_could_be_made() -> None:
    found = pairs(main_cells(cells(study(), None)), SETTINGS)

    def without(pair: Pair, *names: str) -> Pair:
        """The same pair, of which these tests could not be made."""
        tests = pair.compared.tests
        none = {name: replace(getattr(tests, name), p_value=math.nan) for name in names}
        return replace(pair, compared=replace(pair.compared, tests=replace(tests, **none)))

    for changed, of_auroc, of_decisions in (
        (found, 3, 3),
        ([without(found[0], "decisions"), *found[1:]], 3, 2),
        ([without(found[0], "auroc", "decisions"), without(found[1], "decisions"), found[2]], 2, 1),
        ([without(each, "auroc", "decisions") for each in found], 0, 0),
    ):
        content = pair_table(changed, SETTINGS)
        (told,) = [note for note in content.notes if "Holm" in note]
        assert told.endswith(f"that could be made: {of_auroc} of AUROC, {of_decisions} of decisions.")
        for heading, made in (("AUROC p", of_auroc), ("decisions p", of_decisions)):
            column = content.headings.index(heading)
            assert sum(row[column].text != "–" for row in content.rows) == made


def test_ranks_of_runs_whose_means_differ_by_the_order_of_their_seeds_are_tied() -> None:
    def with_f1(preset: str, dataset: str, values: tuple[float, ...]) -> list[Result]:
        some = [result(preset=preset, dataset=dataset, seed=seed) for seed in range(len(values))]
        return [
            replace(one, metrics=replace(one.metrics, image=replace(one.metrics.image, f1=value)))
            for one, value in zip(some, values, strict=True)
        ]

    for values in ((0.1, 0.2, 0.3), (0.7, 0.1, 0.6)):
        some = [
            each
            for dataset in ("grid", "wood")
            for preset, order in (("a", values), ("b", values[::-1]))
            for each in with_f1(preset, dataset, order)
        ]
        (ranking,) = [each for each in rankings(main_cells(cells(some, None)), 0.05) if each.measure == "F1"]
        assert ranking.compared.ranks.tolist() == [1.5, 1.5]


def test_a_data_set_that_learnt_from_test_images_of_another_is_not_ranked_beside_it() -> None:
    some = [each for each in study() if each.config["timestep"]["value"] == 1]
    shown_there = {image.content_hash[:8] for each in some if each.dataset == "grid" for image in each.images}

    def having_seen(one: Result) -> Result:
        train, *rest = one.normals
        hashes = (min(shown_there), *train.content_hashes[1:])
        return replace(one, normals=(replace(train, content_hashes=hashes), *rest))

    seen = [having_seen(each) if each.dataset == "wood" else each for each in some]
    for results, expected in ((some, ("grid", "tile", "wood")), (seen, ("grid", "tile"))):
        assert {ranking.datasets for ranking in rankings(main_cells(cells(results, None)), 0.05)} == {expected}


@pytest.mark.parametrize(("permutations", "least"), [(3, 0.25), (99, 0.01), (10**6, None)])
def test_a_p_value_is_no_less_than_the_permutations_allow(permutations: int, least: float | None) -> None:
    one = result(evaluation__noise={"permutations": permutations})
    (cell,) = cells([one], None)
    exact = Units.of(one.labels, one.groups).smallest_p
    assert smallest_p(cell) == pytest.approx(exact if least is None else max(exact, least))
