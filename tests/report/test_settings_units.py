"""What a study turned, on the composed configs of the sweeps that are part of the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from report_builders import result

from radar.compose import command_line
from radar.compose.plan import plan
from radar.methods.relevance import effective
from radar.report.result import Result
from radar.report.settings_units import REFERENCE
from radar.report.tables_ablation import ablation_tables, ablations


def of_sweep(name: str, *overrides: str) -> list[Result]:
    """One result for each job of a sweep of the project."""
    planned = plan(command_line.read(["-m", "--config-name", name, *overrides, "seed=0"]))
    one = result()
    return [
        replace(one, config=effective(job.config), name=f"run-{number}", fingerprint=str(number))
        for number, job in enumerate(planned.jobs)
    ]


def told(results: Sequence[Result]) -> dict[str, list[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for each in ablations(results, None):
        found.setdefault(each.key, []).append(each.values)
    return found


@pytest.mark.parametrize(
    ("sweep", "group", "options"),
    [("sweep_detector", "detector", 4), ("sweep_unet", "unet", 6), ("sweep_noise", "scoring", 6)],
)
def test_options_that_change_several_keys_are_one_series(sweep: str, group: str, options: int) -> None:
    results = of_sweep(sweep)
    (series,) = told(results)[group]
    assert list(told(results)) == [group]
    assert (len(series), series[0]) == (options, REFERENCE)
    (content,) = ablation_tables(results, None)
    assert (content.name, len(content.rows)) == (f"ablation_{group}", options)
    assert any(f"{REFERENCE} is " in note for note in content.notes)


def test_the_reference_is_the_option_nearest_to_the_others() -> None:
    (one,) = ablations(of_sweep("sweep_unet"), None)
    assert "channels = [16, 32, 64]" in one.reference
    assert "attention_levels = []" in one.values


def test_two_groups_give_a_series_for_each_option_of_the_other() -> None:
    options = ["detector=isolation_forest,isolation_forest_held_out,upper_tail", "timestep=t1,t10"]
    found = told(of_sweep("config", *options))
    assert {key: len(series) for key, series in found.items()} == {"timestep.value": 3, "detector": 2}
    assert found["timestep.value"] == [(1, 10)] * 3


def test_single_keys_of_one_group_stay_axes() -> None:
    found = told(of_sweep("sweep_edges", "scoring.blur.sigma=1.0"))
    assert {key: len(series) for key, series in found.items()} == {"scoring.window": 2, "scoring.edge": 3}


def test_keys_turned_one_at_a_time_stay_axes() -> None:
    some = [result(), result(scoring__window=5), result(scoring__window=21), result(scoring__edge="none")]
    assert set(told(some)) == {"scoring.window", "scoring.edge"}
