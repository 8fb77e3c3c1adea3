"""Many jobs in one process, and many images: is memory bounded?

    python -m scripts.long_work jobs --jobs 500 --to docs/results/long_jobs.json
    python -m scripts.long_work images --images 20000 --to docs/results/long_images.json

`jobs` sweeps over seeds in one process, each job a training, a scoring and its figures, and compares the memory of the process in the
second tenth of its jobs (the first loads what is used) with that in the last: exit code 1 where it differs by more than 10 %. `images`
draws 100 px photos and gives them to `radar data check`, a training with the recommended experiment, and `radar predict`; exit code 1
where one of them takes more than 4 GiB.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from radar.errors import RunError
from radar.files import write_json
from scripts.command_line import circumstances, guarded, positive

_JOB = (
    "experiment=debug", "training.max_steps=4", "training.warmup_steps=2", "trainer.threads=1", "logger=csv",
    "trainer.progress=false", "method.controls=[]", "evaluation.noise.permutations=19",
)  # fmt: skip
_TRAINING = (
    "experiment=recommended", "dataset=folder", "dataset.split=random", "trainer.threads=1", "logger=csv",
    "trainer.progress=false", "evaluation.figures=false",
)  # fmt: skip
_BETWEEN = 0.02  # seconds between two looks at the memory of a process
_TOLERANCE = 1.1
LIMIT = 4096  # MiB
_DEFECTIVE = 20  # one of so many photos has a spot


def jobs(work: Path, count: int) -> dict[str, object]:
    """Sweep `count` jobs in one process; memory after each, as MiB."""
    command = [sys.executable, "-m", "radar", "-m", *_JOB, f"seed=range({count})", f"output_root={work / 'out'}"]
    began, memory = time.monotonic(), dict[int, float]()
    with (work / "output.txt").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        while process.poll() is None:
            memory[sum(1 for _ in (work / "out").glob("*/scores.csv"))] = _memory(process.pid)
            time.sleep(0.2)
    done = sum(1 for _ in (work / "out").glob("*/scores.csv"))
    if process.returncode or done != count:
        raise RunError(f"{done} of {count} jobs ended, with {process.returncode}: {_end(work / 'output.txt')}")
    tenth = count // 10
    early = statistics.median(memory[job] for job in memory if tenth <= job < 2 * tenth)
    late = statistics.median(memory[job] for job in memory if count - tenth <= job < count)
    return {
        "jobs": count,
        "seconds": round(time.monotonic() - began),
        "memory_early_mib": round(early),
        "memory_late_mib": round(late),
        "ratio": round(late / early, 3),
    }


def images(work: Path, count: int) -> dict[str, object]:
    """Look at, learn from and score `count` drawn photos; seconds and peak memory of each command."""
    draw(work / "photos", count, np.random.default_rng(0))
    root = f"dataset.root={work / 'photos'}"
    found: dict[str, object] = {"images": count}
    found["data_check"] = called(work, "data", "check", "dataset=folder", root)
    found["training"] = called(work, *_TRAINING, root, f"output_root={work / 'out'}")
    (run,) = {path.parent.parent for path in (work / "out").glob("*/model/model.json")}
    found["predict"] = called(work, "predict", str(run), str(work / "photos"), "--out", str(work / "predicted"))
    return found


def draw(folder: Path, count: int, stream: np.random.Generator) -> None:
    """Grey photos of 100 px of smooth noise, no two alike, in `normal` and `anomalous`: every twentieth has a spot."""
    for name in ("normal", "anomalous"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        values = np.kron(stream.normal(0, 12, (50, 50)), np.ones((2, 2))) + stream.normal(110, 8, (100, 100))
        defective = number % _DEFECTIVE == 0
        if defective:
            top, left = stream.integers(10, 70, 2)
            values[top : top + 16, left : left + 16] += 60
        path = folder / ("anomalous" if defective else "normal") / f"{number:06}.png"
        Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(path)


def called(work: Path, *words: str) -> dict[str, float]:
    """Run `radar` in a process of its own: seconds and its peak memory, MiB. Raises `RunError` where it fails."""
    began, output = time.monotonic(), work / "output.txt"
    with output.open("wb") as said:
        process = subprocess.Popen([sys.executable, "-m", "radar", *words], stdout=said, stderr=subprocess.STDOUT)
        peak = 0.0
        while (code := process.poll()) is None:
            peak = max(peak, _peak_memory(process.pid))
            time.sleep(_BETWEEN)
    if code not in (0, 1):  # 1: of predict, some are defective
        raise RunError(f"radar {words[0]}: ended with {code}: {_end(output)}")
    return {"seconds": round(time.monotonic() - began, 1), "peak_memory_mib": round(peak)}


def _peak_memory(process: int) -> float:
    """The most resident memory that a process has had since it started its program, MiB; 0 once it has ended.

    Not what `wait4` tells, which is no less than what the process that started it held.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def _memory(process: int) -> float:
    """Resident memory of a process, MiB; 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def _end(output: Path) -> str:
    """The last line of what a command said."""
    return (output.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]


def main() -> int:
    """Measure, print and record; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=("jobs", "images"))
    parser.add_argument("--jobs", type=positive, default=500)
    parser.add_argument("--images", type=positive, default=20_000)
    parser.add_argument("--to", type=Path, help="where to write what was found, as JSON")
    parsed = parser.parse_args()
    with TemporaryDirectory(prefix="radar-long-work-") as folder:
        found = jobs(Path(folder), parsed.jobs) if parsed.work == "jobs" else images(Path(folder), parsed.images)
    print(found)
    if parsed.to is not None:
        many = f"--jobs {parsed.jobs}" if parsed.work == "jobs" else f"--images {parsed.images}"
        write_json(parsed.to, {**circumstances(f"python -m scripts.long_work {parsed.work} {many}"), **found})
    return 0 if bounded(found) else 1


def bounded(found: dict[str, object]) -> bool:
    """Whether memory stayed within what this promises."""
    ratio = found.get("ratio", 1.0)
    peaks = [each["peak_memory_mib"] for each in found.values() if isinstance(each, dict)]
    return isinstance(ratio, float) and 1 / _TOLERANCE <= ratio <= _TOLERANCE and max(peaks, default=0) <= LIMIT


if __name__ == "__main__":
    sys.exit(guarded(main))
