"""What `radar compare` says of two runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_builders import SETTINGS, on_other_data, result

from radar.report.cells import FEW
from radar.report.comparison import comparison_tables

FIRST, SECOND = result(gain=1.0), result(gain=2.5, timestep__value=50)


def test_only_what_differs_is_listed() -> None:
    config, origin, numbers, paired = comparison_tables([FIRST, SECOND], SETTINGS)
    assert [[entry.text for entry in row] for row in config.rows] == [["timestep.value", "1", "50"]]
    assert [row[0].text for row in origin.rows] == ["fingerprint"]
    auroc = numbers.rows[0]
    values = [each.metrics.image.auroc for each in (FIRST, SECOND)]
    assert auroc[2].text == f"{values[1]:.3f} ({values[1] - values[0]:+.3f})"
    shown = dict(zip(paired.headings, paired.rows[0], strict=True))
    assert shown["Δ AUROC"].value == pytest.approx(values[1] - values[0])
    assert shown["groups"].text == f"6 + 9{FEW}"
    assert 0 < shown["AUROC p"].value < 1


def test_long_texts_are_shown_where_they_part() -> None:
    """As the commands of runs of one data set, whose beginnings are alike."""
    alike = "a" * 50
    runs = [result(gain=1.0, dataset__name=f"{alike}{end}") for end in ("1 and so on and so on and so on", "2", "")]
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in comparison_tables(runs, SETTINGS)[0].rows}
    assert rows["dataset.name"] == ["…aaaaaaaa1 and so on and …", "…aaaaaaaa2", "…aaaaaaaa"]
    apart = [f"{alike}1", f"{alike}2", "b"]
    runs = [result(gain=1.0, dataset__name=name) for name in apart]
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in comparison_tables(runs, SETTINGS)[0].rows}
    assert rows["dataset.name"] == apart, "the first two would be shown alike"


def test_runs_on_other_images_are_not_paired_and_the_data_is_named() -> None:
    tables = comparison_tables([FIRST, on_other_data(SECOND)], SETTINGS)
    assert [each.name for each in tables] == ["config", "origin", "numbers"]
    assert {"data_manifest_hash", "test images"} <= {row[0].text for row in tables[1].rows}


def test_equal_runs_have_no_difference() -> None:
    config = comparison_tables([FIRST, FIRST], SETTINGS)[0]
    assert (config.rows, config.notes) == ((), ("no difference",))


@pytest.mark.parametrize(
    ("change", "told"), [(-0.0001, "(+0.000)"), (0.0001, "(+0.000)"), (-0.0006, "(-0.001)"), (0.25, "(+0.250)")]
)
def test_a_difference_that_rounds_to_nothing_has_no_minus(change: float, told: str) -> None:
    one, other = (
        replace(FIRST, metrics=replace(FIRST.metrics, image=replace(FIRST.metrics.image, auroc=value)))
        for value in (0.5, 0.5 + change)
    )
    numbers = comparison_tables([one, other], SETTINGS)[2]
    assert numbers.name == "numbers"
    assert {row[0].text: row[2].text for row in numbers.rows}["AUROC"].endswith(told)
