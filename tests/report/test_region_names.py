"""Regions are told by a short name, by which any two can be told apart."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from report_builders import SETTINGS, result

from radar.report.build import Report
from radar.report.comparison import comparison_tables
from radar.report.html import page
from radar.report.pixels import not_ranked
from radar.report.region_names import named, region_name, with_named_region
from radar.report.result import Result
from radar.report.settings import flat, method_names
from radar.runtime.region_of_interest import mask_text

KEY = "dataset.image.region_of_interest"
NONE = {"polygons": None, "mask": None, "tolerance": None, "thinnest": None, "inset": None}


def mask(seed: int) -> dict[str, Any]:
    stream = np.random.default_rng(seed)
    return {**NONE, "name": "mask", "mask": mask_text(stream.random((200, 300)) > 0.5)}


def polygons(seed: int) -> dict[str, Any]:
    return {**NONE, "name": "polygons", "polygons": np.random.default_rng(seed).random((40, 50, 2)).tolist()}


def found(tolerance: float) -> dict[str, Any]:
    return {**NONE, "name": "found", "tolerance": tolerance, "thinnest": 5, "inset": 2}


def run(preset: str, region: dict[str, Any], *overrides: str) -> Result:
    return result(preset=preset, overrides=overrides, dataset__image={"size": 100, "region_of_interest": region})


def test_a_name_is_the_kind_and_the_digest_of_what_the_region_holds():
    text = mask(0)["mask"]
    assert region_name(mask(0)) == f"mask {hashlib.sha256(text.encode()).hexdigest()[:8]}" == named(f"{KEY}.mask", text)
    assert region_name(found(6.0)) == "found tolerance=6.0 thinnest=5 inset=2"
    assert named(f"{KEY}.mask", None) is None and named("evaluation.mask", text) == text
    values = {"dataset": {"image": {"size": 9, "region_of_interest": polygons(1)}}}
    assert flat(values)[f"{KEY}.polygons"] == region_name(polygons(1))
    assert values["dataset"]["image"]["region_of_interest"] == polygons(1)  # which stays as it is
    kept = with_named_region(values)["dataset"]["image"]
    assert kept == {"size": 9, "region_of_interest": {**polygons(1), "polygons": region_name(polygons(1))}}


@pytest.mark.parametrize("region", [mask, polygons, found])
def test_why_runs_are_not_ranked_is_short_and_tells_regions_apart(region):
    runs = [run("a", region(1)), run("b", region(1)), run("c", region(2)), run("d", region(3))]
    told = not_ranked(runs)
    assert set(told) == {each.identity for each in runs[2:]} and len(set(told.values())) == 2
    assert all(region_name(region(seed)) in text for seed, text in zip((2, 3), told.values(), strict=True))
    assert all(len(text) < 100 for text in told.values())


@pytest.mark.parametrize("region", [mask, polygons])
def test_methods_and_comparisons_name_regions(region):
    kind = region.__name__
    runs = [run("a", region(seed), f"{KEY}.{kind}={region(seed)[kind]}") for seed in (1, 2)]
    names = method_names(runs)
    assert [names[each.identity] for each in runs] == [
        f"radar, a, {KEY}.{kind}={region_name(region(seed))}" for seed in (1, 2)
    ]
    untyped = method_names([run("a", region(1)), run("a", region(2))])
    assert sorted(untyped.values()) == sorted(f"radar, a, {KEY}.{kind} = {region_name(region(n))}" for n in (1, 2))
    config, origin = comparison_tables(runs, SETTINGS)[:2]
    assert [[entry.text for entry in row] for row in config.rows] == [
        [f"{KEY}.{kind}", region_name(region(1)), region_name(region(2))]
    ]
    assert all(len(entry.text) < 100 for row in origin.rows for entry in row)
    shown = page(Report(runs, SETTINGS, ()), ())
    assert str(region(1)[kind])[:200] not in shown and region_name(region(2)) in shown
