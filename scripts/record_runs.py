"""Add finished runs to a file of records, with the score of every test image: what `radar report` and `make tables` read.

    python -m scripts.record_runs --to study.runs.jsonl outputs                          while a study proceeds: a line per run
    python -m scripts.record_runs --to docs/results/study.runs.jsonl.xz study.runs.jsonl    compressed, for the repository

Sources are run directories, folders of them and other files of records. A run with the fingerprint of a recorded one takes its place.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from radar.report.records import add_records
from radar.report.stored import read_results
from scripts.command_line import guarded


def main() -> int:
    """Record the runs named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="NAME.runs.jsonl or NAME.runs.jsonl.xz")
    parsed = parser.parse_args()
    held = add_records(parsed.to, read_results(parsed.sources))
    print(f"{held} runs in {parsed.to}: {parsed.to.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
