"""The blocks of docs/quality.md: the recommended recipe on every set, its false alarms, and what its parts are worth."""

from __future__ import annotations

import shlex
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from radar.evaluation.metrics import best_control
from radar.report.result import Result
from radar.report.tables import NOTHING, Entry, Table, count, number, untitled
from scripts.false_alarms import false_alarm_table, read_counts
from scripts.pages.committed import RESULTS, STUDY, SWEEPS, recorded, rows_of
from scripts.pages.sections import Sections

COUNTS = RESULTS / "false_alarms.csv"
METHOD = "fused_densities"
SHORT = {"grid": "grid", "wood_quads": "wood", "piped_PA_BRG03_TL": "BRG03", "magnetic_tile": "magnetic tile"}
MEASURES = (
    ("image", "auroc"),
    ("image", "f1"),
    ("image", "false_positive_rate"),
    ("pixel", "auroc"),
    ("pixel", "aupro"),
)
WHOLE = "(the recipe)"


def results_table(results: Iterable[Result]) -> Table:
    """A row per set: mean and range over the seeds, the best control and the cost beside them."""
    by_set: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.config["method"]["name"] == METHOD:
            by_set[result.dataset].append(result)
    rows: list[list[Entry | str]] = []
    for name, runs in sorted(by_set.items()):
        best = best_control([run.metrics for run in runs])
        milliseconds = statistics.fmean(_values(runs, "cost", "milliseconds_per_image"))
        rows.append(
            [
                name,
                count(len(runs)),
                *(spread(_values(runs, *path)) for path in MEASURES),
                NOTHING if best is None else Entry(f"{best.auroc:.3f} `{best.name}`", best.auroc),
                number(runs[0].metrics.image.f1_all_anomalous),
                number(milliseconds, 0),
            ]
        )
    headings = ("set", "seeds", "image AUROC", "F1", "false positive rate", "pixel AUROC", "AUPRO", "best control, AUROC",
                "all anomalous, F1", "ms per image")  # fmt: skip
    return untitled(headings, rows)


def missed_table(results: Iterable[Result]) -> Table:
    """A row per defect class of which an image was called normal: means over the seeds, medians over the class's images."""
    by_class: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        for defect in result.metrics.defects if result.config["method"]["name"] == METHOD else ():
            by_class[result.dataset, defect].append(result)
    rows: list[list[Entry | str]] = []
    for (name, defect), runs in sorted(by_class.items()):
        recall, auroc = (statistics.fmean(_values(runs, "defects", defect, key)) for key in ("recall", "auroc"))
        if recall < 1:
            images = [image for image in runs[0].images if image.defect == defect]
            area = _median(image.defect_area for image in images)
            contrast = _median(image.defect_contrast for image in images)
            shown = [number(auroc), number(recall), number(area and 100 * area, 2), number(contrast, 2)]
            rows.append([name, defect, count(len(images)), *shown])
    headings = ("set", "defect", "images", "image AUROC", "recall", "area, % of the image", "contrast")
    return untitled(headings, rows)


def _values(runs: Iterable[Result], *path: str) -> list[float]:
    """The metric in each run that has it."""
    return [value for run in runs if (value := run.metrics.value(*path)) is not None]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def spread(values: Sequence[float]) -> Entry:
    """Mean, and the range where it is seen in three digits."""
    mean, low, high = statistics.fmean(values), f"{min(values):.3f}", f"{max(values):.3f}"
    return Entry(f"{mean:.3f}" if low == high else f"{mean:.3f} ({low}–{high})", mean)


def ablation_table(records: Iterable[Mapping[str, Any]]) -> Table:
    """A row per variant, two columns per development set: image AUROC and F1, pixel AUROC and AUPRO; means over the seeds."""
    cells: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if "experiment=recommended" in record["command"] and "method.controls=[]" in record["command"]:
            cells[variant(record)][record["run"].rpartition("-")[0]].append(record)
    rows: list[list[Entry | str]] = [
        [name, *(pair(by_set[each], keys) for each in SHORT for keys in (("auroc", "f1"), ("pixel_auroc", "aupro")))]
        for name, by_set in sorted(cells.items(), key=lambda item: (item[0] != WHOLE, item[0]))
    ]
    headings = [text for name in SHORT.values() for text in (f"{name}: AUROC / F1", "pixel / AUPRO")]
    return untitled(["changed", *headings], rows)


def pair(records: Sequence[Mapping[str, Any]], keys: tuple[str, str]) -> str:
    """Two means, or a dash where nothing ran."""
    return " / ".join(f"{statistics.fmean(each[key] for each in records):.3f}" for key in keys) if records else "–"


def variant(record: Mapping[str, Any]) -> str:
    """What a job of an ablation changes in the recipe: its command's keys of the method and its axes, less set and seed."""
    common = ("experiment=", "tags=", "logger=", "evaluation.", "method.controls=", "dataset=", "seed=", "data_root=")
    settings = [
        *(item for item in shlex.split(record["command"])[1:] if "," not in item),
        *record["job"].split(),
    ]
    changed = sorted({item for item in settings if "=" in item and not item.startswith(common)})
    left_out = [item.removesuffix("=null").rpartition(".")[2] for item in changed if item.endswith("=null")]
    others = [f"`{item.removeprefix('method.')}`" for item in changed if not item.endswith("=null")]
    parts = ("energy", "detail", "context", "appearance", "colour")
    kept = [part for part in parts if part not in left_out]
    if len(left_out) == 1:
        others.insert(0, f"without {left_out[0]}")
    elif left_out:
        others.insert(0, f"{' and '.join(kept)} alone")
    return ", ".join(others) or WHOLE


def sections() -> Sections:
    """By their names."""
    return {
        "results": results_table(recorded(STUDY)),
        "missed": missed_table(recorded(STUDY)),
        "false alarms": false_alarm_table(read_counts(COUNTS)),
        "ablation": ablation_table(rows_of(SWEEPS.name)),
    }
