"""The table that answers a sweep, on the composed configs of the project's own sweeps."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any, get_type_hints

import pytest
from report_builders import result
from test_settings_units import of_sweep

from radar.config.verbs import SweepConfig
from radar.evaluation.metrics import StageMemory
from radar.report.result import Result
from radar.report.tables import MEMORY_NOTE, Table, csv_text
from radar.report.tables_ablation import ablation_tables
from radar.report.tables_sweep import ANSWERS, sweep_table


def lines(content: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(content))))


def with_growth(one: Result, growth: float) -> Result:
    memory = {"training": StageMemory(400 + growth, growth, None, None)}
    return replace(one, metrics=replace(one.metrics, memory=memory))


def test_every_table_that_a_config_may_name_is_there() -> None:
    assert "table" in get_type_hints(SweepConfig)
    field = SweepConfig.__dataclass_fields__["table"]
    assert set(field.metadata["choices"]) == {*ANSWERS, "transfer"}


@pytest.mark.parametrize(
    ("sweep", "levels", "attention"),
    [
        ("sweep_depth", [1, 2, 3, 4], {"none"}),
        ("sweep_width", [3], {"7 px"}),
        ("sweep_attention", [3], {"none", "7 px", "14 px, 7 px", "28 px, 14 px, 7 px"}),
        ("sweep_depth_attention", [2, 3, 4], {"none", "14 px"}),
    ],
)
def test_depth_width_and_attention_are_isolated(sweep: str, levels: list[int], attention: set[str]) -> None:
    results = of_sweep(sweep)
    rows = lines(sweep_table("unet", results, None, []))
    assert sorted({int(row["levels"]) for row in rows}) == levels
    assert {row["attention at"] for row in rows} == attention
    assert len(rows) == len(results)
    turned = {"sweep_depth": {"channels"}, "sweep_width": {"channels"}, "sweep_attention": {"attention_levels"}}
    unets = [each.config["unet"] for each in results]
    differing = {key for key in unets[0] if len({repr(unet[key]) for unet in unets}) > 1}
    assert differing == turned.get(sweep, {"channels", "attention_levels"})
    if sweep != "sweep_width":
        assert {width for unet in unets for width in unet["channels"]} == ({32} if "depth" in sweep else {16, 32, 64})


def test_the_whole_image_is_what_patches_are_measured_against() -> None:
    growths = {14: 20.0, 28: 40.0, 56: 100.0, 100: 400.0}
    results = of_sweep("sweep_patch", "patch=14x14,28x28,56x56,whole", "dataset=printed_layers")
    some = [with_growth(each, growths[each.config["patch"]["size"]]) for each in results]
    rows = lines(sweep_table("patch", some, None, []))
    assert [row["growth over the whole image's"] for row in rows] == ["1/20", "1/10", "1/4", "1.00"]
    assert rows[1]["pixels of a crop over the image's"] == f"1/{100**2 / 28**2:.3g}"
    assert rows[3]["patch, px"] == "100 × 100, the whole image"
    content = sweep_table("patch", some, None, [])
    assert any("1/400" in note for note in content.notes)
    without = sweep_table("patch", some[:3], None, [])
    assert {row["growth over the whole image's"] for row in lines(without)} == {"–"}


def test_growth_is_against_the_whole_image_of_the_same_method_and_settings() -> None:
    """Two networks and two data sets; `large` has no row of the whole image on one of them."""
    sweep = ("sweep_patch", "patch=28x28,whole", "dataset=printed_layers,stochastic_tile", "unet=small,large")
    planted = {("printed_layers", 8): 100.0, ("printed_layers", 64): 800.0, ("stochastic_tile", 8): 50.0}
    some = []
    for each in of_sweep(*sweep):
        unet = 64 if "unet=large" in each.command.overrides else 8
        whole = each.config["patch"]["size"] == 100
        if whole and (each.dataset, unet) not in planted:
            continue
        some.append(with_growth(each, planted[each.dataset, unet] if whole else 20.0))
    rows = lines(sweep_table("patch", some, None, []))
    told = {(row["data set"], row["method"], row["patch, px"]): row["growth over the whole image's"] for row in rows}
    assert {key[:2]: text for key, text in told.items() if key[2] == "28 × 28"} == {
        ("printed_layers", "RADAR, unet=small"): "1/5",
        ("printed_layers", "RADAR, unet=large"): "1/40",
        ("stochastic_tile", "RADAR, unet=small"): "1/2.5",
        ("stochastic_tile", "RADAR, unet=large"): "–",
    }
    assert {text for key, text in told.items() if key[2] != "28 × 28"} == {"1.00"}


@pytest.mark.parametrize(
    ("typed", "shares", "whole"),
    [
        pytest.param(("size=64", "width=128"), ["1/10.4", "1/2"], False, id="a wide rectangle"),
        pytest.param(("size=64", "width=32"), ["1/2.61", "2.00"], False, id="a crop wider than the image"),
        pytest.param(("size=64", "width=64"), ["1/5.22", "1.00"], True, id="a rectangle that is a square"),
        pytest.param(("size=64", "aspect=short"), ["–", "–"], False, id="sides of their own"),
        pytest.param(("size=64", "aspect=pad"), ["1/5.22", "1.00"], True, id="padded to a square"),
    ],
)
def test_a_crop_is_the_whole_image_where_images_are_squares_of_its_side(
    typed: tuple[str, ...], shares: list[str], whole: bool
) -> None:
    results = of_sweep("sweep_patch", "patch=28x28", *(f"dataset.image.{each}" for each in typed))
    largest = [replace(each, fingerprint="w", config={**each.config, "patch": {**each.config["patch"], "size": 64}})
               for each in results]  # fmt: skip
    some = [with_growth(each, 20.0) for each in (*results, *largest)]
    rows = lines(sweep_table("patch", some, None, []))
    assert [row["pixels of a crop over the image's"] for row in rows] == shares
    assert ["the whole image" in row["patch, px"] for row in rows] == [False, whole]
    assert {row["growth over the whole image's"] for row in rows} == ({"1.00"} if whole else {"–"})


def test_timesteps_stand_in_order_and_what_all_rows_share_is_told_once() -> None:
    results = of_sweep("sweep_timestep", "dataset=printed_layers,stochastic_tile", "training.max_steps=60")
    content = sweep_table("timestep", results, None, [])
    rows = lines(content)
    assert [(row["data set"], row["t"]) for row in rows] == [
        (name, t) for name in ("printed_layers", "stochastic_tile") for t in ("1", "5", "10", "50")
    ]
    assert {row["method"] for row in rows} == {"RADAR"}
    assert "training.max_steps=60" in content.notes[0]
    noise = lines(sweep_table("noise", results, None, []))
    assert len(noise) == 8 and {row["KS (chance: mean, limit)"] for row in noise} == {"0.500 (0.250, 0.350)"}
    assert {row["KL(a ‖ n), nats (chance: mean, limit)"] for row in noise} == {"1.000 (0.250, 0.350)"}
    assert {row["overlap (chance: mean, limit)"] for row in noise} == {"0.400 (0.700, 0.600)"}
    assert {(row["p"], row["Holm p"]) for row in noise} == {("0.010", "0.080")}, "of eight rows"


def test_what_some_rows_alone_typed_is_their_name_and_held_in_none() -> None:
    """`unet` is read by one method alone, and typed wherever it is read; `patch.size` is read by all, and typed for some."""
    plain, smaller = result(), result(overrides=["patch.size=20"], patch__size=20)
    content = sweep_table("timestep", [plain, smaller], None, [])
    assert [row["method"] for row in lines(content)] == ["RADAR", "RADAR, patch.size=20"]
    assert not content.notes[0].startswith("In every row")
    read = result(overrides=["unet=compact"], unet__channels=[32, 64])
    content = sweep_table("timestep", [read, result(method__name="ddpm", preset="fast")], None, [])
    assert content.notes[0] == "In every row that reads it: unet=compact."


def test_a_choice_that_no_config_keeps_is_told_of_the_rows_that_made_it() -> None:
    """A group's name is no key, and a run replaces a working size by the plain size that came of it."""
    plain, found = result(), result(overrides=["working_size=texture", "dataset.image.working_size.least_size=80"])
    content = sweep_table("timestep", [plain, found], None, [])
    names = [row["method"] for row in lines(content)]
    assert names == ["RADAR", "RADAR, working_size=texture, dataset.image.working_size.least_size=80"]
    assert not content.notes[0].startswith("In every row")
    other = result(overrides=["working_size=texture", "dataset.image.working_size.least_size=60"])
    content = sweep_table("timestep", [other, found], None, [])
    assert content.notes[0] == "In every row that reads it: working_size=texture."
    assert len({row["method"] for row in lines(content)}) == 2


