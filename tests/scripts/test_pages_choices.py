"""Which runs stand in which column: a preset as it stands, on the pixels of the set's comparison."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_builders import result

from radar.report.cells import OTHER_DATA, chosen_cells
from radar.report.recipes import told_by
from scripts.pages.choices import (
    PATCHCORE,
    PRETRAINED,
    PUBLISHED,
    RECOMMENDED,
    SELECTED,
    as_preset,
    best_filter,
    entry,
)
from scripts.pages.sets import in_order, named, shared_images


def recipe(preset="recommended", **settings):
    """A run of a recommended recipe as it stands."""
    told = told_by(f"experiment={preset}")
    method = {**told["method"], "fused_densities": {**told["method"]["fused_densities"], **settings}}
    return {"method": "fused_densities", "preset": preset, "fused_densities": method["fused_densities"],
            "sections": {"unet": told["unet"], "training": told["training"]}}  # fmt: skip


def run(method="radar", preset="paper", size=100, overrides=(), sections=None, **settings):
    leaves = {f"{name}__{key}": value for name, section in (sections or {}).items() for key, value in section.items()}
    return result(
        preset=preset,
        overrides=overrides,
        method__name=method,
        dataset__image={"size": size},
        **{f"method__{key}": value for key, value in settings.items()},
        **leaves,
    )


@pytest.mark.parametrize(
    ("one", "columns"),
    [
        (run(), {PUBLISHED}),
        (run(overrides=("dataset.image.size=100",)), {PUBLISHED}),
        (run(preset="fast"), set()),
        (run(preset=None), set()),
        (run(overrides=("scoring.window=7",)), set()),
        (run(size=50), set()),  # not the pixels of the recipe on this set
        (run(**recipe()), {RECOMMENDED}),
        (run(**recipe(), overrides=("method.fused_densities.power=2",)), set()),
        (run(**recipe(power=2.5)), set()),  # of the preset as it was
        (run("fused_densities", "recommended"), set()),
        (run(**recipe("recommended_pretrained")), {PRETRAINED}),
        (run(**recipe("recommended_pretrained", features={"side": 96})), set()),
        (run(**{**recipe("recommended_pretrained"), "preset": "recommended"}), set()),
        (run(**{**recipe(), "preset": "recommended_pretrained"}), set()),
        (run(**{**recipe(), "sections": {"unet": {"channels": [3]}}}), set()),
        (run("patchcore", "patchcore"), {PATCHCORE}),
        (run("patchcore", "fast"), set()),
    ],
)
def test_a_column_is_a_preset_as_it_stands(one, columns):
    assert {name for name, choose in SELECTED.items() if choose(one)} == columns


def test_the_noise_parts_alone_are_the_recipe_without_two_parts_and_nothing_else():
    keys = ("method.fused_densities.appearance=null", "method.fused_densities.colour=null")
    alone = recipe(appearance=None, colour=None)
    choose = SELECTED["noise parts alone"]
    assert choose(run(**alone, overrides=keys))
    assert not choose(run(**alone, overrides=(*keys, "method.fused_densities.power=2")))
    assert not choose(run(**recipe(appearance=None, colour=None, power=2.5), overrides=keys))
    assert not choose(run(**recipe()))


def test_a_cell_is_of_the_seeds_that_ran_and_marked_where_its_data_is_another():
    runs = [run(), result(preset="paper", seed=1, dataset__image={"size": 100})]
    one = chosen_cells(runs, {PUBLISHED: SELECTED[PUBLISHED]})[PUBLISHED]["grid"]
    assert entry(one, "image", "auroc").text.endswith("(2)")
    assert entry(one, "controls", "same_untrained", "image", "auroc").text == entry(None).text == "not run"
    assert OTHER_DATA not in one.marks
    assert best_filter([one, None], "image", "auroc") == ("raw_sobel", one)


def test_a_peer_is_the_preset_of_its_name():
    choose = as_preset("lof_texture")
    assert choose(run("lof", "lof_texture"))
    assert not choose(run("lof", "lof_texture", overrides=("dataset.image.size=50",)))
    assert not choose(run("lof", "fast"))  # grey, which is not what the recipe is given


def test_development_sets_come_first_and_a_set_with_their_images_is_named():
    assert in_order(["tile", "magnetic_tile", "grid", "leather"]) == ["grid", "magnetic_tile", "leather", "tile"]
    assert (named("tile"), named("grid")) == ("tile", "grid ◆")
    grid = result(dataset="grid")
    other = result(dataset="other")
    again = result(dataset="another_split")
    object.__setattr__(again, "images", grid.images[:3])
    assert shared_images([grid, other, again]) == {"another_split": "grid"}


def test_a_set_that_learns_from_images_of_a_development_set_is_named_too():
    grid, learns, thresholds, tested, apart = (
        result(dataset=name) for name in ("grid", "learns", "thresholds", "tested", "apart")
    )
    shown = grid.images[0].content_hash
    for one, split in ((learns, 0), (thresholds, 1)):
        normals = list(one.normals)
        normals[split] = replace(normals[split], content_hashes=(shown[:8], *normals[split].content_hashes[1:]))
        object.__setattr__(one, "normals", tuple(normals))
    start = grid.normals[0].content_hashes[0]
    images = (replace(tested.images[0], content_hash=f"{start}00000000"), *tested.images[1:])
    object.__setattr__(tested, "images", images)
    found = shared_images([grid, learns, thresholds, tested, apart])
    assert found == {"learns": "grid", "thresholds": "grid", "tested": "grid"}
