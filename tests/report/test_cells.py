"""Cells: what is averaged, what is marked, what is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_builders import on_other_data, result, study

from radar.config.schema import Config
from radar.methods.relevance import effective
from radar.report.cells import (
    CONTROLS,
    FEWER,
    LEFT_OUT,
    MODIFIED,
    OTHER_DATA,
    Cell,
    cell_of,
    cells,
    differing_settings,
    main_cells,
)
from radar.report.result import Result, ScoredNormals
from radar.report.settings import axes, difference, method_label, method_names, settings
from radar.report.shared_images import without_shared_images
from radar.report.tables_ablation import ablation_tables, ablations

METHODS = Path(__file__).resolve().parents[2] / "conf" / "method"


def test_seeds_of_one_method_on_one_data_set_are_one_cell() -> None:
    (cell,) = cells([result(seed=seed) for seed in (2, 0, 1)], None)
    assert [each.seed for each in cell.results] == [0, 1, 2]
    assert (cell.dataset, cell.method, cell.marks) == ("grid", "RADAR", "")
    expected = [result(seed=seed).metrics.image.auroc for seed in range(3)]
    assert cell.values("image", "auroc") == expected
    assert cell.values("controls", "untrained", "image", "auroc") == []
    with pytest.raises(ValueError, match="image/nothing: no metric has this path"):
        cell.values("image", "nothing")


def test_fewer_seeds_than_asked_or_than_elsewhere_are_marked() -> None:
    some = [result(seed=0), result(seed=1), result(dataset="wood", seed=0)]
    assert [cell.marks for cell in cells(some, None)] == ["", FEWER]
    assert [cell.marks for cell in cells(some, 3)] == [FEWER, FEWER]


def test_runs_on_other_data_are_never_averaged_in() -> None:
    some = [result(seed=0), result(seed=1), on_other_data(result(seed=2))]
    (cell,) = cells(some, None)
    assert [each.seed for each in cell.results] == [0, 1]
    assert cell.marks == LEFT_OUT
    both = cells([*some[:2], on_other_data(result(preset="recommended"))], 1)
    assert {cell.method: cell.marks for cell in both} == {"RADAR": "", "radar, recommended": OTHER_DATA}


def test_the_latest_run_of_a_seed_counts_and_changes_without_a_revision_are_marked() -> None:
    first = result()
    again = replace(first, ended="2030", name="again", environment={**first.environment, "git_modified": True})
    (cell,) = cells([again, first], None)
    assert ([each.name for each in cell.results], cell.marks) == (["again"], MODIFIED)


def test_settings_that_vary_name_the_method_and_what_follows_them_does_not() -> None:
    changed = result(preset="fast", timestep__value=50, scoring__stride=7)
    some = [result(preset="fast"), changed, result(preset="recommended")]
    names = method_names(some)
    assert [names[each.identity] for each in some] == [
        "radar, fast, timestep.value = 1", "radar, fast, timestep.value = 50", "radar, recommended",
    ]  # fmt: skip
    assert axes(some[:2]) == {"timestep.value": ["timestep.value", "scoring.stride"]}


def test_runs_of_two_folders_that_are_called_alike_are_not_taken_for_one_another() -> None:
    some = [result(timestep__value=1, seed=1), result(timestep__value=50, seed=2), result(scoring__stride=7, seed=1),
            result(preset="fast", dataset__image={"size": 50}, seed=1)]  # fmt: skip
    alike = [replace(each, name="best") for each in some]
    told = [(cell.method, cell.not_ranked, [each.seed for each in cell.results]) for cell in cells(some, None)]
    assert len(told) == 4 and any(reason for _, reason, _ in told)
    assert [(cell.method, cell.not_ranked, [each.seed for each in cell.results]) for cell in cells(alike, None)] == told


def test_the_row_of_a_family_never_has_the_name_of_one_setting_and_the_numbers_of_another() -> None:
    """The plain run and a changed one, as often run: the plain one stands there, and where only changed ones do, they say so."""
    plain = result(preset="fast")
    changed = result(preset="fast", overrides=["timestep.value=50"], timestep__value=50)
    (row,) = main_cells(cells([changed, plain], None))
    assert (row.method, row.results) == ("radar, fast", (plain,))
    more = result(preset="fast", overrides=["timestep.value=50"], timestep__value=50, seed=1)
    (row,) = main_cells(cells([changed, more, plain], None))
    assert (row.method, len(row.results)) == ("radar, fast, timestep.value=50", 2)
    both = result(
        preset="fast", overrides=["timestep.value=50", "scoring.stride=7"], timestep__value=50, scoring__stride=7
    )
    (row,) = main_cells(cells([both, changed], None))
    assert (row.method, row.results) == ("radar, fast, timestep.value=50", (changed,))


def test_of_a_study_over_splits_one_is_shown_for_all_methods_and_says_that_it_leaves_out_the_others() -> None:
    """Plain runs on one split, and as many on another, of two methods: whichever ended later, all rows are on one split."""
    for later in (False, True):
        some = []
        for preset in ("fast", "paper"):
            for seed in range(2):
                plain = result(preset=preset, seed=seed)
                split = on_other_data(
                    result(preset=preset, seed=seed, overrides=["dataset.split_seed=1"], dataset__split_seed=1)
                )
                some += [replace(plain, ended="2026"), replace(split, ended="2027" if later else "2025")]
        rows = main_cells(cells(some, None))
        assert len(rows) == 2 and len({row.one.test_data for row in rows}) == 1
        assert [(row.marks, len(row.results)) for row in rows] == [(LEFT_OUT, 2)] * 2


def test_controls_that_a_later_run_of_the_same_settings_has_not_are_told() -> None:
    first = result()
    fewer = replace(
        first,
        ended="2030",
        fingerprint="f" * 12,
        metrics=replace(first.metrics, controls={}),
    )
    (cell,) = cells([first, fewer], None)
    assert (cell.results, cell.marks) == ((fewer,), CONTROLS)
    (cell,) = cells([replace(first, ended="2031"), fewer], None)
    assert cell.marks == ""


def test_measures_of_pixels_that_a_later_run_of_the_same_settings_has_not_are_told() -> None:
    first = result()
    assert first.metrics.pixel is not None
    later = replace(first, ended="2030", fingerprint="f" * 12, metrics=replace(first.metrics, pixel=None))
    assert [cell.marks for cell in cells([first, later], None)] == [CONTROLS]
    assert [cell.marks for cell in cells([replace(first, ended="2031"), later], None)] == [""]


def test_rows_of_an_ablation_that_are_of_other_seeds_say_so() -> None:
    first = [result(seed=seed) for seed in (0, 1)]
    second = [result(overrides=["timestep.value=50"], timestep__value=50, seed=seed) for seed in (1, 2)]
    (table,) = ablation_tables([*first, *second], None)
    assert "grid, RADAR: rows are of other seeds, which differ, too (1: 0, 1; 50: 1, 2)." in table.notes
    same = [result(overrides=["timestep.value=50"], timestep__value=50, seed=seed) for seed in (0, 1)]
    (table,) = ablation_tables([*first, *same], None)
    assert not any("of other seeds" in note for note in table.notes)


def with_masks(one: Result, masks: str | None) -> Result:
    return replace(one, environment={**one.environment, "data_masks_hash": masks})


def test_runs_on_other_masks_are_not_averaged_and_those_of_before_tell_none() -> None:
    some = [with_masks(result(seed=seed), masks) for seed, masks in enumerate(["a", "a", "b", None])]
    (cell,) = cells(some, None)
    assert ([each.seed for each in cell.results], cell.marks) == ([0, 1, 3], LEFT_OUT)
    (whole,) = cells([*some[:2], some[3]], None)
    assert (len(whole.results), whole.marks) == (3, "")
    other = with_masks(result(preset="fast"), "b")
    assert {cell.method: cell.marks for cell in cells([*some[:2], other], 1)} == {
        "RADAR": "",
        "radar, fast": OTHER_DATA,
    }


def test_masks_alone_are_other_data_for_the_row_that_stands_for_others_and_for_controls() -> None:
    some = [with_masks(result(seed=seed), "a") for seed in range(2)]
    typed = with_masks(result(overrides=["timestep.value=50"], timestep__value=50), "b")
    (row,) = main_cells(cells([*some, typed], None))
    assert (row.marks, len(row.results)) == (LEFT_OUT, 2)
    fewer = [replace(each, metrics=replace(each.metrics, controls={})) for each in some]
    later = replace(with_masks(result(seed=0), "b"), ended="2030")
    (cell,) = cells([*fewer, later], None)
    assert cell.marks == LEFT_OUT, "the earlier counts, for its masks"


@pytest.mark.parametrize(
    "first", [(), ("timestep.value=1", "scoring.stride=14")], ids=["not typed", "typed, with more"]
)
def test_equal_settings_are_one_point_of_an_ablation_however_they_were_typed(first: tuple[str, ...]) -> None:
    """A run of before a sweep, with the default that the sweep names."""
    some = [result(overrides=first), *(result(overrides=["timestep.value=1"], seed=seed) for seed in (1, 2))]
    others = [result(overrides=["timestep.value=50"], seed=seed, timestep__value=50) for seed in range(3)]
    name = "RADAR, timestep.value=1" if first else "RADAR"
    assert [(cell.method, len(cell.results)) for cell in cells([*some, *others], None)] == [
        (name, 3),
        ("RADAR, timestep.value=50", 3),
    ]
    assert cell_of(some, 3).method == name
    (series,) = ablations([*some, *others], None)
    assert [(value, len(cell.results)) for value, cell in zip(series.values, series.cells, strict=True)] == [
        (1, 3),
        (50, 3),
    ]


def test_what_was_typed_beside_the_preset_names_the_method_where_all_have_it_and_tags_name_nothing() -> None:
    typed = ("experiment=paper", "dataset=grid", "dataset.category=x", "seed=0", "tags=[mine]", "scoring.window=7")
    (cell,) = main_cells(cells([result(overrides=typed, seed=seed) for seed in range(2)], None))
    assert cell.method == "RADAR, scoring.window=7"
    (unnamed,) = cells([result(preset=None)], None)
    assert unnamed.method == "radar, no preset"


def test_a_key_that_a_method_does_not_read_is_a_dash() -> None:
    one = result(method__name="pca")
    assert replace(one, config={key: value for key, value in one.config.items() if key != "timestep"}).timestep is None


def test_settings_that_differ_between_data_sets_alone_are_one_method_and_said() -> None:
    some = cells([result(preset="fast"), result(preset="fast", dataset="wood", patch__size=14)], None)
    assert {cell.method for cell in some} == {"radar, fast"}
    assert differing_settings(some) == {"radar, fast": ["patch.size"]}


def test_one_setting_stands_for_a_method() -> None:
    chosen = main_cells(cells(study(), None))
    assert [(cell.dataset, cell.method) for cell in chosen] == [
        (dataset, method) for dataset in ("grid", "tile", "wood") for method in ("RADAR", "radar, recommended")
    ]
    assert all(cell.one.config["timestep"]["value"] == 1 for cell in chosen)


def test_difference_of_settings() -> None:
    first, second = settings(result()), settings(result(patch__size=14, seed=5))
    assert difference(first, second) == {"patch.size": (28, 14)}


@pytest.mark.parametrize("key", ["seed", "logger.csv", "method.controls", "dataset.name", "trainer.stack"])
def test_keys_that_make_no_method(key: str) -> None:
    changed = {} if key == "seed" else {key.replace(".", "__"): "other"}
    assert key not in settings(result(**changed))


def test_what_is_measured_is_part_of_the_setting_and_what_is_drawn_is_not() -> None:
    first, second = result(evaluation__aupro_limit=0.3), result(evaluation__aupro_limit=0.1, evaluation__panels=9)
    assert difference(settings(first), settings(second)) == {"evaluation.aupro_limit": (0.3, 0.1)}


@pytest.mark.parametrize("name", sorted(path.stem for path in METHODS.glob("[!_]*.yaml")))
def test_a_method_is_labelled_as_the_command_line_names_it(
    name: str, composed: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radar.networks.efficientnet.find_spec", lambda name: True)  # composing needs no weights
    config = effective(composed(f"method={name}", "dataset.image.channels=luma_chroma"))
    assert method_label(config["method"]) == name  # type: ignore[arg-type]


def test_variants_of_a_method_with_names_of_their_own_are_methods_of_their_own() -> None:
    raw, textures = (result(method__name="pca", method__windows={"descriptor": each}) for each in ("raw", "texture"))
    some = main_cells(cells([raw, textures], None))
    assert [cell.method for cell in some] == ["pca, paper", "pca_texture, paper"]


def witness(
    name: str, tested: Sequence[str], normals: Sequence[str] = (), methods: int = 1, *, scored: bool = True
) -> list[Cell]:
    """The cells of a data set that is tested on these images, and learns from or sets its threshold by these normals, which its runs
    have `scored` or not.
    """
    one = result(dataset=name)
    images = tuple(replace(one.images[0], content_hash=each) for each in tested)
    hashes = tuple(each[:8] for each in normals)
    kept = ScoredNormals("train", ("detector",), tuple(normals), hashes, np.zeros(len(normals)), ())
    of_normals = {"normals": (kept,)} if scored else {"normals": (), "unscored_normals": hashes}
    changed = replace(one, images=images, **of_normals)
    return [Cell(name, f"method {number}", (changed,), "", "") for number in range(methods)]


A, B, C, D = ("a" * 16, "b" * 16, "c" * 16, "d" * 16)


@pytest.mark.parametrize(
    ("sets", "kept"),
    [
        pytest.param({"x": ([A], [B]), "y": ([C], [D])}, "xy", id="nothing shared"),
        pytest.param({"x": ([A], [B]), "y": ([B], [D])}, "x", id="tested on what the other learnt from"),
        pytest.param({"x": ([B], [D]), "y": ([A], [B])}, "x", id="learnt from what the other is tested on"),
        pytest.param({"x": ([A], [B]), "y": ([B], [A])}, "x", id="split the other way round"),
        pytest.param({"x": ([A, C], []), "y": ([C], [])}, "x", id="one test image"),
        pytest.param({"x": ([A], [D]), "y": ([B], [D])}, "xy", id="learnt from the same"),
        pytest.param(
            {"x": ([A], []), "y": ([A, B], []), "z": ([B], [])}, "xz", id="a third meets one that is left out"
        ),
        pytest.param({"x": ([A], [B]), "y": ([B], [C]), "z": ([C], [])}, "xz", id="the same by normals"),
        pytest.param({"x": ([A], []), "y": ([A, B], [], 2), "z": ([B], [])}, "y", id="most cells stay"),
    ],
)
@pytest.mark.parametrize("scored", [True, False])
def test_of_data_sets_that_are_tested_on_images_of_another_one_counts(
    sets: dict[str, Any], kept: str, scored: bool
) -> None:
    for names in permutations(sets):
        grouped = {name: witness(name, *sets[name], scored=scored) for name in names}
        assert list(without_shared_images(grouped)) == list(kept)


def test_images_of_every_run_of_a_data_set_count() -> None:
    first, second = witness("x", [A], [C]), witness("x", [A], [B])
    grouped = {"x": [*first, *second], "y": witness("y", [B])}
    assert list(without_shared_images(grouped)) == ["x"]