@pytest.mark.parametrize(
    ("table", "typed", "names"),
    [
        pytest.param("unet", ["unet.dropout=0.1", "unet.dropout=0.3"], ["unet.dropout=0.1", "unet.dropout=0.3"], id="no axis"),
        pytest.param("unet", ["unet=small", "unet=large"], ["", ""], id="an option that its axis shows"),
        pytest.param(
            "unet", ["unet=small unet.blocks=2", "unet=large unet.blocks=2"], ["unet=small", "unet=large"],
            id="an option that its axis leaves out",
        ),
        pytest.param("unet", ["unet.channels=[8]", "unet.channels=[16]"], ["", ""], id="widths"),
        pytest.param("unet", ["unet.attention_levels=[1]", "unet.attention_levels=[2]"], ["", ""], id="attention"),
        pytest.param(
            "unet", ["unet.attention_levels=[5]", "unet.attention_levels=[6]"],
            ["unet.attention_levels=[5]", "unet.attention_levels=[6]"], id="maps of one size at two levels",
        ),
        pytest.param("unet", ["unet.fold=2", "unet.fold=4"], ["unet.fold=2", "unet.fold=4"], id="fold without attention"),
        pytest.param("patch", ["patch.rotations=true", "patch.flips=true"], ["patch.rotations=true", "patch.flips=true"], id="turns"),
        pytest.param("patch", ["patch.size=16", "patch=14x14"], ["", ""], id="sizes"),
        pytest.param("patch", ["patch=14x14", "patch=14x14 patch.flips=true"], ["", "patch.flips=true"], id="size and turns"),
        pytest.param("timestep", ["timestep=t5", "timestep.value=7"], ["", ""], id="steps"),
    ],
)  # fmt: skip
def test_settings_of_the_section_that_no_axis_tells_are_in_the_name(
    table: str, typed: list[str], names: list[str]
) -> None:
    rows = lines(sweep_table(table, [_as_typed(words) for words in typed], None, []))
    assert sorted(row["method"] for row in rows) == sorted(
        ", ".join(filter(None, ["radar, fast", name])) for name in names
    )


