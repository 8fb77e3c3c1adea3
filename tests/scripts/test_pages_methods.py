"""docs/methods.md: how the rows of its tables are named, ordered and filled."""

from __future__ import annotations

from dataclasses import replace

from report_builders import result

from radar.evaluation.metrics import ControlQuality
from radar.evaluation.pixel_metrics import PixelMetrics
from radar.report.tables import markdown
from scripts.pages.choices import ranks_by_method
from scripts.pages.methods import leaders_said, quality_table, ranked, trivial_said


def run(auroc, pixel=0.5, **controls):
    one = result()
    image, of_pixels = replace(one.metrics.image, auroc=auroc), PixelMetrics(pixel, 0.5, 0.5, 0.3, 1, 0, 1, 1, 1)
    told = {
        name: ControlQuality(replace(image, auroc=value), {}, {}, replace(of_pixels, auroc=value))
        for name, value in controls.items()
    }
    return replace(one, metrics=replace(one.metrics, image=image, pixel=of_pixels, controls=told))


def test_rows_are_ordered_by_rank_on_the_sets_that_all_methods_share():
    methods = {
        "radar": {"grid": [run(0.9), run(0.7)], "wood_quads": [run(0.6)]},
        "pca": {"grid": [run(0.81)], "wood_quads": [run(0.7)], "magnetic_tile": [run(0.0)]},
        "lof": {"grid": [run(0.1)], "wood_quads": [run(0.2)], "piped_PA_BRG03_TL": [run(1.0)]},
    }
    assert [name for name, _ in ranked(methods)] == ["pca", "radar", "lof"]


def test_methods_that_tie_share_their_mean_rank():
    methods = {
        "radar": {"grid": [run(0.9)], "magnetic_tile": [run(0.5)]},
        "lof": {"grid": [run(0.9)], "magnetic_tile": [run(0.4)]},
        "invad": {"grid": [run(0.9)], "magnetic_tile": [run(0.3)]},
        "pca": {"grid": [run(0.2)], "magnetic_tile": [run(0.8)]},
    }
    assert ranks_by_method(methods, "image", "auroc") == {"radar": 2.0, "lof": 2.5, "invad": 3.0, "pca": 2.5}
    assert ranks_by_method({"pca": {"grid": [run(0.2)]}, "lof": {"magnetic_tile": [run(0.2)]}}, "image", "auroc") == {}


def test_cells_are_means_over_seeds_and_controls_stand_below():
    methods = {"radar": {"grid": [run(0.5, dark=0.25), run(0.7, dark=0.25)]}}
    rows = markdown(quality_table(methods, {"RADAR as published": {"grid": [run(1.0)]}})).splitlines()[2:]
    assert rows[0].startswith("| `radar` | 0.600 ± 0.141 | – | – | – | 0.500 ± 0.000 | – ")
    assert rows[1].startswith("| RADAR as published | 1.000 | – ")
    assert rows[2].startswith("| · dark | 0.250 ± 0.000 | – ")


def test_the_words_follow_from_the_numbers():
    methods = {
        "radar": {"grid": [run(0.5, mean_brightness=0.6), run(0.7, mean_brightness=0.7)]},
        "pca": {"grid": [run(0.9)]},
        "lof": {"grid": [run(0.3)]},
    }
    first = next(leaders_said(methods))
    assert "`pca` (0.900), `radar` (0.600), `lof` (0.300) lead; `radar` has 0.600; 2 of 3" in first
    assert "`mean_brightness` (0.650)" in first
    trivial = methods["radar"]["grid"][0].metrics.image.f1_all_anomalous
    assert list(trivial_said(methods)) == [f"grid: {_better(methods, trivial)}, of 3 (all anomalous: {trivial:.3f})."]


def _better(methods, trivial):
    means = {name: by_set["grid"][0].metrics.image.f1 for name, by_set in methods.items()}
    return ", ".join(f"`{name}`" for name, f1 in means.items() if f1 > trivial) or "no method"
