"""Tables of what was measured: methods on data sets beside the paper's figures, classes of defects, cost, provenance."""

from __future__ import annotations

from collections.abc import Sequence

from radar.report.cells import FEWER, Cell, by_dataset, differing_settings, on_common_data
from radar.report.cited import Published, cited, published
from radar.report.recipes import told_by
from radar.report.result import Result
from radar.report.settings import OF_RECIPE, PUBLISHED_NAME, departures, family, key_of
from radar.report.tables import (
    NOTHING,
    Entry,
    Table,
    count,
    measured,
    memory_columns,
    memory_notes,
    number,
    of_dataset,
    over_seeds,
    seeds_of,
    table,
)

DECISION_MEASURES = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1"}
OTHER_MEASURES = {"auroc": "AUROC", "average_precision": "AP", "false_positive_rate": "false positive rate"}
PIXEL_MEASURES = {"auroc": "pixel AUROC", "aupro": "AUPRO"}
PAPER_DISAGREES = (
    f"The paper's margins over the next best method are quoted as +{cited('margin_small').value:g} and "
    f"+{cited('margin_large').value:g} points of F1; its abstract and its summary disagree on which of them belongs to 3D Prints and "
    "which to MVTec AD tile."
)
_DEVICES_NOTE = (
    "Where several devices are named, times and memory are means over runs on different ones; the table of provenance tells "
    "what each run had."
)
_NO_NETWORK_NOTE = (
    "A dash for the runs that trained: the method uses no shared network. Its records do not tell whether a run fitted it or took the "
    "fit from the store, so the times of metrics, validation and controls are of all its runs."
)


def main_table(cells: Sequence[Cell]) -> Table:
    """Every method on every data set, the controls and the trivial decision below it, the paper's figures beside it."""
    rows: list[Sequence[Entry | str]] = []
    quoted = published()
    for dataset, members in by_dataset(cells).items():
        rows += [_method_row(cell, _own_f1(cell, quoted)) for cell in members]
        rows += [_published_row(each) for each in quoted if any(each.is_of(cell.one) for cell in members)]
        rows += _control_rows(members)
        rows.append(_trivial_row(dataset, on_common_data(members)[0]))
    headings = ("data set", "method", "seeds", *DECISION_MEASURES.values(), "F1 in the paper", *OTHER_MEASURES.values(),
                *PIXEL_MEASURES.values())  # fmt: skip
    notes = [
        "Mean ± standard deviation (n − 1) over seeds, at each method's own threshold. Controls (·) share features, "
        "detector and metrics. Not ranked: the method saw other pixels or colours than most methods of the data set.",
        "The paper's figures: arXiv 2508.04818. " + PAPER_DISAGREES,
        *(
            f"{method}: settings differ between data sets: {', '.join(keys)}"
            for method, keys in differing_settings(cells).items()
        ),
    ]
    return table("results", "Methods on data sets, test images", headings, rows, *notes)


def _own_f1(cell: Cell, quoted: Sequence[Published]) -> float | None:
    """What the paper reports of the very method and data set of a cell."""
    paper = (each for each in quoted if each.method.startswith("RADAR") and each.is_of(cell.one))
    return next((each.values["f1"] for each in paper if _is_recipe_of(each, cell)), None)


def _is_recipe_of(published_row: Published, cell: Cell) -> bool:
    """Whether the cell is of the paper's method with the paper's recipe, its data split as that data set's own preset does. The word
    `paper` in a command is not enough: a primary config or a trainer changes what it stands for."""
    recipe = told_by("experiment=paper", f"dataset={published_row.dataset}")
    return family(cell.one) == PUBLISHED_NAME and not any(
        _has_own_manifest(result) or departures(result, recipe, (*OF_RECIPE, "dataset")) for result in cell.results
    )


def _has_own_manifest(result: Result) -> bool:
    """Whether a command split the data by a file of its own. That is a place, which a result's config does not keep."""
    return any(key_of(text) == "dataset.manifest" for text in result.command.overrides)