def _as_typed(words: str) -> Result:
    """A run whose config holds the keys that were typed, and what an option chose."""
    overrides = words.split()
    keys: dict[str, Any] = {"unet__channels": [8] * 7, "unet__attention_levels": [], "unet__fold": 1, "patch__flips": False,
                            "patch__rotations": False}  # fmt: skip
    chosen = {"unet=small": {"unet__channels": [8, 16, 32], "unet__attention_levels": [2], "unet__embedding": 32},
              "unet=large": {"unet__channels": [32, 64, 128], "unet__attention_levels": [1, 2], "unet__embedding": 128},
              "patch=14x14": {"patch__size": 14}, "timestep=t5": {"timestep__value": 5}}  # fmt: skip
    for each in overrides:
        key, _, value = each.partition("=")
        keys |= chosen.get(each) or {key.replace(".", "__"): json.loads(value)}
    return result(preset="fast", overrides=overrides, **keys)


def test_rows_that_differ_in_what_was_turned_alone_have_one_name_however_they_were_typed() -> None:
    """A sweep that finds a run of an earlier command has what was typed for that."""
    rate = {"contamination__value": 0.05}
    before = result(overrides=["contamination=c05", "timestep=t1"], timestep__value=1, **rate)
    now = result(overrides=["timestep.value=5"], timestep__value=5, **rate)
    other = result(overrides=["scoring.stride=7", "timestep.value=5"], timestep__value=5, scoring__stride=7, **rate)
    for some in ([before, now], [now, before]):
        names = {row["method"] for row in lines(sweep_table("timestep", some, None, []))}
        assert len(names) == 1 and not any("contamination" in name for name in names)
    methods = [row["method"] for row in lines(sweep_table("timestep", [before, now, other], None, []))]
    assert len(methods) == 3 and len(set(methods)) == 2
    assert sum("scoring.stride=7" in method for method in methods) == 1


def test_memory_that_no_run_measured_is_no_column() -> None:
    some = of_sweep("sweep_patch")
    measured = [with_growth(each, 20.0) for each in some]
    without = [replace(each, metrics=replace(each.metrics, memory={})) for each in some]
    heads = {name: sweep_table("patch", each, None, []) for name, each in (("with", measured), ("without", without))}
    memory = {name: [head for head in content.headings if head.endswith("MiB")] for name, content in heads.items()}
    assert memory == {"with": ["peak memory of training, MiB", "growth in training, MiB"], "without": []}
    assert {name: MEMORY_NOTE in content.notes for name, content in heads.items()} == {"with": True, "without": False}
    for content in ablation_tables(without, None):
        assert not any("MiB" in head for head in content.headings) and MEMORY_NOTE not in content.notes


def test_methods_without_what_was_turned_are_left_out() -> None:
    other = result(method__name="pca", preset="fast")
    other = replace(other, config={key: value for key, value in other.config.items() if key != "timestep"})
    assert {row["method"] for row in lines(sweep_table("timestep", [result(), other], None, []))} == {"RADAR"}


def test_a_network_that_is_trained_on_no_patches_has_no_side_that_attends() -> None:
    unet = {"channels": [8, 16], "attention_levels": [1], "fold": 1}
    one = result()
    config = {key: value for key, value in one.config.items() if key != "patch"}
    whole, cropped = replace(one, config={**config, "unet": unet}), replace(one, config={**one.config, "unet": unet})
    assert [lines(sweep_table("unet", [each], None, []))[0]["attention at"] for each in (whole, cropped)] == [
        "–",
        "14 px",
    ]
