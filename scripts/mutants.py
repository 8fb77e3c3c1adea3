"""What became of the mutants of `mutmut run`: how many a test kills, and which lines may change without a test that fails.

    python -m scripts.mutants --to docs/results/mutants.json

Run where `mutmut run` was, which `make mutation` does. Exit code 1 where less than four fifths of all mutants are killed; those that a
test takes for ever with are, those that no test reaches are not.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from radar.errors import RunError
from radar.files import write_json
from scripts.command_line import circumstances, guarded

KILLED = ("killed", "timeout")
_NAME = re.compile(r"(?P<module>[\w.]+)\.x(?:ǁ(?P<kind>\w+)ǁ|_)(?P<function>\w+?)__mutmut_\d+")
_WANTED = 0.8


def statuses(told: str) -> dict[str, str]:
    """Name to status, of what `mutmut results --all true` prints. Raises `RunError` for nothing."""
    found = dict(line.strip().split(": ", 1) for line in told.splitlines() if "__mutmut_" in line)
    if not found:
        raise RunError("mutmut: has no results here; make mutation makes some")
    return found


def changed(diff: str) -> tuple[str, str]:
    """The lines that a mutant loses and gains, of what `mutmut show` prints."""
    body = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before, after = (" ".join(line[1:].strip() for line in body if line.startswith(sign)) for sign in "-+")
    return before, after


def function_of(mutant: str) -> tuple[str, str]:
    """The module of a mutant, and its function, with the class that it is a method of."""
    named = _NAME.fullmatch(mutant)
    if named is None:
        raise RunError(f"{mutant}: is no name of a mutant that this version of mutmut gives")
    return named["module"], f"{named['kind']}.{named['function']}" if named["kind"] else named["function"]


def summary(found: Mapping[str, str], diffs: Mapping[str, str]) -> dict[str, object]:
    """Counts of each module, and those that live, with their `diffs` by name."""
    counts: dict[str, Counter[str]] = {}
    for name, status in found.items():
        counts.setdefault(function_of(name)[0], Counter())[status.replace(" ", "_")] += 1
    living = []
    for name, diff in diffs.items():
        (module, function), (before, after) = function_of(name), changed(diff)
        living.append({"module": module, "function": function, "status": found[name], "before": before, "after": after})
    return {"modules": {module: dict(each) for module, each in counts.items()}, "living": living}


def share_killed(found: Mapping[str, str]) -> float:
    """Of all mutants."""
    return sum(status in KILLED for status in found.values()) / len(found)


def _mutmut(*words: str) -> str:
    ended = subprocess.run(["mutmut", *words], check=False, capture_output=True, text=True)
    if ended.returncode:
        raise RunError(f"mutmut {words[0]}: ended with {ended.returncode}: {ended.stderr.strip()[-200:]}")
    return ended.stdout


def main() -> int:
    """Count, print and record; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, help="where to write what was found, as JSON")
    parsed = parser.parse_args()
    found = statuses(_mutmut("results", "--all", "true"))
    if waiting := sum(status == "not checked" for status in found.values()):
        raise RunError(f"mutmut: {waiting} of {len(found)} mutants are not checked; mutmut run goes on")
    diffs = {name: _mutmut("show", name) for name, status in found.items() if status not in KILLED}
    share = share_killed(found)
    print(f"{len(found)} mutants, {share:.1%} killed, {len(diffs)} live")
    if parsed.to is not None:
        write_json(parsed.to, {**circumstances("make mutation"), **summary(found, diffs)})
    return 0 if share >= _WANTED else 1


if __name__ == "__main__":
    sys.exit(guarded(main))
