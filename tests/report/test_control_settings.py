"""Runs of one method with controls and without are one method: what controls alone read tells them apart in nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from report_builders import result

from radar.compose import command_line
from radar.compose.plan import plan
from radar.methods.relevance import effective
from radar.report.control_settings import without_control_settings
from radar.report.result import Result
from radar.report.settings import settings, varying_keys


def runs(*commands: Sequence[str]) -> list[Result]:
    """What runs of these commands would have as their configs."""
    found = []
    for words in commands:
        (job,) = plan(command_line.read(words)).jobs
        found.append(replace(result(), config=effective(job.config), fingerprint=" ".join(words)))
    return found


BARE = "method.controls=[]"


@pytest.mark.parametrize("method", ["lof_texture", "pca", "fused_densities", "deep_svdd", "radar"])
def test_a_run_without_controls_has_the_settings_of_one_with_them(method: str) -> None:
    words = [f"method={method}", "dataset.image.channels=luma_chroma"]
    found = without_control_settings(runs(words, [*words, BARE]))
    assert varying_keys(found) == []
    assert settings(found[0]) == settings(found[1])


def test_what_was_turned_stays_told() -> None:
    smoother = runs(["method=lof_texture"], ["method=lof_texture", "scoring.smoothing=3"], ["method=lof_texture", BARE])
    assert varying_keys(without_control_settings(smoother)) == ["scoring.smoothing"]
    own = runs(["method=pca"], ["method=pca", "method.windows.size=9"], ["method=pca", BARE])
    assert varying_keys(without_control_settings(own)) == varying_keys(own[:2])


def test_where_all_have_controls_or_none_has_nothing_changes() -> None:
    for more in ([], [BARE]):
        some = runs(["method=lof_texture", *more], ["method=pca", *more], ["method=pca", "seed=1", *more])
        assert [each.config for each in without_control_settings(some)] == [each.config for each in some]


def test_a_method_that_is_not_installed_keeps_what_its_runs_say() -> None:
    some = runs(["method=lof_texture"], ["method=lof_texture", BARE])
    for each in some:
        each.config["method"]["name"] = "of_a_plug_in"
    assert [each.config for each in without_control_settings(some)] == [each.config for each in some]
