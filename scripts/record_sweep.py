"""Add the runs of a sweep, one line each, to docs/results/sweeps.jsonl.xz, and print them as a table.

    python -m scripts.record_sweep outputs/sweeps/SWEEP …

A line holds the job's name, the command, the main figures and the run's fingerprint; a run that is there already is left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from radar.experiment.run_directory import RunDirectory
from radar.experiment.sweep import Sweep
from radar.files import read_lines, write_lines
from radar.report.tables import Entry, Table, markdown, number, untitled
from scripts.command_line import guarded
from scripts.pages.committed import SWEEPS

_FIGURES = ("auroc", "f1", "precision", "recall", "false_positive_rate")


def lines(sweep: Sweep) -> list[dict[str, Any]]:
    """One record per done job of a sweep."""
    found = []
    command = " ".join(item for item in sweep.content()["command"] if "=/" not in item)  # without where things lie
    for state in sweep.states():
        if state.state != "done" or state.directory is None:
            continue
        run = RunDirectory(state.directory)
        metrics, environment = run.read_metrics(), json.loads(run.environment.read_text())
        found.append(
            {
                "command": f"radar {command}",
                "job": state.name,
                "run": state.directory.name,
                **{name: metrics.value("image", name) for name in _FIGURES},
                "pixel_auroc": metrics.value("pixel", "auroc"),
                "aupro": metrics.value("pixel", "aupro"),
                "training_seconds": metrics.value("seconds", "training"),
                "device": environment["device"],
                "git_revision": environment["git_revision"],
            }
        )
    return found


def sweep_table(records: list[dict[str, Any]]) -> Table:
    """A row per job."""
    rows: list[list[Entry | str]] = []
    for record in records:
        values = [number(record[name]) for name in ("auroc", "f1", "pixel_auroc", "aupro")]
        rows.append([record["job"], *values, number(record["training_seconds"], 0)])
    return untitled(("job", "AUROC", "F1", "pixel AUROC", "AUPRO", "training, s"), rows)


def main() -> int:
    """Record the sweeps of the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweeps", nargs="+", type=Path)
    stored = [json.loads(line) for line in read_lines(SWEEPS)] if SWEEPS.exists() else []
    known = {(record["run"], record["job"]) for record in stored}
    for path in parser.parse_args().sweeps:
        records = lines(Sweep.named(path.parent.parent, path.name))
        print(markdown(sweep_table(records)))
        stored += [record for record in records if (record["run"], record["job"]) not in known]
    write_lines(SWEEPS, [json.dumps(record) for record in stored])
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
