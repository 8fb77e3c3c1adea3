"""Write the tables of docs/quality.md anew from docs/results.

    python -m scripts.quality_page

Reads the records below study/ (three seeds of the recommended recipe on every set), the counts that `scripts.false_alarms` left
and, from sweeps.jsonl, the sweeps whose command is tagged `ablation`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from radar.files import write_text
from radar.report.stored import Result, read_results
from scripts.command_line import guarded
from scripts.false_alarms import read_counts, table
from scripts.page_sections import page_with
from scripts.record_runs import DOCS
from scripts.record_sweep import RECORD

PAGE = DOCS / "quality.md"
WRITER = "scripts/quality_page.py"
COUNTS = DOCS / "results" / "false_alarms.csv"
METHOD = "fused_densities"
SHORT = {"grid": "grid", "wood_quads": "wood", "piped_PA_BRG03_TL": "BRG03", "magnetic_tile": "magnetic tile"}
FIGURES = ("auroc", "f1", "false_positive_rate")
PIXELS = ("auroc", "aupro")
WHOLE = "(the recipe)"


def results_table(results: Iterable[Result]) -> str:
    """A row per set: mean and range over the seeds, the best control and the cost beside them."""
    by_set: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.config["method"]["name"] == METHOD:
            by_set[result.dataset].append(result)
    lines = [
        "| set | seeds | image AUROC | F1 | false positive rate | pixel AUROC | AUPRO | best control, AUROC | "
        "all anomalous, F1 | ms per image |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in sorted(by_set.items()):
        metrics = [run.metrics for run in runs]
        milliseconds = statistics.fmean(each["cost"]["milliseconds_per_image"] for each in metrics)
        cells = [spread([each["image"][figure] for each in metrics]) for figure in FIGURES]
        cells += [spread([each["pixel"][figure] for each in metrics]) for figure in PIXELS]
        control, auroc = best_control(metrics)
        trivial = metrics[0]["image"]["f1_all_anomalous"]
        row = [name, str(len(runs)), *cells, f"{auroc:.3f} `{control}`", f"{trivial:.3f}", f"{milliseconds:.0f}"]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def missed_table(results: Iterable[Result]) -> str:
    """A row per defect class of which an image was called normal: means over the seeds, medians over the class's images."""
    by_class: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        for defect in result.metrics["defects"] if result.config["method"]["name"] == METHOD else ():
            by_class[result.dataset, defect].append(result)
    lines = [
        "| set | defect | images | image AUROC | recall | area, % of the image | contrast |",
        "|---|---|---|---|---|---|---|",
    ]
    for (name, defect), runs in sorted(by_class.items()):
        figures = [run.metrics["defects"][defect] for run in runs]
        recall = statistics.fmean(each["recall"] for each in figures)
        if recall < 1:
            images = [image for image in runs[0].images if image.defect == defect]
            measures = [_median([image.defect_area for image in images], 100)]
            measures.append(_median([image.defect_contrast for image in images], 1))
            auroc = statistics.fmean(each["auroc"] for each in figures)
            lines.append(f"| {name} | {defect} | {len(images)} | {auroc:.3f} | {recall:.3f} | {' | '.join(measures)} |")
    return "\n".join(lines)


def _median(values: Iterable[float | None], unit: float) -> str:
    known = [value for value in values if value is not None]
    return f"{unit * statistics.median(known):.2f}" if known else "–"


def best_control(metrics: Sequence[Mapping[str, Any]]) -> tuple[str, float]:
    """The control with the highest mean image AUROC over the runs."""
    means = {
        name: statistics.fmean(each["controls"][name]["image"]["auroc"] for each in metrics)
        for name in metrics[0]["controls"]
    }
    best = max(means, key=lambda name: means[name])
    return best, means[best]


def spread(values: Sequence[float]) -> str:
    """Mean, and the range where it is seen in three digits."""
    mean, low, high = statistics.fmean(values), f"{min(values):.3f}", f"{max(values):.3f}"
    return f"{mean:.3f}" if low == high else f"{mean:.3f} ({low}–{high})"


def ablation_table(records: Iterable[Mapping[str, Any]]) -> str:
    """A row per variant, two columns per development set: image AUROC and F1, pixel AUROC and AUPRO; means over the seeds."""
    cells: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if "tags=[ablation]" in record["command"]:
            cells[variant(record)][record["run"].rpartition("-")[0]].append(record)
    head = " | ".join(f"{name}: AUROC / F1 | pixel / AUPRO" for name in SHORT.values())
    lines = [f"| changed | {head} |", "|---|" + "---|" * 2 * len(SHORT)]
    for name, by_set in sorted(cells.items(), key=lambda item: (item[0] != WHOLE, item[0])):
        row = [pair(by_set[each], keys) for each in SHORT for keys in (("auroc", "f1"), ("pixel_auroc", "aupro"))]
        lines.append(f"| {name} | {' | '.join(row)} |")
    return "\n".join(lines)


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


def sections() -> dict[str, str]:
    """The tables from what is stored, by the name of their place in the page."""
    results = read_results([DOCS / "results" / "study"])
    return {
        "results": results_table(results),
        "missed": missed_table(results),
        "false alarms": table(read_counts(COUNTS)).strip(),
        "ablation": ablation_table(json.loads(line) for line in RECORD.read_text().splitlines()),
    }


def main() -> int:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    write_text(PAGE, page_with(PAGE.read_text(), WRITER, sections()))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
