"""docs/methods.md: how the rows of its tables are named, ordered and filled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_builders import result

from radar.evaluation.metrics import Quality
from radar.evaluation.pixel_metrics import PixelMetrics
from radar.report.tables import markdown
from scripts.pages.methods import mean_and_deviation, quality_table, ranked


def run(auroc, pixel=0.5, **controls):
    one = result()
    image, of_pixels = replace(one.metrics.image, auroc=auroc), PixelMetrics(pixel, 0.5, 0.5, 0.3, 1, 0, 1, 1, 1)
    told = {
        name: Quality(replace(image, auroc=value), {}, {}, replace(of_pixels, auroc=value))
        for name, value in controls.items()
    }
    return replace(one, metrics=replace(one.metrics, image=image, pixel=of_pixels, controls=told))


def test_rows_are_ordered_by_rank_on_the_sets_that_all_methods_share():
    methods = {
        "radar": {"grid": [run(0.9), run(0.7)], "wood_quads": [run(0.6)]},
        "pca": {"grid": [run(0.81)], "wood_quads": [run(0.7)], "magnetic_tile": [run(0.0)]},
        "lof": {"grid": [run(0.1)], "wood_quads": [run(0.2)], "piped_PA_BRG03_TL": [run(1.0)]},
    }
    assert [name for name, _ in ranked(methods, ("image", "auroc"))] == ["pca", "radar", "lof"]


def test_cells_are_means_over_seeds_and_controls_stand_below():
    methods = {"radar": {"grid": [run(0.5, dark=0.25), run(0.7, dark=0.25)]}}
    rows = markdown(quality_table(methods)).splitlines()[2:]
    assert rows[0].startswith("| `radar` | 0.600 ± 0.141 | – | – | – | 0.500 | – ")
    assert rows[1].startswith("| · dark | 0.250 | – ")


@pytest.mark.parametrize(
    ("values", "cell"),
    [((), "–"), ((0.25,), "0.250"), ((0.5, 0.5), "0.500"), ((0.5, 0.5001), "0.500"), ((0.5, 0.6), "0.550 ± 0.071")],
)
def test_a_deviation_is_given_where_it_is_seen(values, cell):
    assert mean_and_deviation(values).text == cell
