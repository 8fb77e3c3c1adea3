"""docs/quality.md: how a variant is named, and what a cell says."""

from __future__ import annotations

import statistics

import pytest
from report_builders import result

from radar.report.cells import cells
from radar.report.tables import markdown
from scripts.pages.quality import WHOLE, ablation_table, features_table, parts_said, tried_table, variant, variants

PART = "method.fused_densities."


def changed(*overrides, seed=0, dataset="grid", preset="recommended"):
    return result(seed=seed, dataset=dataset, preset=preset, overrides=overrides)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([f"{PART}colour=null"], "without colour"),
        ([f"{PART}{part}=null" for part in ("energy", "context", "appearance", "colour")], "detail alone"),
        ([f"{PART}power=2"], "`fused_densities.power=2`"),
        (["detector=upper_tail", f"{PART}detail=null"], "without detail, `detector=upper_tail`"),
    ],
)
def test_a_variant_is_named_by_what_it_changes(overrides, name):
    assert variant(overrides) == name


def test_a_variant_stands_beside_the_recipe_of_its_seeds_and_other_runs_are_left_out(monkeypatch):
    monkeypatch.setattr(
        "scripts.pages.quality.differs_as_typed", lambda result, preset: "power=9" not in str(result.command)
    )
    whole = [changed(seed=seed) for seed in (0, 2)]
    tried = [
        *(changed(f"{PART}power=2", seed=seed) for seed in (0, 2)),
        *whole,
        changed(f"{PART}power=9"),  # of another recipe
        changed(f"{PART}power=2", preset="fast"),
        changed(f"{PART}power=2", dataset="leather_quads"),
        changed(f"{PART}power=2", "dataset.image.size=256"),
        changed(f"{PART}appearance.relative=1"),
        changed("patch=56x56"),
    ]
    found = variants(tried)
    assert {name: {each: len(of) for each, of in by_set.items()} for name, by_set in found.items()} == {
        WHOLE: {"grid": 2},
        "`fused_densities.power=2`": {"grid": 2},
        "`patch=56x56`": {"grid": 1},
    }
    first, second, third = markdown(ablation_table(found)).splitlines()[-3:]
    own = [statistics.fmean(each.metrics.value("image", key) for each in whole) for key in ("auroc", "f1")]
    assert first.startswith(f"| {WHOLE} | {own[0]:.3f} / {own[1]:.3f} |") and first.endswith(" – | – |")
    assert second.count(" / ") == 2 and "(" not in second and third.count(" (1) |") == 2


def test_what_leaving_out_a_part_changes_is_told_of_the_same_seeds(monkeypatch):
    monkeypatch.setattr("scripts.pages.quality.differs_as_typed", lambda result, preset: True)
    tried = [
        changed(f"{PART}colour=null", seed=2),
        *(changed(seed=seed) for seed in range(3)),
        *(changed(f"{PART}energy=null", seed=seed) for seed in range(3)),
    ]
    told = list(parts_said(variants(tried)))
    assert told[-1] == "Without colour, image AUROC changes by +0.000 on grid."  # equal numbers of equal seeds


def test_both_recipes_stand_side_by_side_where_both_ran():
    (one,) = cells([result(seed=seed) for seed in (0, 1)], None)
    table = features_table({"grid": one}, {"grid": one, "wood_quads": one})
    (row,) = table.rows
    texts = [each if isinstance(each, str) else each.text for each in row]
    assert texts[0].startswith("grid") and all(
        left == right for left, right in (text.split(" / ") for text in texts[2:])
    )
    assert texts[1] == "2"


def test_what_was_tried_stands_beside_its_preset_of_its_seed(monkeypatch):
    monkeypatch.setattr("scripts.pages.quality.differs_as_typed", lambda result, preset: result.seed != 9)
    typed = ("dataset.image.size=256",)
    tried = [
        result(seed=1, preset="recommended", overrides=typed),
        result(seed=0, preset="recommended", overrides=("method.fused_densities.power=2", "scoring.tile=64")),
        result(seed=7, preset="recommended_pretrained", overrides=("method.fused_densities.power=2",)),
        result(seed=9, preset="recommended", overrides=typed),
        result(seed=1, preset="fast", overrides=typed),
    ]
    plain = {"grid": cells([result(seed=seed) for seed in (0, 1)], None)[0]}
    tried += [
        result(dataset="magnetic_tile", preset="recommended", overrides=("method.fused_densities.relative=1",)),
        result(
            dataset="magnetic_tile",
            preset="recommended",
            overrides=("method.fused_densities.relative=1", "scoring.tile=64"),
        ),
    ]
    (of_size,), (of_light,), others = (
        [
            [entry.text for entry in row]
            for row in tried_table({"recommended": plain, "recommended_pretrained": {}}, tried, section).rows
        ]
        for section in ("resolutions", "light", "tried")
    )
    assert of_light[:3] == ["magnetic_tile ◆", "`method.fused_densities.relative=1`", "0"]
    both = [f"{one.metrics.value('image', 'auroc'):.3f}" for one in (plain["grid"].results[1], tried[0])]
    assert of_size[1:4] == ["`dataset.image.size=256`", "1", " / ".join(both)]
    assert {row[1] for row in others} == {
        "`method.fused_densities.relative=1`, `scoring.tile=64`",
        "`method.fused_densities.power=2`, `scoring.tile=64`",
        "`recommended_pretrained`, `method.fused_densities.power=2`",
    }
    assert all(row[3].startswith("–") for row in others if row[2] == "7")