def _method_row(cell: Cell, paper: float | None) -> list[Entry | str]:
    def entries(level: str, names: Sequence[str]) -> list[Entry]:
        return [measured(cell, level, name) for name in names]

    decisions, others = entries("image", list(DECISION_MEASURES)), entries("image", list(OTHER_MEASURES))
    return [
        of_dataset(cell.dataset),
        cell.label,
        seeds_of(cell),
        *decisions,
        number(paper, 2),
        *others,
        *entries("pixel", list(PIXEL_MEASURES)),
    ]


def _published_row(each: Published) -> list[Entry | str]:
    rest = [Entry(NOTHING)] * (len(OTHER_MEASURES) + len(PIXEL_MEASURES))
    values = [number(each.values[key], 2) for key in DECISION_MEASURES]
    return [of_dataset(each.dataset), each.method, NOTHING, *values, number(each.values["f1"], 2), *rest]


def _control_rows(members: Sequence[Cell]) -> list[list[Entry | str]]:
    """Controls depend on scoring and detector, so each method has its own; identical ones are shown once.

    One has the name of its method where there are others, or where the method saw what most methods did not.
    """
    distinct: dict[str, dict[tuple[str, ...], tuple[Cell, list[Entry | str]]]] = {}
    for cell in sorted(members, key=lambda cell: cell.name != cell.method):
        for control in _controls(cell):
            row = _control_row(cell, control)
            shown = tuple(entry if isinstance(entry, str) else entry.text for entry in row)
            distinct.setdefault(control, {}).setdefault(shown, (cell, row))
    rows: list[list[Entry | str]] = []
    for control, found in distinct.items():
        for cell, row in found.values():
            method = f" ({cell.name})" if len(found) > 1 or cell.name != cell.method else ""
            rows.append([of_dataset(cell.dataset), f"·\u00a0{control}{method}", *row])
    return rows


def _controls(cell: Cell) -> list[str]:
    """The controls that any run of the cell has."""
    return list(dict.fromkeys(name for result in cell.results for name in result.metrics.controls))


def _control_row(cell: Cell, control: str) -> list[Entry | str]:
    entries = [
        [measured(cell, "controls", control, level, key) for key in keys]
        for level, keys in (("image", DECISION_MEASURES), ("image", OTHER_MEASURES), ("pixel", PIXEL_MEASURES))
    ]
    having = sum(control in result.metrics.controls for result in cell.results)
    seeds = Entry(f"{having}{FEWER if having < len(cell.results) else ''}", having)
    return [seeds, *entries[0], NOTHING, *entries[1], *entries[2]]


def _trivial_row(dataset: str, cell: Cell) -> list[Entry | str]:
    image = cell.one.metrics.image
    share, f1 = image.anomalous / (image.anomalous + image.normal), image.f1_all_anomalous
    rest = [Entry(NOTHING)] * len(PIXEL_MEASURES)
    called = [number(share), number(share), number(1.0), number(f1)] if f1 is not None else [Entry(NOTHING)] * 4
    alarms = number(1.0 if image.normal else None)
    return [
        of_dataset(dataset),
        "·\u00a0all called anomalous",
        NOTHING,
        *called,
        NOTHING,
        NOTHING,
        NOTHING,
        alarms,
        *rest,
    ]


def published_table() -> Table:
    """The paper's figures as quoted."""
    rows: list[Sequence[Entry | str]] = [
        [
            of_dataset(each.dataset),
            each.method,
            *(number(each.values[key], 2) for key in DECISION_MEASURES),
            each.source,
        ]
        for each in published()
    ]
    sets = (
        "`tile` is that of MVTec AD (`dataset=tile`), `prints` the authors' 3D Prints (`dataset=prints`); of a folder of one's own "
        "that is called so they say nothing."
    )
    margin = "Mean ± standard deviation over runs in the paper, without a significance test."
    headings = ("data set", "method", *DECISION_MEASURES.values(), "source")
    return table("published", "What the paper reports", headings, rows, sets, margin, PAPER_DISAGREES)


