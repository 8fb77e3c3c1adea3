"""What a study turned, on the composed configs of the sweeps that are part of the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from report_builders import result

from radar.compose import command_line
from radar.compose.plan import plan
from radar.methods.relevance import effective
from radar.report.result import Result
from radar.report.settings import chosen_option
from radar.report.settings_units import REFERENCE
from radar.report.tables_ablation import ablation_tables, ablations


def of_sweep(name: str, *overrides: str) -> list[Result]:
    """One result for each job of a sweep of the project."""
    planned = plan(command_line.read(["-m", "--config-name", name, *overrides, "seed=0"]))
    one = result()
    return [
        replace(
            one,
            config=effective(job.config),
            command=replace(one.command, overrides=job.overrides),
            name=f"run-{number}",
            fingerprint=str(number),
        )
        for number, job in enumerate(planned.jobs)
    ]


def told(results: Sequence[Result]) -> dict[str, list[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for each in ablations(results, None):
        found.setdefault(each.key, []).append(each.shown)
    return found


@pytest.mark.parametrize(
    ("sweep", "group", "options"),
    [
        ("sweep_detector", "detector", {"isolation_forest", "isolation_forest_held_out", "upper_tail", "shifted_tail"}),
        ("sweep_unet", "unet", {"small", "attention", "no_attention", "large", "compact", "compact_wide"}),
        ("sweep_noise", "scoring", {"paper", "paper_whole", "averaged", "residual", "recommended", "whole"}),
    ],
)
def test_options_that_change_several_keys_are_one_series_of_their_names(
    sweep: str, group: str, options: set[str]
) -> None:
    results = of_sweep(sweep)
    (series,) = told(results)[group]
    assert list(told(results)) == [group]
    assert set(series) == options
    (content,) = ablation_tables(results, None)
    assert content.name == f"ablation_{group}"
    assert {row[content.headings.index(group)].text for row in content.rows} == options


def test_what_no_command_chose_is_the_reference_and_its_settings_are_told() -> None:
    first, *rest = of_sweep("sweep_unet", "unet=attention,small,large")
    plain = replace(first, command=replace(first.command, overrides=("seed=0",)))
    (one,) = ablations([plain, *rest], None)
    assert one.shown == (REFERENCE, "large", "small")
    assert "channels = [16, 32, 64]" in one.reference
    (content,) = ablation_tables([plain, *rest], None)
    assert any(f"{REFERENCE} is channels" in note for note in content.notes)


def test_an_option_of_one_key_is_called_by_its_name_and_lies_on_an_axis() -> None:
    (patch,) = ablations(of_sweep("sweep_patch"), None)
    assert (patch.key, patch.shown, patch.values) == ("patch.size", ("14x14", "28x28", "56x56"), (14, 28, 56))
    (timestep,) = ablations(of_sweep("sweep_timestep", "dataset=printed_layers"), None)
    assert (timestep.shown, timestep.values) == (("t1", "t5", "t10", "t50"), (1, 5, 10, 50))
    (typed,) = ablations(of_sweep("config", "timestep.value=5,7"), None)
    assert typed.shown == ("5", "7")


def test_two_groups_give_a_series_for_each_option_of_the_other() -> None:
    options = ["detector=isolation_forest,isolation_forest_held_out,upper_tail", "timestep=t1,t10"]
    results = of_sweep("config", *options)
    found = told(results)
    assert {key: len(series) for key, series in found.items()} == {"timestep.value": 3, "detector": 2}
    assert found["timestep.value"] == [("t1", "t10")] * 3
    fixed = {each.fixed for each in ablations(results, None) if each.key == "timestep.value"}
    assert fixed == {f"detector = {name}" for name in ("isolation_forest", "isolation_forest_held_out", "upper_tail")}


def test_single_keys_of_one_group_stay_axes() -> None:
    found = told(of_sweep("sweep_edges", "scoring.blur.sigma=1.0"))
    assert {key: len(series) for key, series in found.items()} == {"scoring.window": 2, "scoring.edge": 3}


def test_keys_turned_one_at_a_time_stay_axes() -> None:
    some = [result(), result(scoring__window=5), result(scoring__window=21), result(scoring__edge="none")]
    assert set(told(some)) == {"scoring.window", "scoring.edge"}


def test_keys_that_are_read_because_of_the_value_alone_come_and_go_with_it() -> None:
    results = of_sweep("config", "diffusion.schedule=linear,cosine")  # β belongs to the one, an offset to the other
    assert told(results) == {"diffusion.schedule": [("cosine", "linear")]}
    (other,) = of_sweep("config", "diffusion.schedule=linear", "diffusion.last_beta=0.03")
    assert told([*results, other]) == {
        "diffusion.last_beta": [("0.02", "0.03")]
    }  # cosine has two linear ones to be beside


def test_trials_of_a_search_that_differ_everywhere_are_no_ablation() -> None:
    random = np.random.default_rng(0)
    batches, steps = (32, 64, 128), (100, 200)
    trials = [
        result(
            training__batch_size=batches[number % 3],
            training__max_steps=steps[number % 2],
            training__learning_rate=float(random.uniform(1e-4, 1e-2)),
            training__weight_decay=float(random.uniform(0, 0.1)),
        )
        for number in range(12)
    ]
    assert ablations(trials, None) == []
    assert ablation_tables(trials, None) == []


def test_points_that_differ_elsewhere_are_left_out_and_told() -> None:
    some = [result(training__batch_size=size) for size in (32, 64, 64)]
    far = result(training__batch_size=128, scoring__stride=7)
    (one,) = [each for each in ablations([*some, far], None) if each.key == "training.batch_size"]
    assert one.values == (32, 64)
    tables = {each.name: each for each in ablation_tables([*some, far], None)}
    assert list(tables) == ["ablation_training_batch_size"]
    assert any("1 runs with another training.batch_size" in note for note in tables.popitem()[1].notes)


def test_runs_on_other_data_are_no_series() -> None:
    first, second = result(timestep__value=1), result(timestep__value=5)
    other = replace(second, environment={**second.environment, "data_manifest_hash": "other"})
    assert [each.values for each in ablations([first, second], None)] == [(1, 5)]
    assert ablations([first, other], None) == []


@pytest.mark.parametrize("preset", ["fast", "recommended", "noise_free", "paper", "debug"])
def test_an_option_stays_chosen_where_the_preset_sets_keys_of_its_group(preset: str) -> None:
    results = of_sweep("config", f"experiment={preset}", "dataset=grid", "diffusion=linear,cosine")
    results = [replace(each, command=replace(each.command, preset=preset)) for each in results]
    assert [chosen_option(each, "diffusion") for each in results] == ["linear", "cosine"]
    (one,) = ablations(results, None)
    assert one.key in ("diffusion", "diffusion.schedule")
    assert (one.shown, one.fixed) == (("cosine", "linear"), "")


def test_a_preset_excuses_what_it_sets_and_no_more() -> None:
    (one,) = of_sweep("config", "experiment=fast", "dataset=grid", "diffusion=linear")
    one = replace(one, command=replace(one.command, preset="fast"))
    changed = {**one.config["diffusion"], "last_beta": 0.5}
    edited = replace(one, config={**one.config, "diffusion": changed})
    elsewhere = replace(one, command=replace(one.command, preset="of_ones_own"))
    of_another = replace(one, command=replace(one.command, preset="paper"))
    found = [chosen_option(each, "diffusion") for each in (one, edited, elsewhere, of_another)]
    assert found == ["linear", None, None, None]


def test_what_comes_and_goes_with_the_value_is_not_held() -> None:
    sweep = ("experiment=fast", "dataset=grid", "diffusion=linear,cosine", "timestep=t1,t10")
    results = of_sweep("config", *sweep)
    results = [replace(each, command=replace(each.command, preset="fast")) for each in results]
    fixed = {each.key: set() for each in ablations(results, None)}
    for each in ablations(results, None):
        fixed[each.key].add(each.fixed)
    assert fixed == {
        "diffusion": {"timestep = t1", "timestep = t10"},
        "timestep.value": {"diffusion = linear", "diffusion = cosine"},
    }


@pytest.mark.parametrize("edited", [0, 1])
def test_an_option_that_the_run_departs_from_is_called_by_what_the_run_has(edited: int) -> None:
    results = of_sweep("config", "experiment=fast", "dataset=grid", "unet=compact_wide,compact_narrow")
    config = results[edited].config
    results[edited] = replace(
        results[edited], config={**config, "unet": {**config["unet"], "channels": [9, 9], "blocks": 7}}
    )
    (one,) = ablations(results, None)
    assert one.key == "unet" and one.reference == ""
    assert not any(text.startswith(REFERENCE) for text in one.shown)
    assert any("channels = [9, 9]" in text and "blocks = 7" in text for text in one.shown)
    (content,) = ablation_tables(results, None)
    assert not any(f"{REFERENCE} is" in note for note in content.notes)
