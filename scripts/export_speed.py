"""Milliseconds per image of a model in torch, ONNX Runtime and OpenVINO, side by side, into docs/results/export_speed.json.

    python -m scripts.export_speed RUN --exports FOLDER [--threads 2] [--since CHECKOUT RUN_OF_IT]

RUN is a run of `experiment=recommended`. Calls of the three take turns, so that what else the machine does falls on all alike; of
each the median counts. With `--since`, a run that an older revision made takes its turns too, in torch, in a process that has that
revision's code. Start to first decision is the whole command, from the shell's call to its end, on one photo.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from radar.compose.settings import verb_settings
from radar.config.verbs import PredictConfig
from radar.deploy.export import export
from radar.deploy.scorer import ModelScorer
from radar.errors import RunError
from radar.experiment.environment import environment
from radar.files import write_json
from radar.model_folder import load
from radar.runtime.decoding import Pixels
from radar.runtime.exported import load as load_exported
from radar.runtime.graph import imported
from radar.runtime.manifest import TARGETS
from radar.runtime.picture import Picture, Scorer
from radar.runtime.preprocessing import Frame
from scripts.command_line import guarded, positive
from scripts.measuring import summary
from scripts.pages.committed import RESULTS

_BATCH = 16
# px per side, images of a call, rounds; a batch of large ones takes more memory than a small computer has
_CALLS = ((100, 1, 25), (100, _BATCH, 7), (256, 1, 15), (256, _BATCH, 5), (1000, 1, 5))
_STARTS = 5
_IN_THE_CHECKOUT = """
import sys, time, torch
from pathlib import Path
from radar.deploy.scorer import ModelScorer
from radar.model_folder import load
from scripts.export_speed import _picture

torch.set_num_threads(int(sys.argv[2]))
scorer = ModelScorer(load(Path(sys.argv[1])))
for line in sys.stdin:
    side, count = map(int, line.split())
    pictures = [_picture(side, seed) for seed in range(count)]
    began = time.perf_counter()
    scorer.answers(pictures)
    print(1000 * (time.perf_counter() - began) / count, flush=True)
"""


def main() -> int:
    """Write the file; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--exports", type=Path, required=True, help="where to export to")
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument(
        "--since", nargs=2, type=Path, metavar=("CHECKOUT", "RUN"), help="an older revision, and its run"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "export_speed.json")
    parsed = parser.parse_args()
    torch.set_num_threads(parsed.threads)
    model, settings, before = load(parsed.run), verb_settings(PredictConfig, "predict", []), os.getloadavg()
    scorers: dict[str, Scorer] = {"torch": ModelScorer(model)}
    for target in TARGETS:
        folder = parsed.exports / target
        if not folder.exists():
            export(model, folder, target, settings)
        scorers[target] = load_exported(folder, parsed.threads)
    with _older(parsed.since, parsed.threads) as older:
        rows = [_row(scorers, older, *call) for call in _CALLS]
    starts = _starts(parsed.run, parsed.exports)
    content = {
        "command": f"python -m scripts.export_speed RUN --exports FOLDER{' --since CHECKOUT RUN' if parsed.since else ''}",
        "since": None if parsed.since is None else _revision(parsed.since[0]),
        "threads": parsed.threads, "processor": _processor(),
        "load_average": {"before": before[0], "after": os.getloadavg()[0]}, "rows": rows, "start_to_first_decision_seconds": starts,
        "openvino_precisions": _precisions(), "environment": environment(torch.device("cpu"), "none", None),
    }  # fmt: skip
    write_json(parsed.out, content)
    return 0


Older = Callable[[int, int], float]
"""Milliseconds per image of a call, of a side in px and a number of images."""


@contextmanager
def _older(since: Sequence[Path] | None, threads: int) -> Iterator[Older | None]:
    """A process of the other revision, which answers until this is left."""
    if since is None:
        yield None
        return
    checkout, run = (path.resolve() for path in since)
    words = [sys.executable, "-c", _IN_THE_CHECKOUT, str(run), str(threads)]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    with subprocess.Popen(
        words, cwd=checkout, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        asked, answers = process.stdin, process.stdout
        if asked is None or answers is None:
            raise RuntimeError("no pipes")

        def called(side: int, count: int) -> float:
            print(side, count, file=asked, flush=True)
            line = answers.readline()
            if not line:
                raise RunError(f"{checkout}: ended with {process.wait()}; is {run} a run of its own?")
            return float(line)

        yield called
        asked.close()


def _revision(checkout: Path) -> str:
    told = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return told.stdout.strip()


def _row(scorers: Mapping[str, Scorer], older: Older | None, side: int, count: int, rounds: int) -> dict[str, Any]:
    """Milliseconds per image of each, and whether all decide alike."""
    pictures = [_picture(side, seed) for seed in range(count)]
    spent: dict[str, list[float]] = defaultdict(list)
    decisions: dict[str, list[bool]] = {}
    for turn in range(rounds + 1):
        for name, scorer in scorers.items():
            began = time.perf_counter()
            said = scorer.answers(pictures)
            spent[name].append(1000 * (time.perf_counter() - began) / count)
            decisions[name] = said.decisions.tolist()
        if older is not None:
            spent["since"].append(older(side, count))
        print(side, count, {name: round(values[-1], 1) for name, values in spent.items()}, flush=True)
        if not turn:  # the first call of a size builds kernels
            spent.clear()
    return {
        "side": side, "images": count, "repeats": rounds,
        "milliseconds_per_image": {name: summary(values) for name, values in spent.items()},
        "equal_decisions": len({tuple(each) for each in decisions.values()}) == 1,
    }  # fmt: skip


def _picture(side: int, seed: int) -> Picture:
    """Noise in three planes."""
    planes = np.random.default_rng(seed).uniform(-1, 1, (3, side, side)).astype(np.float32)
    nothing = Pixels(np.zeros((side, side), dtype=np.uint8), 255)
    return Picture(Path(f"{seed}.png"), nothing, str(seed), planes, Frame(side, side, 0, 0, side, side), 0.5, 0.0)


def _starts(run: Path, exports: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Seconds by the clock and of CPU of the whole command, each program in turn."""
    photo = exports / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)).save(photo)
    commands = {"torch": ["radar", "predict", str(run)]} | {
        target: ["radar.runtime", str(exports / target)] for target in TARGETS
    }
    clock: dict[str, list[float]] = {name: [] for name in commands}
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(_STARTS):
        for name, (module, *words) in commands.items():
            before, began = os.times(), time.perf_counter()
            ended = subprocess.run([sys.executable, "-m", module, *words, str(photo)], capture_output=True, check=False)
            if ended.returncode not in (0, 1):
                raise RuntimeError(ended.stderr.decode())
            clock[name].append(time.perf_counter() - began)
            after = os.times()
            cpu[name].append(
                after.children_user + after.children_system - before.children_user - before.children_system
            )
    return {name: {"clock": summary(clock[name]), "cpu": summary(cpu[name])} for name in commands}


def _processor() -> str:
    """Its name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _precisions() -> Sequence[str]:
    """In what OpenVINO can compute on this processor."""
    openvino = imported("openvino")

    return [str(each) for each in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")]


if __name__ == "__main__":
    sys.exit(guarded(main))
