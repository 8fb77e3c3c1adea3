"""Watch a folder of drawn photos under kill -9 again and again, and check that each photo has one line and that memory is flat.

    python -m scripts.kill_watch --photos 10000 --exported-photos 2000 --to docs/results/kill_watch.json

A small network learns from drawn photos of 64 to 100 px. `radar predict --watch` then looks at a folder while photos come; it is
killed at random moments, from before its first line on, and started again. A hundredth of the photos gets another content when all
have a line, which makes them new ones. `--exported-photos` does the same with the exported model and its runtime. Exit code 0 means
that every photo, a path and a content, has exactly one line; the seed of photos and moments is printed.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import numpy as np
from PIL import Image

from radar.errors import RunError
from radar.files import write_json
from radar.runtime.crops import content_hash
from radar.runtime.log import CSV, JSON_LINES
from scripts.command_line import circumstances, guarded, positive

_LEARNT = 24  # drawn photos
_TRAIN = (
    "experiment=fast", "dataset=folder", "dataset.folder.anomalous=null", "dataset.split=random", "dataset.image.size=64",
    "training.max_steps=20", "training.warmup_steps=10", "trainer.threads=1", "logger=csv", "evaluation.figures=false",
)  # fmt: skip
_REPLACED = 100  # one of so many photos gets another content
_LIVES = (0.5, 3.0)  # how long one lasts, from and to, in times of an undisturbed start until its first line


@dataclass(frozen=True)
class Life:
    """One start of the watcher, until it was killed or ended."""

    seconds: float
    before: int  # lines in the log when it began
    lines: int  # that it added
    peak: float  # MiB of resident memory, at most


def draw(path: Path, stream: np.random.Generator) -> None:
    """A grey photo of noise, one in twenty with a spot; renamed into its place, as a camera's software does."""
    height, width = stream.integers(64, 101, 2)
    values = stream.normal(110, 6, (height, width))
    if stream.random() < 0.05:
        values[20:32, 20:32] += 90
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(part, "PNG")
    part.rename(path)


def _draw_all(paths: Sequence[Path], stream: np.random.Generator) -> None:
    for path in paths:
        draw(path, stream)


def fitted(work: Path, stream: np.random.Generator) -> Path:
    """The run of a model that learnt from drawn photos. Raises `RunError`."""
    for number in range(_LEARNT):
        draw(work / "parts" / "good" / f"{number}.png", stream)
    root = work / "outputs"
    _called("radar", *_TRAIN, "dataset.folder.normal=good", f"dataset.root={work / 'parts'}", f"output_root={root}")
    (model,) = root.glob("*/model/model.json")
    return model.parent.parent


def exported(run: Path, folder: Path) -> Path:
    """The run's model, exported. Raises `RunError`."""
    _called("radar", "export", str(run), "--to", "onnx", "--out", str(folder))
    return folder


def watched(command: Sequence[str], work: Path, photos: int, seed: int) -> dict[str, object]:
    """Watch `photos` photos under fire; the record. Raises `RunError` where a photo has no line or two, or the watcher fails."""
    folder, out = work / "in", work / "out"
    folder.mkdir(parents=True)
    moments, stream, began = random.Random(seed), np.random.default_rng(seed), time.monotonic()
    paths = [folder / f"{number % 10}" / f"{number:06}.png" for number in range(photos)]
    coming = Thread(target=_draw_all, args=[paths, stream])
    coming.start()
    lives = list(_lives(command, folder, out, photos, moments))
    coming.join()
    contents = _contents(paths)
    _draw_all(paths[::_REPLACED], stream)
    contents |= _contents(paths)
    lives += _lives(command, folder, out, len(contents), moments)
    lives.append(_ended(command, folder, out))
    lines = check(out, contents)
    return {**_summary(lives, len(contents)), "lines": lines, "seconds": round(time.monotonic() - began), **_lines(out)}


def _contents(paths: Sequence[Path]) -> set[tuple[str, str]]:
    return {(str(path.resolve()), content_hash(path.read_bytes())) for path in paths}


def check(out: Path, contents: set[tuple[str, str]]) -> int:
    """How many lines the log has. Raises `RunError` where a photo, a path and a content, has none or two, or its CSV differs."""
    found = Counter((line["path"], line["content_hash"]) for line in _log(out))
    twice, missing, more = [each for each in found if found[each] > 1], contents - found.keys(), found.keys() - contents
    if twice or missing or more:
        raise RunError(
            f"{out}: {len(twice)} photos have two lines, {len(missing)} none, {len(more)} lines are of no photo"
        )
    records = (out / CSV).read_text().count("\n") - 1
    if records != len(contents):
        raise RunError(f"{out / CSV}: {records} records for {len(contents)} photos")
    return found.total()


