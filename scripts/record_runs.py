"""Add finished runs to a file of records, with the score of every test image: what `radar report` and `make tables` read.

    python -m scripts.record_runs --to study.runs.jsonl outputs                          while a study proceeds: a line per run
    python -m scripts.record_runs --to docs/results/study.runs.jsonl.xz study.runs.jsonl    compressed, for the repository
    python -m scripts.record_runs --metrics-only --to docs/results/parts_changed.runs.jsonl.xz outputs    a ninth of the size

Sources are run directories, folders of them and other files of records. A run with the fingerprint of a recorded one takes its place.
Records of metrics only hold no image, no score and no normal: for tables of metrics of many runs, and for nothing else.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from radar.errors import RunError
from radar.report.records import add_records, is_records, read_records
from radar.report.result import Result
from radar.report.stored import read_results
from scripts.command_line import guarded


def _results(source: Path) -> list[Result]:
    """Those of a source; of a file of records, those of metrics only, too. Raises `RunError`."""
    if not is_records(source):
        return read_results([source])
    results, errors = read_records(source)
    if errors or not results:
        raise RunError(errors[0] if errors else f"{source}: holds no record")
    return results


def metrics_only(result: Result) -> Result:
    """What the run was and what it measured, without what it said of any image."""
    none = slice(0, 0)
    return replace(
        result,
        images=(),
        normals=(),
        features=result.features[none],
        scores=result.scores[none],
        decisions=result.decisions[none],
    )


def main() -> int:
    """Record the runs named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="NAME.runs.jsonl or NAME.runs.jsonl.xz")
    parser.add_argument("--metrics-only", action="store_true", help="leave out images, features, scores and normals")
    parsed = parser.parse_args()
    results: dict[tuple[str, str], Result] = {}
    for each in (each for source in parsed.sources for each in _results(source)):
        known = results.get(each.identity)  # of equal runs a whole record counts, and the latest
        if known is None or (bool(known.images), known.ended) < (bool(each.images), each.ended):
            results[each.identity] = each
    kept = map(metrics_only, results.values()) if parsed.metrics_only else results.values()
    held = add_records(parsed.to, kept)
    print(f"{held} runs in {parsed.to}: {parsed.to.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
