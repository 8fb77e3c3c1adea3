"""Any value in any entry of a real manifest, its checksum rewritten, is refused in one line that names it, or harmless."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from export_builders import photos

from radar.runtime.__main__ import main
from radar.runtime.manifest import MANIFEST, SEAL, seal

pytest.importorskip("onnxscript")

Place = tuple[str | int, ...]
TEXTS, NUMBERS = ["x", "${oc.env:HOME}"], [-1, 1e308]
HOSTILE: list[Any] = [
    None, True, *TEXTS, "", "9" * 2000, [], {}, [[1]], {"a": {"b": []}}, math.nan, math.inf, *NUMBERS, 10**400, 0.5, 10**9, 1e300,
]  # fmt: skip
# by entry, what of it is right as far as anybody can tell
HARMLESS: dict[str, list[Any]] = {
    "radar": HOSTILE, "threshold.source": HOSTILE, "threshold.made": HOSTILE, "threshold.false_alarms": HOSTILE,  # not read
    "method": TEXTS, "fingerprint": TEXTS, "point_names.0": TEXTS, "threshold.name": TEXTS,
    "input.size_reason": [*TEXTS, ""], "input.size": [None], "preprocessing.size": [None], "preprocessing.width": [None],
    "preprocessing.resolution": [None, 0.5], "preprocessing.file_resolution": [None, 0.5], "preprocessing.side": [None],
    "preprocessing.megapixels": [0.5], "predict.opacity": [0.5], "predict.interval": [0.5],
    "predict.patience": [0.5], "threshold.value": [1e308, 0.5, 10**9, 1e300],
    "threshold.normal_scores.0": [*NUMBERS, 0.5, 10**9, 1e300], "threshold.map_levels.faint": [-1, 0.5, 10**9],
    "threshold.map_levels.strong": [-1, 0.5, 10**9],
}  # fmt: skip


def places(values: Any, above: Place = ()) -> Iterator[Place]:
    """Of every entry, and of the first of every list."""
    for name, below in values.items() if isinstance(values, dict) else list(enumerate(values))[:1]:
        yield (*above, name)
        if isinstance(below, dict | list):
            yield from places(below, (*above, name))


def replaced(values: Any, place: Place, value: Any) -> Any:
    changed, (first, *rest) = values.copy(), place
    changed[first] = replaced(values[first], tuple(rest), value) if rest else value
    return changed


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(photos(tmp_path_factory.mktemp("photos"), 1, 64, 64)[0])


@pytest.fixture
def told(copied: Path, photo: str, capsys: pytest.CaptureFixture[str]) -> Callable[[Any], tuple[int, str]]:
    """The exit code, and what stands on standard error, with any content of the manifest."""

    def ask(content: Any) -> tuple[int, str]:
        text = json.dumps(content, allow_nan=True)
        (copied / MANIFEST).write_text(text)
        (copied / SEAL).write_text(seal(text.encode()))
        code = main([str(copied), photo, "--threads", "1"])
        return code, capsys.readouterr().err

    return ask


def assert_refused(copied: Path, code: int, line: str, *names: str) -> None:
    assert code == 3 and line.startswith(f"radar-runtime: {copied}") and line.count("\n") == 1 and len(line) < 700, line
    assert all(name in line for name in names), line


def test_any_value_in_any_entry_is_refused_or_harmless(copied: Path, told: Callable[[Any], tuple[int, str]]) -> None:
    right = json.loads((copied / MANIFEST).read_text())
    assert told(right)[0] in (0, 1)
    seen = set()
    for place in places(right):
        entry = ".".join(map(str, place))
        harmless = [repr(each) for each in HARMLESS.get(entry, [])]
        seen.add(entry)
        for value in HOSTILE:
            code, line = told(replaced(right, place, value))
            if isinstance(value, float) and not math.isfinite(value):  # which no stored JSON holds
                assert_refused(copied, code, line, "is no finite number")
            elif repr(value) in harmless:
                assert code in (0, 1, 2), (entry, value, line)
            else:
                unnamed = place[0] == "files" or (entry, value) == ("noise.seed", 10**9)  # other noise, other answers
                assert_refused(copied, code, line, *([] if unnamed else [str(place[0])]))
    assert seen > HARMLESS.keys()


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        ("threshold.value", "9", 'threshold.value="9": must be a finite number; export the model again'),
        ("predict.decode_ahead", [], "predict.decode_ahead=[]: must be a whole number; export the model again"),
        ("predict.regions", 2_000_000, "predict.regions=2000000: must be ≤ 1000000; export the model again"),
        ("threshold.normal_scores", [1, True], "threshold.normal_scores=true: must be a finite number"),
        ("preprocessing.channels", "rgb", "input.planes=['grey']: must be those of preprocessing.channels=rgb"),
        ("preprocessing.size", 10**6, "preprocessing.size=1000000: must be ≤ 16384"),
        ("input.size", [48, 48], "input.size=[48, 48]: must be that of the preprocessing, (40, 40), or null"),
        ("input.size", [40, 40], "names images ?x1x40x40 and noise ?x2x1x40x40, and its graph takes images ?x1x?x?"),
        ("noise.seed", 10**9, "answers on this machine otherwise than the model that was exported"),
        ("input.drawn_size", [16_384, 16_384], "input.drawn_size and point_names do not fit drawn_answers.float32"),
        ("input.drawn_size", [1, 1], "input.drawn_size and point_names do not fit drawn_answers.float32"),
        ("point_names", ["x"] * 9, "input.drawn_size and point_names do not fit drawn_answers.float32"),
        ("noise.draws", 0, "names images ?x1x?x?, and its graph takes images ?x1x?x? and noise ?x2x1x?x?"),
        ("noise.draws", 10_000, "noise ?x10000x1x?x?"),
        ("noise.channels", 3, "noise ?x2x3x?x?"),
    ],
)
def test_a_wrong_entry_is_named(
    copied: Path, told: Callable[[Any], tuple[int, str]], entry: str, value: Any, said: str
) -> None:
    right = json.loads((copied / MANIFEST).read_text())
    assert_refused(copied, *told(replaced(right, tuple(entry.split(".")), value)), said)


def test_a_missing_entry_is_named(copied: Path, told: Callable[[Any], tuple[int, str]]) -> None:
    right = json.loads((copied / MANIFEST).read_text())
    del right["predict"]["regions"]
    assert_refused(copied, *told(right), "predict.regions: is missing")


ENDLESS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "zeros": lambda path: path.symlink_to("/dev/zero"),
    "random": lambda path: path.symlink_to("/dev/urandom"),
    "a file of the system": lambda path: path.symlink_to("/proc/self/pagemap"),
    "itself": lambda path: path.symlink_to(path),
    "a folder": Path.mkdir,
    "huge": lambda path: path.touch() or os.truncate(path, 2**40),
}


@pytest.mark.parametrize("make", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("name", [MANIFEST, SEAL])
def test_what_is_no_file_or_too_large_is_refused(
    copied: Path, photo: str, capsys: pytest.CaptureFixture[str], name: str, make: Callable[[Path], object]
) -> None:
    (copied / name).unlink()
    make(copied / name)
    code = main([str(copied), photo])
    assert_refused(copied, code, capsys.readouterr().err, MANIFEST)