def _lives(command: Sequence[str], folder: Path, out: Path, photos: int, moments: random.Random) -> Iterator[Life]:
    """Start and kill the watcher until the log has so many lines."""
    start = None  # seconds until a first line, when nothing disturbs it
    while (before := _count(out)) < photos:
        process, peak, began = _started(command, folder, out), 0.0, time.monotonic()
        end = None if start is None else began + start * moments.uniform(*_LIVES)
        while (end is None or time.monotonic() < end) and _count(out) < photos:
            if process.poll() is not None:
                raise RunError(f"{' '.join(command)}: ended with {process.returncode}; see {out.with_suffix('.txt')}")
            peak = max(peak, _peak(process))
            if start is None and _count(out) > before:
                start = time.monotonic() - began
                end = began + _LIVES[1] * start
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        yield Life(time.monotonic() - began, before, _count(out) - before, peak)


def _ended(command: Sequence[str], folder: Path, out: Path) -> Life:
    """A last life, in which nothing is new, ended as a service is. Raises `RunError` where it does not end so."""
    process, before, began = _started(command, folder, out), _count(out), time.monotonic()
    size, table = (out / JSON_LINES).stat().st_size, out / CSV
    written = table.stat().st_mtime_ns
    while process.poll() is None and table.stat().st_mtime_ns == written:  # until it has read the log
        time.sleep(0.05)
    time.sleep(3)  # some looks
    peak = _peak(process)
    process.send_signal(signal.SIGTERM)
    if process.wait(60) not in (0, 1) or (out / JSON_LINES).stat().st_size != size:
        raise RunError(f"{' '.join(command)}: ended with {process.returncode}, or wrote lines of photos that had one")
    return Life(time.monotonic() - began, before, 0, peak)


def _started(command: Sequence[str], folder: Path, out: Path) -> subprocess.Popen[bytes]:
    with out.with_suffix(".txt").open("ab") as told:  # a pipe that nobody reads fills up, and the watcher waits
        arguments = [sys.executable, "-m", *command, "--watch", str(folder), "--out", str(out)]
        return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=told)


def _called(*arguments: str) -> None:
    ended = subprocess.run([sys.executable, "-m", *arguments], text=True, capture_output=True, check=False)
    if ended.returncode:
        raise RunError(f"{' '.join(arguments)}: exit code {ended.returncode}: {ended.stderr.strip()[-300:]}")


def _log(out: Path) -> Iterator[dict[str, str]]:
    with (out / JSON_LINES).open("rb") as lines:
        yield from map(json.loads, lines)


def _count(out: Path) -> int:
    """Whole lines of the log."""
    path = out / JSON_LINES
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _peak(process: subprocess.Popen[bytes]) -> float:
    """MiB of resident memory that the process had at most; 0 where it is gone."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def _summary(lives: Sequence[Life], photos: int) -> dict[str, object]:
    """What a page quotes; memory is the median peak of lives that decided something, while a quarter was done or left at most."""
    deciding = [life for life in lives if life.lines]
    first = [life.peak for life in deciding if life.before < photos / 4]
    last = [life.peak for life in deciding if life.before >= 3 * photos / 4]
    return {
        "photos": photos,
        "kills": len(lives) - 1,
        "median_seconds_of_a_start": round(statistics.median(life.seconds for life in lives), 1),
        "kills_before_a_line": sum(not life.lines for life in lives[:-1]),
        "mib_first_quarter": round(statistics.median(first or [0.0]), 1),
        "mib_last_quarter": round(statistics.median(last or [0.0]), 1),
        "mib_most": round(max(life.peak for life in lives), 1),
    }


def _lines(out: Path) -> dict[str, object]:
    spent = [float(line["milliseconds"]) for line in _log(out)]
    return {"milliseconds_per_photo": round(statistics.median(spent), 1)}


def main() -> int:
    """Watch under fire; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=positive, default=10_000)
    parser.add_argument("--exported-photos", type=positive, default=2_000, help="for the exported model's runtime")
    parser.add_argument("--seed", type=int, default=None, help="of photos and moments; none: a new one")
    parser.add_argument("--to", type=Path, help="JSON file for the record")
    parsed = parser.parse_args()
    seed = parsed.seed if parsed.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    with TemporaryDirectory() as folder:
        work = Path(folder)
        run = fitted(work, np.random.default_rng(seed))
        asked = {
            "radar predict": ("radar", "predict", str(run)),
            "radar-runtime": ("radar.runtime", str(exported(run, work / "export"))),
        }
        records: dict[str, object] = {}
        for (name, command), photos in zip(asked.items(), (parsed.photos, parsed.exported_photos), strict=True):
            records[name] = record = watched(command, work / name.replace(" ", "_"), photos, seed)
            print(f"{name}: {', '.join(f'{key} {value}' for key, value in record.items())}", flush=True)
    if parsed.to:
        asked_for = f"--photos {parsed.photos} --exported-photos {parsed.exported_photos}"
        command_line = f"python -m scripts.kill_watch {asked_for} --seed {seed}"
        write_json(parsed.to, {**circumstances(command_line), "watches": records})
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
