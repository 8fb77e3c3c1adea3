"""Transfers: models trained on one data set, scored on another, beside the models of that set's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from radar.evaluation.metrics import value_at
from radar.experiment.transfer import RECORDS_NAME, Transfer, read_transfers
from radar.report.cells import FEWER, OTHER_DATA, Cell, by_dataset
from radar.report.result import Result
from radar.report.tables import Entry, Table, measured, of_dataset, over_seeds, table

Transfers = Sequence[Transfer]
_SHORT = {"auroc": "AUROC", "false_positive_rate": "false positive rate"}
_NOTE = "Columns are the sets that are scored; on the diagonal, models score the set they were trained on. Nothing is fitted anew."
_MEASURES = {
    "auroc": "image AUROC",
    "false_positive_rate": "false positive rate at the threshold that the run fitted",
}


def transfers_at(paths: Sequence[Path]) -> list[Transfer]:
    """All transfers that lie in folders of `paths`, or beside files of records, each once."""
    found = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        for name in (RECORDS_NAME, f"{RECORDS_NAME}.xz"):
            for record in read_transfers(folder / name):
                found[record.pair] = record
    return list(found.values())


def transfer_values(cell: Cell, target: Cell, transfers: Transfers, measure: str) -> tuple[list[float], list[str]]:
    """`measure` of the cell's models on the data that `target` was measured on, and the runs, for the seeds that have it."""
    names = {result.fingerprint: result.name for result in cell.results}
    found: dict[str, float] = {}
    for record in sorted(
        transfers, key=lambda each: (each.target_masks is not None, each.target_layout is not None)
    ):  # what tells its masks is the later word
        value = value_at(record, "image", measure)
        if record.source in names and _is_about(record, target) and value is not None:
            found[record.source] = value
    return list(found.values()), [names[source] for source in found]


def _is_about(record: Transfer, target: Cell) -> bool:
    """Whether the data that a model was asked about are those that `target` was measured on."""
    told = None not in (record.target_masks, target.one.masks_hash)
    same = record.target_data == target.one.data and not (told and record.target_masks != target.one.masks_hash)
    return same and record.target_layout in (None, target.one.config["dataset"].get("layout"))


def note_on_untold(results: Sequence[Result], cells: Sequence[Cell], transfers: Transfers) -> str:
    """In one line how many transfers between data of the runs `results` no table of `cells` can show; empty where there is none."""
    read, data = {result.fingerprint for result in results}, {result.data for result in results}
    asked = [record for record in transfers if record.source in read and record.target_data in data]
    shown = [
        record
        for record in asked
        if any(
            record.source in {result.fingerprint for result in cell.results}
            for cell in cells
            if any(target.dataset != cell.dataset and _is_about(record, target) for target in cells)
        )
    ]
    known = {(record.source, record.target_data) for record in shown}  # of other masks, say, too
    untold = [record for record in asked if (record.source, record.target_data) not in known]
    if not untold:
        return ""
    return (
        f"note: {len(untold)} of {len(asked)} transfers of these runs stand in no table: of data sets of one name one version is "
        "reported on, which dataset.name= tells apart, and of settings of one method one is compared"
    )


def transfer_tables(cells: Sequence[Cell], transfers: Transfers) -> list[Table]:
    """For each measure a row per method and training set, a column per set that is scored; none without transfers between `cells`."""
    datasets = sorted(by_dataset(cells))
    return [
        table(
            f"transfer_{measure}",
            f"Models on other data sets: {title}",
            ("method", "trained on", *datasets),
            rows,
            _NOTE,
            measured_on=(None, None, *datasets),
        )
        for measure, title in _MEASURES.items()
        if (rows := _rows(cells, datasets, transfers, [measure]))
    ]


def transfer_table(cells: Sequence[Cell], transfers: Transfers) -> Table:
    """All measures beside each other."""
    datasets = sorted(by_dataset(cells))
    columns = [f"{name}: {_SHORT[measure]}" for measure in _MEASURES for name in datasets]
    rows = _rows(cells, datasets, transfers, list(_MEASURES))
    return table(
        "sweep_transfer",
        "Models on other data sets",
        ("method", "trained on", *columns),
        rows,
        _NOTE,
        measured_on=(None, None, *datasets * len(_MEASURES)),
    )


def _rows(
    cells: Sequence[Cell], datasets: Sequence[str], transfers: Transfers, measures: Sequence[str]
) -> list[list[Entry | str]]:
    order = list(dict.fromkeys(cell.method for cell in cells))
    rows: list[list[Entry | str]] = []
    for cell in sorted(cells, key=lambda each: order.index(each.method)):
        asked = [(name, measure) for measure in measures for name in datasets]
        entries = [_entry(cell, name, cells, transfers, measure) for name, measure in asked]
        others = [each for each, (name, _) in zip(entries, asked, strict=True) if name != cell.dataset]
        if any(each.value is not None for each in others):
            most = max(len(each.runs) for each in entries)
            rows.append([cell.name, of_dataset(cell.dataset), *(_marked(each, most) for each in entries)])
    return rows


def _marked(entry: Entry, most: int) -> Entry:
    """With the mark of fewer seeds than another entry of its row has."""
    fewer = 0 < len(entry.runs) < most and FEWER not in entry.text
    return replace(entry, text=entry.text + FEWER) if fewer else entry


def _entry(cell: Cell, dataset: str, cells: Sequence[Cell], transfers: Transfers, measure: str) -> Entry:
    """What the cell's models are worth on a data set: on the version of it that most runs read, or else marked; on that which its own
    method read there, or else another one."""
    if dataset == cell.dataset:
        return measured(cell, "image", measure)
    there = sorted(
        (each for each in cells if each.dataset == dataset),
        key=lambda each: (OTHER_DATA in each.marks, each.method != cell.method),
    )
    for target in there:
        values, runs = transfer_values(cell, target, transfers, measure)
        if values:
            found = over_seeds(values, runs=runs)
            return replace(found, text=f"{found.text} {OTHER_DATA}") if OTHER_DATA in target.marks else found
    return over_seeds([])
