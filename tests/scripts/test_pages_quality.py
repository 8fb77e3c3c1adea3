"""docs/quality.md: how a variant is named, and what a cell says."""

from __future__ import annotations

import pytest
from report_builders import result

from radar.report.cells import cells
from radar.report.tables import markdown
from scripts.pages.quality import WHOLE, ablation_table, features_table, tried_table, variant, variants

COMMAND = "radar experiment=recommended tags=[ablation] method.controls=[] dataset=wood_quads,grid seed=0,1"


def record(extra="", job="dataset=grid seed=0", **figures):
    base = {"auroc": 0.5, "f1": 0.5, "pixel_auroc": 0.5, "aupro": 0.5}
    return {"command": f"{COMMAND} {extra}".strip(), "job": job, "run": "grid-0123", **base, **figures}


@pytest.mark.parametrize(
    ("extra", "job", "name"),
    [
        ("", "dataset=grid seed=0", WHOLE),
        ("method.fused_densities.colour=null", "dataset=grid seed=0", "without colour"),
        (
            " ".join(f"method.fused_densities.{part}=null" for part in ("energy", "context", "appearance", "colour")),
            "seed=0",
            "detail alone",
        ),
        ("method.fused_densities.power=1,2", "seed=0 method.fused_densities.power=2", "`fused_densities.power=2`"),
        ("detector=upper_tail", "seed=1", "`detector=upper_tail`"),
    ],
)
def test_a_variant_is_named_by_what_it_changes(extra, job, name):
    assert variant(record(extra, job)) == name


def test_cells_are_means_over_seeds_and_other_sweeps_are_left_out():
    records = [
        record(auroc=0.9, f1=0.8),
        record(auroc=0.7, f1=0.6, job="dataset=grid seed=1"),
        {**record(auroc=0.0), "command": "radar experiment=recommended dataset=grid"},
    ]
    assert (
        markdown(ablation_table(variants(records)))
        .splitlines()[-1]
        .startswith(f"| {WHOLE} | 0.800 / 0.700 | 0.500 / 0.500 | – | – |")
    )


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
        result(seed=0, preset="recommended", overrides=("method.fused_densities.power=2",)),
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
            overrides=("method.fused_densities.relative=1", "patch=56x56"),
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
        "`method.fused_densities.relative=1`, `patch=56x56`",
        "`method.fused_densities.power=2`",
        "`recommended_pretrained`, `method.fused_densities.power=2`",
    }
    assert all(row[3].startswith("–") for row in others if row[2] == "7")
