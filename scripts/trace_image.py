"""Count the entries into files of `radar/` that one image makes on its way from its path on disk to its line in `scores.csv`.

    python -m scripts.trace_image experiment=recommended    any keys of an experiment; short trainings unless they say otherwise

A small textured set is drawn into a temporary folder and run once, so that the network, the fit and the scores of the normals are
stored. Then a test image is added and the same command runs again, traced: what is computed is that image's way. The second walk is
that of a file that a loaded model is asked about: `radar.load(run).score([path])`, from its path to its score.

An entry is a call from one file of `radar/` into another, libraries between the two left out, that takes the image and gives it on:
what it is handed and what it returns have the image in them, as its path or as values that depend on its pixels. So that this is
known and not guessed, the image is drawn twice with other pixels, and the two walks are compared: arrays that differ are the
image's. The call that writes the line gives nothing back and counts. Counted are the distinct entries, from a file into a file;
loops count once. What only looks on counts nothing: reports, progress, `radar/files.py`, and calls that hand arrays to
`radar/evaluation`, with all below them.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from radar.errors import RunError
from scripts.command_line import guarded

SHORT = (
    "logger=csv", "evaluation.figures=false", "evaluation.pixel=false", "evaluation.panels=0",
    "evaluation.noise.permutations=19", "method.controls=[]", "dataset.image.size=48", "dataset.near_duplicates=ignore",
    "trainer.progress=false", "trainer.threads=1", "training.validation_patches=8", "training.batch_size=4",
    "training.max_steps=4", "training.epoch_steps=2", "training.warmup_steps=1",
)  # fmt: skip
METRICS = "evaluation/"
ONLOOKERS = (METRICS, "report/", "progress.py", "files.py")
TRACED, WRITTEN = "traced.png", "scores.csv"
_DEPTH = 3  # steps into lists, mappings and dataclasses


@dataclass(eq=False)
class _Call:
    caller: str
    into: str
    function: str
    above: _Call | None  # None also at the start of a thread
    taken: set[str]
    given: set[str] = field(default_factory=set)
    looks_on: bool = False

    def on_the_way(self) -> bool:
        call: _Call | None = self
        while call is not None and not call.looks_on:
            call = call.above
        return call is None


class Walk:
    """The calls between files below `package`, each with what it was handed and what it returned."""

    def __init__(self, package: Path, image: str = TRACED, written: str = WRITTEN) -> None:
        self.package, self.image, self.written = f"{package.resolve()}/", image, written
        self._open: dict[FrameType, _Call] = {}
        self._calls: list[_Call] = []
        self._files: dict[CodeType, str | None] = {}

    @contextlib.contextmanager
    def traced(self) -> Iterator[None]:
        """Look at every call of this thread and of those that start meanwhile."""
        threading.setprofile(self._look)
        sys.setprofile(self._look)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def entries(self, again: Walk) -> dict[tuple[str, str], str]:
        """(from, into) and the function first entered, by comparison with the walk of other pixels; no `from` starts a thread."""
        mine, others = self._handed(), again._handed()
        found: dict[tuple[str, str], str] = {}
        for key, (taken, given) in mine.items():
            taken_again, given_again = others.get(key, (Counter[str](), Counter[str]()))
            gives = self.image in given or given != given_again or self.written in taken
            if gives and (self.image in taken or taken != taken_again):
                found.setdefault(key[:2], key[2])
        return found

    def _handed(self) -> dict[tuple[str, str, str], tuple[Counter[str], Counter[str]]]:
        """What all calls of a function from another file were handed, and what they returned."""
        handed: dict[tuple[str, str, str], tuple[Counter[str], Counter[str]]] = {}
        for call in self._calls:
            if call.caller != call.into and call.on_the_way():
                taken, given = handed.setdefault((call.caller, call.into, call.function), (Counter(), Counter()))
                taken.update(call.taken)
                given.update(call.given)
        return handed

    def _look(self, frame: FrameType, event: str, returned: object) -> None:
        into = self._file(frame)
        if into is None:
            return
        if event == "call" and frame not in self._open:  # else a generator goes on
            self._enter(frame, into)
        elif event == "return" and frame in self._open:
            call = (
                self._open[frame] if frame.f_code.co_flags & 0x20 else self._open.pop(frame)
            )  # a generator returns often
            call.given |= self._traces(returned)

    def _enter(self, frame: FrameType, into: str) -> None:
        code = frame.f_code
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)
        taken = [self._traces(frame.f_locals.get(name)) for name in code.co_varnames[:count]]
        caller = next((above for above in _stack(frame.f_back) if self._file(above) is not None), None)
        above = None if caller is None else self._open.get(caller)
        call = _Call(
            "" if caller is None else self._file(caller) or "", into, code.co_qualname, above, set().union(*taken)
        )
        call.looks_on = into.startswith(ONLOOKERS)
        if above is not None and into.startswith(METRICS) and call.taken:
            above.looks_on = True
        self._open[frame] = call
        self._calls.append(call)

    def _file(self, frame: FrameType) -> str | None:
        code = frame.f_code
        if code not in self._files:
            name = code.co_filename
            self._files[code] = name.removeprefix(self.package) if name.startswith(self.package) else None
        return self._files[code]

    def _traces(self, value: object) -> set[str]:
        """The names of the image and of the file that is written, and a digest of each array but a network's weights."""
        found = set()
        for each in _inside(value, _DEPTH):
            if isinstance(each, str | Path):
                found |= {name for name in (self.image, self.written) if str(each).endswith(name)}
            elif isinstance(each, torch.Tensor) and not isinstance(each, torch.nn.Parameter):
                found.add(_digest(each.detach().cpu().numpy()))
            elif isinstance(each, np.ndarray):
                found.add(_digest(each))
        return found


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _digest(values: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def _inside(value: object, depth: int) -> Iterator[object]:
    """The value, and what it holds where it is a container or a dataclass."""
    yield value
    held: list[object] = []
    if isinstance(value, dict):
        held = [*value, *value.values()]
    elif isinstance(value, list | tuple):
        held = list(value)
    elif is_dataclass(value) and not isinstance(value, type):
        held = [getattr(value, item.name, None) for item in fields(value)]
    for each in held if depth else ():
        yield from _inside(each, depth - 1)


def draw(folder: Path) -> Callable[[], None]:
    """A set in the layout of MVTec AD below `folder`; the answer draws the image that is traced into it, each time another."""
    random = np.random.default_rng(0)

    def save(path: Path, pixels: NDArray[Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)

    def image(place: str, *, defective: bool, corner: tuple[int, int] | None = None) -> None:
        pixels = 120 + 40 * np.sin(np.arange(64) / 3)[:, None] + random.normal(0, 12, (64, 64))
        if defective:
            row, column = corner or random.integers(8, 40, 2)
            mask = np.zeros((64, 64), dtype=bool)
            mask[row : row + 12, column : column + 12] = True
            pixels[mask] = 250
            save(folder / f"{place.replace('test', 'ground_truth')}_mask.png", 255 * mask)
        save(folder / f"{place}.png", pixels)

    for number in range(16):
        image(f"train/good/{number:03}", defective=False)
    for number in range(3):
        image(f"test/good/{number:03}", defective=False)
        image(f"test/bad/{number:03}", defective=True)
    return lambda: image(f"test/bad/{Path(TRACED).stem}", defective=True, corner=(20, 20))  # its mask stays


def walks(arguments: list[str]) -> dict[str, tuple[Walk, Walk]]:
    """The walks of an image, by what they are, each beside that with other pixels. Raises `RunError` where the run fails."""
    import radar  # noqa: PLC0415 - its folder, which is traced, is that of this checkout
    from radar.cli.main import main as command_line  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory() as folder:
        add = draw(Path(folder) / "drawn")
        data = (f"dataset.root={folder}", "dataset.category=drawn", f"output_root={folder}/outputs")
        command = ["dataset=mvtec", *SHORT, *data, *arguments]

        def run() -> None:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                code = command_line(command)
            if code:
                raise RunError(f"the run ended with {code}: {printed.getvalue()}")

        def traced(work: Callable[[], object]) -> Walk:
            add()
            walk = Walk(Path(radar.__file__).parent)
            with walk.traced():
                work()
            return walk

        run()
        model = radar.load(next(Path(folder).glob("outputs/drawn-*")))
        path = f"{folder}/drawn/test/bad/{TRACED}"
        return {
            "a run, to the line in scores.csv": (traced(run), traced(run)),
            "radar.load(run).score([path])": (
                traced(lambda: model.score([path])),
                traced(lambda: model.score([path])),
            ),
        }


def main() -> int:
    """Draw, run, add an image, run again; print its ways. Returns the exit code."""
    for what, (first, again) in walks(sys.argv[1:]).items():
        entries = first.entries(again)
        print(what)
        for number, ((caller, into), function) in enumerate(entries.items(), start=1):
            print(f"{number:3}  {caller or '(outside)'} → {into}: {function}")
        print(f"{len(entries)} entries into {len({into for _, into in entries})} files")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
