"""Tables and figure of transfers: which records count, and where they stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_builders import SETTINGS, on_other_data, result

from radar.errors import RunError
from radar.evaluation.metrics import Origin
from radar.experiment.transfer import RECORDS_NAME, Transfer, write_transfers
from radar.report.build import Report
from radar.report.cells import OTHER_DATA, cells
from radar.report.figures_transfer import transfer_figure
from radar.report.result import Result
from radar.report.tables_transfer import note_on_untold, transfer_tables, transfers_at


def some() -> list[Result]:
    return [result(dataset=name, seed=seed) for name in ("grid", "wood") for seed in (0, 1)]


def record(source: Result, target: Result, auroc: float) -> Transfer:
    image = replace(source.metrics.image, auroc=auroc, false_positive_rate=1 - auroc)
    origin = Origin("0.1.0", None, {})
    return Transfer(image, {}, {}, None, source.fingerprint, source.name, target.dataset, target.data, origin)


def test_rows_are_trained_columns_are_scored_and_the_diagonal_is_their_own() -> None:
    results = some()
    grid, wood = results[:2], results[2:]
    known = [record(grid[0], wood[0], 0.5), record(grid[1], wood[0], 0.7), record(wood[0], grid[0], 0.25)]
    strangers = [replace(known[0], source="gone"), replace(known[0], target_data="other")]
    auroc, false_alarms = transfer_tables(cells(results, None), [*known, *strangers])
    rows = {row[1].text: row for row in auroc.rows}
    assert auroc.headings == ("method", "trained on", "grid", "wood")
    assert rows["grid"][3].text == "0.600 ± 0.141"
    assert rows["grid"][3].runs == (grid[0].name, grid[1].name)
    assert rows["wood"][2].text == "0.250†", "of one seed, and there are two"
    assert any(note.startswith("†") for note in auroc.notes)
    assert rows["grid"][2].value == np.mean([each.metrics.image.auroc for each in grid])
    assert {row[1].text: row[2].text for row in false_alarms.rows}["wood"] == "0.750†"


def test_a_model_stands_beside_the_set_it_was_asked_about_whatever_was_typed_for_the_run_on_that_set() -> None:
    grid = result(dataset="grid")
    wood = result(dataset="wood", overrides=["dataset.image.size=64"], dataset__image={"size": 64})
    plain = result(dataset="wood", preset="fast")
    for targets in ([wood], [wood, plain], [plain]):
        members = cells([grid, *targets], None)
        assert len({cell.method for cell in members}) == 1 + len(targets)
        (auroc, _) = transfer_tables(members, [record(grid, targets[-1], 0.25)])
        ((method, own, _, there),) = auroc.rows
        assert [each.text for each in (method, own, there)] == ["RADAR", "grid", "0.250"]


def test_what_was_asked_about_other_data_of_a_set_is_marked_and_stands_where_there_is_no_better() -> None:
    grid = [result(dataset="grid"), result(dataset="grid", preset="fast")]
    wood = [
        result(dataset="wood"),
        result(dataset="wood", seed=1),
        on_other_data(result(dataset="wood", preset="fast")),
    ]
    known = [record(grid[0], wood[2], 0.9), record(grid[1], wood[0], 0.25), record(grid[1], wood[2], 0.8)]
    (auroc, _) = transfer_tables(cells([*grid, *wood], None), known)
    shown = {row[0].text: row[3].text for row in auroc.rows if row[1].text == "grid"}
    assert shown == {"RADAR": f"0.900 {OTHER_DATA}", "radar, fast": "0.250"}


def test_without_records_there_is_no_table_and_no_figure() -> None:
    assert transfer_tables(cells(some(), None), []) == []
    assert "transfer" not in {name for name, _, _ in Report(some(), SETTINGS, []).figures()}


def test_the_matrix_prints_what_the_table_says() -> None:
    results = some()
    known = [record(results[0], results[2], 0.25)]
    (content, _) = transfer_tables(cells(results, None), known)
    figure = transfer_figure(content)
    assert ".25" in {text.get_text() for text in figure.axes[0].texts}
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["grid", "wood"]
    assert not figure.legends


def test_the_matrix_marks_development_sets_and_says_what_the_mark_means() -> None:
    results = some()
    report = Report(results, replace(SETTINGS, development=["wood"]), [record(results[0], results[2], 0.25)])
    (figure,) = (figure for name, _, figure in report.figures() if name == "transfer")
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["grid", "wood ◆"]
    assert ".25" in {text.get_text() for text in figure.axes[0].texts}
    assert figure.legends[0].get_texts()[0].get_text().startswith("◆ development set")


def test_records_are_read_once_from_the_folders_of_the_results(tmp_path: Path) -> None:
    results = some()
    write_transfers(tmp_path / RECORDS_NAME, [record(results[0], results[2], 0.25)])
    assert len(transfers_at([tmp_path, tmp_path, tmp_path / "nothing.json"])) == 1


def test_records_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    results = some()
    told = [record(results[0], results[2], auroc) for auroc in (0.25, 0.25, 0.75)]
    write_transfers(tmp_path / RECORDS_NAME, told[:2])
    assert len(transfers_at([tmp_path])) == 1
    write_transfers(tmp_path / RECORDS_NAME, told)
    with pytest.raises(RunError, match=r"two records of .* that differ"):
        transfers_at([tmp_path])
    write_transfers(tmp_path / RECORDS_NAME, [record(results[0], results[2], -0.25)])
    with pytest.raises(RunError, match="transfer/image/auroc: must be at most 1 and at least 0"):
        transfers_at([tmp_path])


def test_transfers_that_no_table_can_show_are_told() -> None:
    """As those between two sets of one name, of which one version alone is reported on."""
    grid, wood = result(dataset="grid"), result(dataset="wood")
    other = on_other_data(result(dataset="grid", seed=1))
    gone = replace(record(grid, wood, 0.1), source="gone")
    known = [
        record(grid, wood, 0.5),
        record(grid, other, 0.6),
        record(other, grid, 0.7),
        record(wood, other, 0.8),
        gone,
    ]
    results = [grid, wood, other]
    told = note_on_untold(results, cells(results, None), known)
    assert told.startswith("note: 3 of 4 transfers of these runs stand in no table: ") and "dataset.name=" in told
    assert note_on_untold([grid, wood], cells([grid, wood], None), known[:1]) == ""
    assert note_on_untold([wood], cells([wood], None), known) == "", "of runs that were not read nothing is missed"
