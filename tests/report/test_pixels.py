"""Methods are ranked with each other where they saw the same pixels and colours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from report_builders import SETTINGS, result

from radar.report.cells import cells, main_cells
from radar.report.pixels import not_ranked
from radar.report.result import Result
from radar.report.tables_comparisons import pairs
from radar.report.tables_ranks import rank_table, rankings
from radar.report.tables_results import main_table

GREY = {"size": 100, "aspect": "stretch", "resize": "lanczos", "channels": "grey"}


def run(preset: str, *, coloured: bool | None = True, dataset: str = "grid", gain: float = 1.0, **image: Any) -> Result:
    one = result(dataset=dataset, preset=preset, gain=gain, dataset__image={**GREY, **image})
    return replace(one, metrics=replace(one.metrics, data=replace(one.metrics.data, coloured=coloured)))


@pytest.mark.parametrize(
    ("image", "coloured", "reason"),
    [
        pytest.param({}, True, "", id="the same"),
        pytest.param({"margin": None}, True, "", id="a setting of today that is off"),
        pytest.param({"size": 256}, True, "other pixels (256 px)", id="larger"),
        pytest.param({"aspect": "crop", "size": 50}, True, "other pixels (aspect crop, 50 px)", id="cropped"),
        pytest.param({"channels": "rgb"}, True, "other colours (colour)", id="colours"),
        pytest.param(
            {"channels": "luma_chroma"}, None, "perhaps other colours (colour)", id="colours, as far as is known"
        ),
        pytest.param({"channels": "rgb"}, False, "", id="grey images read as colours"),
        pytest.param({"channels": "rgb", "size": 32}, True, "other pixels (32 px), other colours (colour)", id="both"),
    ],
)
def test_what_differs_from_most_methods_is_told(image: dict[str, Any], coloured: bool | None, reason: str) -> None:
    one = run("c", coloured=coloured, **image)
    found = not_ranked([run("a", coloured=coloured), run("b", coloured=coloured), one])
    assert found == ({one.identity: reason} if reason else {})


def test_rgb_is_luma_with_chroma_and_many_settings_of_one_method_are_one_vote() -> None:
    some = [run("a", channels="rgb"), run("b", channels="luma_chroma")]
    assert not_ranked(some) == {}
    grey = [run("c", gain=1 + n) for n in range(5)]
    assert set(not_ranked([*some, *grey]).values()) == {"other colours (grey)"}
    assert len(not_ranked([*some, *grey])) == 5


def test_one_run_that_knows_the_data_holds_no_colour_tells_for_all() -> None:
    assert not_ranked([run("a", coloured=None), run("b", coloured=False, channels="rgb")]) == {}


def test_other_pixels_are_shown_and_neither_ranked_nor_tested() -> None:
    some = [
        run(preset, dataset=dataset, gain=gain) for dataset in ("p", "q") for preset, gain in (("a", 1.0), ("b", 2.0))
    ]
    some += [run(preset, dataset="p", gain=3.0, size=256) for preset in ("a", "c")]
    chosen = main_cells(cells(some, None))
    names = [each.label for each in chosen if each.dataset == "p"]
    large = "not ranked: other pixels (256 px)"
    assert names == ["radar, a", f"radar, a, {large}", "radar, b", f"radar, c, {large}"]
    assert {f"radar, a, {large}", f"radar, c, {large}"} <= {row[1].text for row in main_table(chosen).rows}
    ranked = rankings(chosen, 0.05)
    assert [each.methods for each in ranked] == [("radar, a", "radar, b")] * 2
    assert rank_table(ranked, chosen, 0.05).notes[-2:] == (f"p: radar, a, {large}", f"p: radar, c, {large}")
    tested = {(each.dataset, each.first.label, each.second.label) for each in pairs(chosen, SETTINGS)}
    assert tested == {
        ("p", "radar, a", "radar, b"),
        ("p", f"radar, a, {large}", f"radar, c, {large}"),
        ("q", "radar, a", "radar, b"),
    }