def defect_table(cells: Sequence[Cell]) -> Table:
    """Each class of defect against all normal test images."""
    rows: list[Sequence[Entry | str]] = []
    for cell in cells:
        for defect, first in cell.one.metrics.defects.items():
            values = [measured(cell, "defects", defect, measure) for measure in ("recall", "auroc")]
            rows.append([of_dataset(cell.dataset), cell.label, defect, count(first.count), seeds_of(cell), *values])
    headings = ("data set", "method", "defect", "images", "seeds", "recall", "AUROC")
    return table("defects", "Classes of defects", headings, rows)


def cost_table(cells: Sequence[Cell]) -> Table:
    """Parameters, times and memory; the map's cost is that of the moment when it was made, whichever run reads it."""
    rows: list[Sequence[Entry | str]] = []
    memory = memory_columns(cells, "training", "fitting", "scoring")
    for cell in cells:
        timed = cell.timed
        runs = [result.name for result in timed]
        passes = cell.one.metrics.cost.network_passes_per_image
        rows.append(
            [
                of_dataset(cell.dataset),
                cell.name,
                _trained(cell),
                count(cell.one.metrics.parameters),
                measured(cell, "seconds", "training", digits=1),
                measured(cell, "cost", "fit_seconds", digits=1),
                Entry("–" if passes is None else str(passes), passes),
                measured(cell, "cost", "milliseconds_per_image", digits=1),
                *(measured(cell, *path, digits=0) for path in memory.values()),
                *(
                    over_seeds([result.metrics.seconds.get(stage, 0.0) for result in timed], 2, runs)
                    for stage in ("metrics", "validation", "controls")
                ),
                "; ".join(_devices(cell)),
            ]
        )
    headings = ("data set", "method", "runs that trained", "parameters", "training, s", "own fitting, s", "passes per image",
                "map, ms per image",
                *memory, "metrics, s", "validation, s", "controls, s", "device")  # fmt: skip
    notes = (
        "Training is that of the shared diffusion network; own fitting is what a method learns beside it.",
        "Where fewer runs trained than there are, the others took the network from the store: the times of metrics, validation "
        "and controls are of those that did.",
        *([_NO_NETWORK_NOTE] if any(_has_no_network(cell) for cell in cells) else []),
        *([_DEVICES_NOTE] if any(len(_devices(cell)) > 1 for cell in cells) else []),
        *memory_notes(memory),
    )
    return table("cost", "Cost", headings, rows, *notes)


def _trained(cell: Cell) -> Entry:
    """How many of the runs trained the shared network; nothing of a method without it."""
    number_trained = len(cell.trained)
    return (
        Entry(NOTHING) if _has_no_network(cell) else Entry(f"{number_trained} of {len(cell.results)}", number_trained)
    )


def _has_no_network(cell: Cell) -> bool:
    return all(result.metrics.network is None for result in cell.results)


def _devices(cell: Cell) -> list[str]:
    """Of all runs whose times are averaged, each once, in the order of the seeds."""
    return list(dict.fromkeys(result.environment["device"] for result in cell.results))


def provenance_table(cells: Sequence[Cell]) -> Table:
    """Where each cell comes from, one line per run."""
    rows: list[Sequence[Entry | str]] = [
        [
            of_dataset(cell.dataset),
            cell.method,
            Entry(str(result.seed), result.seed),
            result.name,
            result.fingerprint[:12],
            (result.environment["git_revision"] or "installed")[:10]
            + ("+changes" if result.environment["git_modified"] else ""),
            result.data[:12],
            result.test_data[:12],
            "–" if result.masks_hash is None else result.masks_hash[:12],
            " ".join(f"{name} {result.environment['packages'][name]}" for name in ("torch", "scikit-learn", "numpy")),
            result.environment["device"],
            result.ended,
        ]
        for cell in cells
        for result in cell.results
    ]
    headings = ("data set", "method", "seed", "run", "config and data", "git revision", "data manifest", "test images", "masks",
                "versions", "device", "ended")  # fmt: skip
    return table("provenance", "Where every cell comes from", headings, rows)
