"""How many normal images are called anomalous at each contamination: `python -m scripts.false_alarms outputs/RUN…`.

For runs whose training and held-out normals are all scored by what was fitted without them (`detector=cross_fitted`). Their
threshold at a contamination is taken again from the stored scores, which it does not change.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf
from scipy.stats import binomtest

from radar.errors import RadarError, RunError
from radar.experiment.run_directory import RunDirectory
from radar.report.tables import Entry, Table, markdown, untitled
from radar.scoring.forest import Floats
from radar.scoring.threshold import conformal_quantile

CONTAMINATIONS = (0.01, 0.05, 0.1)
FIELDS = ("dataset", "seed", "contamination", "of", "normals", "flagged")


@dataclass(frozen=True)
class Count:
    """`flagged` of `normals` images were called anomalous; `of` is left_out (cross-fitted normals) or test."""

    dataset: str
    seed: int
    contamination: float
    of: str
    normals: int
    flagged: int


def counts_of(dataset: str, seed: int, fitted: Floats, test: Floats) -> Iterator[Count]:
    """Counts of one run, from the scores of its fitted and its test normals.

    Each fitted normal is judged by the threshold of the others.
    """
    for contamination in CONTAMINATIONS:
        others = [np.delete(fitted, index) for index in range(len(fitted))]
        left_out = sum(
            score > conformal_quantile(rest, contamination) for score, rest in zip(fitted, others, strict=True)
        )
        yield Count(dataset, seed, contamination, "left_out", len(fitted), int(left_out))
        flagged = int((test > conformal_quantile(fitted, contamination)).sum())
        yield Count(dataset, seed, contamination, "test", len(test), flagged)


def read_run(path: Path) -> Iterator[Count]:
    """Counts of a run directory. Raises `RunError` where its normals are not cross-fitted."""
    run = RunDirectory(path)
    run.read_metrics()
    config = OmegaConf.load(run.config)
    if config.detector.threshold_on != "cross_fitted":
        raise RunError(f"{path}: its normals are not cross-fitted; give runs with detector=cross_fitted")
    with run.scores.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] == "0"]
    fitted, test = (
        np.array([float(row["score"]) for row in rows if (row["split"] == "test") is is_test])
        for is_test in (False, True)
    )
    yield from counts_of(config.dataset.name, config.seed, fitted, test)


def read_counts(path: Path) -> list[Count]:
    """What `--out` wrote."""
    with path.open(newline="") as file:
        return [
            Count(
                row["dataset"],
                int(row["seed"]),
                float(row["contamination"]),
                row["of"],
                int(row["normals"]),
                int(row["flagged"]),
            )
            for row in csv.DictReader(file)
        ]


def false_alarm_table(counts: list[Count]) -> Table:
    """Per set, of the lowest seed, with exact 95 % intervals; pooled over sets; and the mean over all seeds."""
    columns = [(of, value) for of in ("left_out", "test") for value in CONTAMINATIONS]
    first = min(count.seed for count in counts)
    rows: list[list[Entry | str]] = []
    for name in [*sorted({count.dataset for count in counts}), None]:
        row: list[Entry | str] = [name or "**all**"]
        for column in columns:
            some = [each for each in counts if (each.of, each.contamination) == column and name in (None, each.dataset)]
            row.append(_cell([count for count in some if count.seed == first], some))
        rows.append(row)
    return untitled(["set", *(f"{of}, {value:g}" for of, value in columns)], rows)


def _cell(first: list[Count], some: list[Count]) -> str:
    flagged, normals = sum(count.flagged for count in first), sum(count.normals for count in first)
    interval = binomtest(flagged, normals).proportion_ci(method="exact")
    mean = sum(count.flagged for count in some) / sum(count.normals for count in some)
    return f"{flagged} of {normals} ({interval.low:.3f}–{interval.high:.3f}); {mean:.3f}"


def main() -> int:
    """Print the table, and write the counts as CSV where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, help="CSV file that the counts are written to")
    arguments = parser.parse_args()
    try:
        counts = [count for run in arguments.runs for count in read_run(run)]
    except RadarError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.out is not None:
        with arguments.out.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(FIELDS)
            writer.writerows([getattr(count, field) for field in FIELDS] for count in counts)
    print(markdown(false_alarm_table(counts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
