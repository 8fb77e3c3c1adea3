"""Kill a sweep again and again at random moments, resume it, and compare every cell with an undisturbed sweep.

    python -m scripts.kill_sweep --kills 20 --work outputs/kills -- --config-name sweep_paper_grid experiment=fast …

Everything after `--` is a sweep as `radar` takes it, without `output_root`. The seed of the moments is printed. Exit code 0 means that
every cell is there, with scores equal to the byte and equal metrics.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from radar.experiment.artefact_inventory import artefacts
from radar.experiment.run_directory import RunDirectory
from radar.experiment.session import CACHE_FOLDER
from radar.experiment.sweep import sweeps

_OF_THE_PROCESS = ("seconds", "cost", "memory", "network")


def start(root: Path, sweep: list[str]) -> subprocess.Popen[bytes]:
    """The sweep in a process of its own, with its output in a file below `root`."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "output.txt").open("ab") as output:
        command = [sys.executable, "-m", "radar", *sweep, f"output_root={root}"]
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


def undisturbed(root: Path, sweep: list[str]) -> tuple[float, float]:
    """Seconds until the first job starts, and until the sweep ends."""
    began, first = time.monotonic(), None
    process = start(root, sweep)
    while process.poll() is None:
        if first is None and "[1/" in (root / "output.txt").read_text():
            first = time.monotonic() - began
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(
            f"kill_sweep: the undisturbed sweep ended with {process.returncode}; see {root / 'output.txt'}"
        )
    seconds = time.monotonic() - began
    return first or seconds, seconds


def disturbed(root: Path, sweep: list[str], moments: list[float]) -> None:
    """Start the sweep once per moment and kill it that many seconds later; then let it end."""
    for number, moment in enumerate(moments, start=1):
        process = start(root, sweep)
        try:
            process.wait(moment)
            print(f"kill {number} of {len(moments)}: the sweep had ended before {moment:.1f} s", flush=True)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            print(f"kill {number} of {len(moments)}: after {moment:.1f} s, {counts(root)}", flush=True)
    code = start(root, sweep).wait()
    if code:
        raise SystemExit(f"kill_sweep: the last resume ended with {code}; see {root / 'output.txt'}")


def counts(root: Path) -> str:
    """How many jobs are in which state."""
    known = sweeps(root)
    states = Counter(state.state for state in known[0].states()) if known else Counter()
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "nothing written yet"


def cells(root: Path) -> dict[str, tuple[bytes, str]]:
    """Scores and metrics of every done job, less what tells how it went, by what tells the job from the others."""
    found = {}
    for state in sweeps(root)[0].states():
        if state.state == "done" and state.directory is not None:
            run = RunDirectory(state.directory)
            metrics = {
                name: value for name, value in run.read_metrics().to_dict().items() if name not in _OF_THE_PROCESS
            }
            found[state.name] = (run.scores.read_bytes(), json.dumps(metrics, sort_keys=True))
    return found


def made(root: Path) -> Counter[str]:
    """How many results of each stage lie below `root`."""
    return Counter(each.stage for each in artefacts(root / CACHE_FOLDER))


def main() -> int:
    """Run both sweeps and compare them; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="of the moments; none: a new one")
    parser.add_argument("--work", type=Path, required=True, help="folder for both sweeps; must not exist")
    parser.add_argument("sweep", nargs=argparse.REMAINDER)
    parsed = parser.parse_args()
    if parsed.work.exists():
        print(f"kill_sweep: {parsed.work}: is there already; name another folder", file=sys.stderr)
        return 2
    sweep = parsed.sweep[1:] if parsed.sweep[:1] == ["--"] else parsed.sweep
    seed = parsed.seed if parsed.seed is not None else random.SystemRandom().randrange(10**6)
    whole, killed = parsed.work / "whole", parsed.work / "killed"
    starting, seconds = undisturbed(whole, sweep)
    expected = cells(whole)
    print(
        f"undisturbed: {len(expected)} cells in {seconds:.0f} s, made {dict(made(whole))}; seed of the kills {seed}",
        flush=True,
    )
    moments = random.Random(seed)
    # a kill may fall before the first job starts, and late ones are hit as well: the jobs' time passes under fire once
    longest = starting + 2 * (seconds - starting) / max(1, parsed.kills)
    disturbed(killed, sweep, [moments.uniform(0.8 * starting, longest) for _ in range(parsed.kills)])
    found = cells(killed)
    differing = [name for name in expected if found.get(name) != expected[name]]
    print(
        f"after {parsed.kills} kills: {len(found)} of {len(expected)} cells, {len(differing)} differ, made {dict(made(killed))}"
    )
    return 1 if differing or found.keys() != expected.keys() else 0


if __name__ == "__main__":
    sys.exit(main())
