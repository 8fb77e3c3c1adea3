"""Count the entries into files of `radar/` that one image makes on its way from its path on disk to its line in `scores.csv`.

    python -m scripts.trace_image experiment=recommended        any keys of an experiment; short trainings unless they say otherwise

A small textured set is drawn into a temporary folder and run once, so that the network, the fit and the scores of the normals are
stored. Then a test image is added and the same command runs again, traced: what is computed is that image's way.

An entry is a call that passes from one file of `radar/` into another, libraries between the two left out, and that carries the image:
it takes or gives the image's pixels or what was computed of them, as an argument, a result, or one step inside of one. These are known
by their shapes: arrays of the images' odd height and width, and arrays with as many rows as there are test images, a number that no
other split has; masks, labels and networks' weights are not among them. The last entry is the call that is given the path of
`scores.csv`. Counted are the distinct entries, from a file into a file: loops and returns count nothing. Calls that lead to metrics,
and those into reports, progress and `radar/files.py`, only look on. Compare like with like: one experiment before and after a change.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from scripts.command_line import guarded

SIDE, TEST_IMAGES = 53, 7  # px; with the traced one
SHORT = (
    "logger=csv", "evaluation.figures=false", "evaluation.pixel=false", "evaluation.noise.permutations=19", "method.controls=[]",
    f"dataset.image.size={SIDE}", "dataset.near_duplicates=ignore", "trainer.progress=false", "trainer.threads=1",
    "training.max_steps=4", "training.epoch_steps=2", "training.warmup_steps=1",
)  # fmt: skip
METRICS = "evaluation/"
ONLOOKERS = (METRICS, "report/", "progress.py", "files.py")
TRACED, WRITTEN = "traced", "scores.csv"


class Walk:
    """The entries into files below `package`, of one image, in the order of the first time each is made."""

    def __init__(self, package: Path, written: str = WRITTEN) -> None:
        self.package, self.written = f"{package.resolve()}/", written
        self._ended = False
        self._open: dict[FrameType, _Call] = {}  # calls that have not returned
        self._calls: list[_Call] = []  # from file to file
        self._files: dict[CodeType, str | None] = {}

    @property
    def entries(self) -> dict[tuple[str, str], str]:
        """(from, into) and the function first entered; an empty `from` is the start of a thread."""
        found: dict[tuple[str, str], str] = {}
        for call in self._calls:
            if call.carries and not call.looks_on:
                found.setdefault((call.caller, call.into), call.function)
        return found

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

    def _look(self, frame: FrameType, event: str, argument: object) -> None:
        into = self._file(frame)
        if into is None or self._ended:
            return
        if event == "return" and frame in self._open:
            self._open.pop(frame).carries |= _carries(argument)
        elif event == "call":
            self._enter(frame, into)

    def _enter(self, frame: FrameType, into: str) -> None:
        above = [self._open[each] for each in _stack(frame.f_back) if each in self._open]
        if into.startswith(METRICS):
            for call in above:
                call.looks_on = True
        caller = next((file for each in _stack(frame.f_back) if (file := self._file(each)) is not None), "")
        names = frame.f_code.co_varnames[: _arguments(frame.f_code)]
        arguments = [frame.f_locals.get(name) for name in names]
        self._ended = any(str(each).endswith(self.written) for each in arguments if isinstance(each, str | Path))
        call = _Call(caller, into, frame.f_code.co_qualname, self._ended or any(map(_carries, arguments)))
        call.looks_on = any(each.into.startswith(ONLOOKERS) for each in (call, *above))
        self._open[frame] = call
        if caller != into:
            self._calls.append(call)

    def _file(self, frame: FrameType) -> str | None:
        code = frame.f_code
        if code not in self._files:
            name = code.co_filename
            self._files[code] = name.removeprefix(self.package) if name.startswith(self.package) else None
        return self._files[code]


@dataclass(eq=False)
class _Call:
    caller: str
    into: str
    function: str
    carries: bool
    looks_on: bool = False


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _arguments(code: CodeType) -> int:
    return code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)


def _inside(value: object) -> Iterator[object]:
    """The value, and what it holds where it is a container or a dataclass; of a long container its ends."""
    yield value
    if isinstance(value, dict):
        yield from list(value.values())[:8]
    elif isinstance(value, list | tuple):
        yield from (*value[:4], *value[-4:])
    elif is_dataclass(value) and not isinstance(value, type):
        yield from (getattr(value, item.name, None) for item in fields(value))


def _carries(value: object) -> bool:
    return any(
        each.shape[-2:] == (SIDE, SIDE) or (each.shape[:1] == (TEST_IMAGES,) and "float" in str(each.dtype))
        for each in _inside(value)
        if isinstance(each, np.ndarray | torch.Tensor) and "bool" not in str(each.dtype)
    )


def draw(folder: Path) -> Callable[[], None]:
    """A set in the layout of MVTec AD below `folder`; the answer draws the image that is traced into it."""
    random = np.random.default_rng(0)

    def save(path: Path, pixels: NDArray[Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)

    def image(place: str, *, defective: bool) -> None:
        pixels = 120 + 40 * np.sin(np.arange(SIDE) / 3)[:, None] + random.normal(0, 12, (SIDE, SIDE))
        if defective:
            row, column = random.integers(4, 36, 2)
            mask = np.zeros((SIDE, SIDE), dtype=bool)
            mask[row : row + 12, column : column + 12] = True
            pixels[mask] = 250
            save(folder / f"{place.replace('test', 'ground_truth')}_mask.png", 255 * mask)
        save(folder / f"{place}.png", pixels)

    for number in range(16):
        image(f"train/good/{number:03}", defective=False)
    for number in range(TEST_IMAGES // 2):
        image(f"test/good/{number:03}", defective=False)
        image(f"test/bad/{number:03}", defective=True)
    return lambda: image(f"test/bad/{TRACED}", defective=True)


def main() -> int:
    """Draw, run, add an image, run again; print its way. Returns the exit code."""
    from radar.cli import main as command_line  # noqa: PLC0415 - its folder, which is traced, is that of this checkout

    with tempfile.TemporaryDirectory() as folder:
        add = draw(Path(folder) / "drawn")
        data = (f"dataset.root={folder}", "dataset.category=drawn", f"output_root={folder}/outputs")
        arguments = ["dataset=mvtec", *SHORT, *data, *sys.argv[1:]]
        walk = Walk(Path(command_line.__file__).parent.parent)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = command_line.main(arguments)
            add()
            with walk.traced():
                code = code or command_line.main(arguments)
    if code:
        print(printed.getvalue(), file=sys.stderr)
        return code
    entries = walk.entries
    for number, ((caller, into), function) in enumerate(entries.items(), start=1):
        print(f"{number:3}  {caller or '(another thread)'} → {into}: {function}")
    print(f"{len(entries)} entries into {len({into for _, into in entries})} files")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
