"""What diffusion contributes: the words follow from the numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_builders import result

from radar.evaluation.metrics import ControlQuality
from radar.report.cells import Cell
from scripts.pages.choices import FILTERS, UNTRAINED, WITHOUT_NETWORK
from scripts.pages.diffusion import contribution, missing, said, set_table

AUROC = ("image", "auroc")


def cell(own, dataset="leather_quads", **controls):
    """The recipe with an image AUROC per seed, and controls of the same AUROC at every seed."""
    runs = []
    for seed, auroc in enumerate(own):
        one = result(dataset=dataset, seed=seed)
        told = {
            name: ControlQuality(replace(one.metrics.image, auroc=value), {}, {}, None)
            for name, value in controls.items()
        }
        image = replace(one.metrics.image, auroc=auroc)
        runs.append(replace(one, metrics=replace(one.metrics, image=image, controls=told)))
    return Cell(dataset, "recommended", tuple(runs), "", "")


def complete(own, filters=0.5, without=0.5, untrained=0.5, dataset="leather_quads"):
    told = {**dict.fromkeys(FILTERS, filters), WITHOUT_NETWORK: without, UNTRAINED: untrained}
    return cell(own, dataset, **told)


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (complete([1.0, 1.0], without=0.61), "decisive"),
        (complete([0.997, 0.999], filters=0.89, without=0.968), "useful"),
        (complete([0.98, 0.99], without=0.983), "irrelevant"),  # within a hundredth
        (complete([0.998, 1.0], without=0.997), "irrelevant (saturated)"),  # no room is left
        (complete([0.9, 1.0], untrained=0.92), "irrelevant"),  # within the deviation over seeds
        (complete([0.9, 0.9], filters=0.97), "outdone"),
        (cell([1.0, 1.0], mean_brightness=0.5), "open"),  # a control may still take all of it away
        (cell([0.9, 0.9], mean_brightness=0.97), "outdone"),  # none can give it back
    ],
)
def test_a_contribution_is_what_stands_above_the_best_that_needs_no_training(found, word):
    measured = contribution(found, *AUROC)
    assert measured is not None
    assert measured.verdict == word


def test_the_best_is_named_and_taken_off():
    measured = contribution(complete([0.9, 0.7], without=0.6, untrained=0.55), *AUROC)
    assert measured is not None
    assert (measured.name, round(measured.gain, 6)) == ("recipe without a network", 0.2)


def test_every_set_is_named_in_words_and_what_has_not_run_too():
    cells = {"grid": complete([1.0, 1.0], dataset="grid"), "leather_quads": cell([1.0, 1.0], mean_brightness=1.0)}
    sentence = next(said(cells))
    assert "**decisive** on grid ◆; **irrelevant (saturated)** on leather_quads." in sentence
    lines = missing(cells, {})
    assert "Not run yet: *recipe without a network* on leather_quads." in lines
    assert "Not run yet: *trained noise parts alone* on any set." in lines


def test_a_cell_says_of_how_many_seeds_it_is():
    rows = set_table(complete([0.5, 0.75], without=0.25), None).rows
    assert [row[1].text for row in rows[2:]] == [
        "0.250 ± 0.000 (2)",
        "0.500 ± 0.000 (2)",
        "not run",
        "0.625 ± 0.177 (2)",
    ]
