"""Append the runs of a sweep, one line each, to docs/results/sweeps.jsonl, and print them as a table.

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
from scripts.command_line import guarded

RECORD = Path(__file__).parents[1] / "docs" / "results" / "sweeps.jsonl"
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


def table(records: list[dict[str, Any]]) -> str:
    """Markdown: a row per job."""
    rows = ["| job | AUROC | F1 | pixel AUROC | AUPRO | training, s |", "|---|---|---|---|---|---|"]
    for record in records:
        values = [record[name] for name in ("auroc", "f1", "pixel_auroc", "aupro")]
        cells = ["–" if value is None else f"{value:.3f}" for value in values]
        seconds = record["training_seconds"]  # none where there is no diffusion network
        rows.append(f"| {record['job']} | {' | '.join(cells)} | {'–' if seconds is None else f'{seconds:.0f}'} |")
    return "\n".join(rows)


def main() -> int:
    """Record the sweeps of the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweeps", nargs="+", type=Path)
    stored = [json.loads(line) for line in RECORD.read_text().splitlines()] if RECORD.exists() else []
    known = {(record["run"], record["job"]) for record in stored}
    for path in parser.parse_args().sweeps:
        records = lines(Sweep.named(path.parent.parent, path.name))
        print(table(records))
        new = [record for record in records if (record["run"], record["job"]) not in known]
        with RECORD.open("a") as file:
            file.writelines(json.dumps(record) + "\n" for record in new)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
