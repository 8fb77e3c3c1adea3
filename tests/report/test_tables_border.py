"""The table of the border: a row per setting, and a dash or no row where a run of old measured nothing."""

from __future__ import annotations

from dataclasses import replace

from report_builders import on_other_data, result

from radar.evaluation.metrics import BorderMetrics
from radar.report.cells import OTHER_DATA, cells
from radar.report.result import Result
from radar.report.settings import settings
from radar.report.tables_border import border_cells, border_table


def measured(name: str, share: float | None, seed: int, width: int = 5, area: float = 0.19) -> Result:
    one = result(seed=seed, overrides=[f"scoring.border.name={name}"], scoring__border={"name": name, "width": 6})
    return replace(one, metrics=replace(one.metrics, border_share=BorderMetrics(width, area, share, None)))


def test_shares_stand_beside_the_share_by_area() -> None:
    runs = [measured("none", 0.7, 0), measured("none", 0.8, 1), measured("standardised", 0.2, 0)]
    content = border_table(border_cells(runs, None))
    texts = [[entry.text for entry in row[2:8]] for row in content.rows]
    assert texts == [["2", "none", "5", "19", "75", "–"], ["1†", "standardised, 6 px", "5", "19", "20", "–"]]


def test_shares_of_different_widths_are_never_averaged() -> None:
    runs = [
        measured("none", 0.8, 0, width=12, area=0.4),
        measured("none", 0.2, 1, width=3, area=0.1),
        measured("none", 0.6, 2, width=12, area=0.4),
        replace(one := measured("none", 0.9, 3), metrics=replace(one.metrics, border_share=None)),
    ]
    shown = cells(runs, None)
    assert len(shown) == 1  # how wide the border is that a run looks at makes no other method of it
    content = border_table(border_cells(runs, None))
    texts = [[entry.text for entry in row[2:7]] for row in content.rows]
    assert texts == [["1†", "none", "3", "10", "20"], ["2†", "none", "12", "40", "70"]]
    auroc = content.headings.index("AUROC")
    assert content.rows[0][auroc].value == runs[1].metrics.image.auroc


def test_runs_of_one_seed_that_looked_at_borders_of_two_widths_have_a_row_each() -> None:
    runs = [
        replace(measured("none", share, seed, width=width), fingerprint=f"{seed}{width}" * 6)
        for seed in (0, 1)
        for width, share in ((5, 0.2), (9, 0.4))
    ]
    assert len(cells(runs, None)[0].results) == 2
    texts = [[entry.text for entry in row[1:7]] for row in border_table(border_cells(runs, None)).rows]
    assert [row[1:] for row in texts] == [["2", "none", "5", "19", "20"], ["2", "none", "9", "19", "40"]]
    assert len({row[0] for row in texts}) == 1


def test_a_border_that_counts_as_the_rest_is_the_setting_of_runs_from_before_there_was_a_choice() -> None:
    before = settings(result())
    assert settings(result(scoring__border={"name": "none"})) == before
    assert settings(result(scoring__border={"name": "margin", "width": 6})) == {
        **before,
        "scoring.border.name": "margin",
        "scoring.border.width": 6,
    }


def test_runs_that_did_not_measure_it_have_no_row() -> None:
    one = result()
    older = replace(one, metrics=replace(one.metrics, border_share=None))
    assert border_cells([older], None) == []
    assert len(border_cells([older, measured("margin", 0.7, 1)], None)) == 1


def test_rows_of_other_data_than_most_runs_read_are_marked_whatever_their_width() -> None:
    usual = [measured("none", 0.7, seed) for seed in (0, 1)]
    other = on_other_data(measured("standardised", 0.2, 0, width=9))
    assert [cell.marks for cell in border_cells([*usual, other], 1)] == ["", OTHER_DATA]
    assert [OTHER_DATA in row[1].text for row in border_table(border_cells([*usual, other], 1)).rows] == [False, True]
