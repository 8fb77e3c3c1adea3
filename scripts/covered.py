"""How many branches of `radar/` the tests take, of what coverage.py counted, package by package.

    python -m scripts.covered outputs/coverage.json --to docs/results/branches.json

Run where `make coverage` was, which does so itself. Exit code 1 where fewer than nine in ten branches are taken; what runs in a
process of its own is not counted.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from radar.errors import RunError
from radar.files import read_json, write_json
from scripts.command_line import circumstances, guarded

_WANTED = 0.9
_TAKEN, _BRANCHES = "covered_branches", "num_branches"


def by_package(files: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Branches and how many of them are taken, of `radar` and of each package in it, by the paths of their files."""
    counts: dict[str, Counter[str]] = {}
    for path, counted in files.items():
        package = ".".join(PurePosixPath(path.replace("\\", "/")).parts[:2][: 1 + (path.count("/") > 1)])
        for key in (_TAKEN, _BRANCHES):
            counts.setdefault(package, Counter())[key] += int(counted["summary"][key])
    return {package: dict(counts[package]) for package in sorted(counts)}


def share(counts: Mapping[str, int]) -> float:
    """Of branches that are taken; 1 where there is none."""
    return counts[_TAKEN] / counts[_BRANCHES] if counts[_BRANCHES] else 1.0


def main() -> int:
    """Count, print and record; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, help="what coverage.py wrote as JSON")
    parser.add_argument("--to", type=Path, help="where to write what was found, as JSON")
    parsed = parser.parse_args()
    told = read_json(parsed.report, "run make coverage again")
    files = told.get("files")
    if not isinstance(files, dict) or not files:
        raise RunError(f"{parsed.report}: tells of no file; run make coverage again")
    packages = by_package(files)
    whole = {key: sum(each[key] for each in packages.values()) for key in (_TAKEN, _BRANCHES)}
    print(f"{whole[_TAKEN]} of {whole[_BRANCHES]} branches are taken, {share(whole):.1%}")
    if parsed.to is not None:
        write_json(parsed.to, {**circumstances("make coverage"), **whole, "packages": packages})
    return 0 if share(whole) >= _WANTED else 1


if __name__ == "__main__":
    sys.exit(guarded(main))
