"""Kill commands at random moments, run them again, and compare what is there with what an undisturbed one left.

    python -m scripts.kills --kills 200 --work outputs/kills --record docs/results/kills.json

A command runs in a child of this process, which has imported everything already, and is killed (SIGKILL) within the time that it takes
undisturbed. Then whatever says that it is whole must be whole, and the same command must end at the same bytes. Exit code 0 where that
holds for every kill; the seed of the moments is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from PIL import Image

import radar
from radar.cli.main import main as radar_command
from radar.errors import RunError
from radar.experiment.artefact_inventory import artefacts, damaged
from radar.experiment.run_directory import RunDirectory
from radar.experiment.session import CACHE_FOLDER
from radar.files import sha256, write_json
from radar.runtime.exported import load as load_exported
from radar.runtime.log import JSON_LINES
from radar.runtime.prediction import from_json
from scripts.command_line import circumstances, guarded, positive

DRAWN = (
    "dataset.synthetic.side=48", "dataset.synthetic.train=12", "dataset.synthetic.test_normal=4",
    "dataset.synthetic.test_defective=4", "dataset.image.size=48", "trainer=cpu", "trainer.threads=1", "trainer.progress=false",
    "evaluation.noise.permutations=19", "name=r", "logger=csv", "method.controls=[]", "scoring.stride=7",
)  # fmt: skip
TRAINED = (
    *DRAWN, "method=radar", "patch=14x14", "unet=small", "training.max_steps=12", "training.epoch_steps=3",
    "training.batch_size=8", "training.warmup_steps=1", "training.validation_patches=8", "evaluation.figures=true",
)  # fmt: skip
PHOTOS = 8
WATCHED = "watch"  # a command that ends when it is told to


@dataclass(frozen=True)
class Command:
    """Words to run below a folder ROOT that begins as a copy of what `needs` names below the folder of what is READY."""

    words: tuple[str, ...]
    left: tuple[str, ...]  # patterns below ROOT of what must be equal in the end
    needs: tuple[str, ...] = ()


COMMANDS = {
    "run": Command((*TRAINED, "output_root=ROOT/out"), ("out/r-*/scores.csv", "out/r-*/model/model.safetensors")),
    "sweep": Command((*TRAINED, "-m", "contamination=c05,c10", "output_root=ROOT/out"), ("out/r-*/scores.csv",)),
    "predict": Command(
        ("predict", "READY/run", "READY/photos", "--out", "ROOT/out", "--overlays", "--masks", "--force"),
        ("out/overlays/*/*.png", "out/masks/*.png"),
    ),
    WATCHED: Command(("predict", "READY/run", "--watch", "READY/photos", "--out", "ROOT/out", "interval=0.05"), ()),
    "calibrate": Command(("calibrate", "ROOT/run", "--normals", "READY/photos", "--false-alarms", "0.2"), (), ("run",)),
    "export": Command(("export", "READY/run", "--to", "onnx", "--out", "ROOT/out"), ("out/model.onnx",)),
    "report": Command(
        ("report", "READY/runs", "--out", "ROOT/out", "resamples=10", "permutations=19"),
        ("out/tables/*.csv", "out/figures/*.png", "out/report.html"),
    ),
    "prune": Command(("cache", "prune", "--days", "0", "output_root=ROOT/runs"), ("runs/cache/*/*/*",), ("runs",)),
}


def prepare(ready: Path) -> None:
    """What commands start from: a done run, and photos."""
    code = child(("radar", *TRAINED, f"output_root={ready / 'runs'}"), ready / "output.txt")
    code.join()
    (run,) = (path.parent for path in (ready / "runs").glob("r-*/status.json"))
    shutil.copytree(run, ready / "run")
    (ready / "photos").mkdir()
    random_numbers = np.random.default_rng(0)
    for number in range(PHOTOS):
        values = random_numbers.integers(90, 160, (48, 48), dtype=np.uint8)
        Image.fromarray(values).save(ready / "photos" / f"{number}.png")


def child(words: Sequence[str], output: Path) -> BaseProcess:
    """A process that runs `radar` with `words`, less the first, and adds what it says to `output`."""

    def run() -> None:
        with output.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.exit(radar_command(list(words[1:])))

    process = get_context("fork").Process(target=run)
    process.start()
    return process


def words_of(name: str, root: Path, ready: Path) -> list[str]:
    """What to type below `root`."""
    return ["radar", *(word.replace("ROOT", str(root)).replace("READY", str(ready)) for word in COMMANDS[name].words)]


def begun(name: str, root: Path, ready: Path) -> Path:
    """A folder as the command finds it."""
    root.mkdir(parents=True)
    for each in COMMANDS[name].needs:
        shutil.copytree(ready / each, root / each)
    return root


def undisturbed(name: str, root: Path, ready: Path) -> float:
    """Run a command to its end; returns the seconds that it took. Raises `RunError` where it fails."""
    process, start = child(words_of(name, root, ready), root / "output.txt"), time.monotonic()
    if name == WATCHED:
        while len(logged(root)) < PHOTOS and process.is_alive():
            time.sleep(0.02)
        process.terminate()
    process.join()
    # 1: of predict, some are defective; a watch that finds all done may be told to end before it listens
    sound = (0, 1, -signal.SIGTERM) if name == WATCHED else (0, 1)
    if process.exitcode not in sound:
        raise RunError(f"{root}: {name} ended with {process.exitcode}; see output.txt there")
    return time.monotonic() - start


def logged(root: Path) -> list[tuple[str, float | None]]:
    """Photos and scores in the log below `root`, whole lines alone, sorted."""
    path = root / "out" / JSON_LINES
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    said = [from_json(line) for line in lines if line.endswith(b"\n")]
    return sorted((each.path, each.score) for each in said)


def left(name: str, root: Path) -> str:
    """One hash of what must be equal."""
    files = sorted(path for pattern in COMMANDS[name].left for path in root.glob(pattern) if path.is_file())
    told = [(str(path.relative_to(root)), sha256(path)) for path in files]
    if name == "calibrate":
        told.append(("threshold", repr(radar.load(root / "run").threshold)))
    return hashlib.sha256(repr((told, logged(root))).encode()).hexdigest()


def half_written(root: Path) -> Iterator[str]:
    """What says that it is whole, and is not."""
    for status in root.glob("*/r-*/status.json"):
        run = RunDirectory(status.parent)
        if run.read_status().state == "done":
            yield from complaints(run.read_metrics)
            yield from complaints(lambda run=run: radar.load(run.path))  # type: ignore[misc]
    for folder in (root / "out", root / "runs"):
        yield from damaged(folder / CACHE_FOLDER)
        for made in artefacts(folder / CACHE_FOLDER):
            files = store_files(made.path)
            yield from (
                f"{made.path / name}: differs" for name, stated in files.items() if sha256(made.path / name) != stated
            )
    if (root / "run").exists():
        yield from complaints(lambda: radar.load(root / "run"))
    if (root / "out" / "manifest.json.sha256").exists():
        yield from complaints(lambda: load_exported(root / "out"))
    if (page := root / "out" / "report.html").exists() and "</html>" not in page.read_text():
        yield f"{page}: is cut"
    for picture in root.rglob("*.png"):
        yield from complaints(lambda picture=picture: Image.open(picture).load())  # type: ignore[misc]


def store_files(folder: Path) -> dict[str, str]:
    """Checksums that a result states."""
    return dict(json.loads((folder / "made.json").read_text())["files"])


def complaints(ask: Callable[[], object]) -> Iterator[str]:
    """What goes wrong when something is asked for that is there."""
    try:
        ask()
    except Exception as error:
        yield f"{type(error).__name__}: {error}"


def killed(name: str, root: Path, ready: Path, moment: float) -> bool:
    """Run a command and kill it that many seconds later; whether it was still running."""
    process = child(words_of(name, root, ready), root / "output.txt")
    process.join(moment)
    running = process.is_alive()
    process.kill()
    process.join()
    return running


Found = dict[str, dict[str, float]]


def run_kills(work: Path, count: int, seed: int, publish: Callable[[Found], object]) -> Found:
    """Kill `count` commands in turn; for each name how often, how many hit a running process, and what went wrong.

    `publish` is told after each of them.
    """
    prepare(ready := begun("run", work / "ready", work))
    seconds, expected, moments, names = {}, {}, random.Random(seed), tuple(COMMANDS)
    for name in names:
        seconds[name] = undisturbed(name, begun(name, work / "whole" / name, ready), ready)
        expected[name] = left(name, work / "whole" / name)
    found = {name: Counter(kills=0, hit=0, half_written=0, lost_or_other=0) for name in names}
    for number in range(count):
        name = names[number % len(names)]
        root = begun(name, work / f"{number:04}", ready)
        hit = killed(name, root, ready, moments.uniform(0, seconds[name]))
        wrong = list(half_written(root))
        try:
            undisturbed(name, root, ready)
            other = left(name, root) != expected[name]
        except RunError as error:
            other = True
            print(f"kills: {error}", file=sys.stderr)
        found[name].update(kills=1, hit=hit, half_written=bool(wrong), lost_or_other=other)
        if wrong or other:
            print(f"kills: {root}: {name}: {'; '.join(wrong) or 'ended at something else'}", file=sys.stderr)
        else:
            shutil.rmtree(root)
        publish(told := {each: {**found[each], "seconds": round(seconds[each], 1)} for each in names})
    return told


def main() -> int:
    """Kill, print and record; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=positive, default=200)
    parser.add_argument("--seed", type=int, default=None, help="of the moments; none: a new one")
    parser.add_argument("--work", type=Path, required=True, help="folder for everything; must not exist")
    parser.add_argument("--record", type=Path, help="where to write what was found, as JSON")
    parsed = parser.parse_args()
    if parsed.work.exists():
        raise RunError(f"{parsed.work}: is there already; name another folder with --work")
    seed = parsed.seed if parsed.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed of the kills {seed}", flush=True)
    command_line = f"python -m scripts.kills --kills {parsed.kills} --seed {seed} --work FOLDER"

    def record(found: Found) -> None:
        if parsed.record is not None:
            write_json(parsed.record, {**circumstances(command_line), "commands": found})

    found = run_kills(parsed.work.resolve(), parsed.kills, seed, record)
    for name, counts in found.items():
        print(f"{name}: {counts}")
    with contextlib.suppress(OSError):
        parsed.work.rmdir()
    return 1 if any(counts["half_written"] or counts["lost_or_other"] for counts in found.values()) else 0


if __name__ == "__main__":
    sys.exit(guarded(main))
