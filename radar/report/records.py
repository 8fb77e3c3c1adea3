"""Files of records: one run a line, with the score of every image or of none; what a repository can hold of whole studies.

`NAME.runs.jsonl` grows by a line at a time while a study proceeds. `NAME.runs.jsonl.xz` is the same, compressed and written as
a whole. Neither holds a picture, and reading executes nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from radar.errors import DataError, RunError
from radar.evaluation.metrics import Metrics
from radar.evaluation.typed_sections import read_value
from radar.experiment.environment import check_environment
from radar.files import make_folder, parsed, read_lines, write_lines, writing
from radar.report.config_check import check_border, check_config
from radar.report.record_check import check_metrics
from radar.report.result import Command, EvaluatedImage, Floats, Result, ScoredNormals
from radar.runtime.files import appending

PLAIN, COMPRESSED = ".runs.jsonl", ".runs.jsonl.xz"
_SIGNIFICANT = 7  # digits of scores and features
_TOO_LONG = re.compile(r"[\s:,\[]-?\d{301}")  # of a whole number: no float has more than 309 digits
_ITSELF: dict[str, Any] = {
    "name": str, "fingerprint": str, "ended": str, "config": dict, "environment": dict, "scored": int,
}  # fields that stand in a line as they are  # fmt: skip
_IMAGE = get_type_hints(EvaluatedImage, include_extras=True)


def is_records(path: Path) -> bool:
    """Whether `path` is named like a file of records."""
    return path.name.endswith((PLAIN, COMPRESSED))


def read_records(path: Path) -> tuple[list[Result], list[str]]:
    """The results in a file of records, in its order, and one line for each that cannot be read, or for the file."""
    results: list[Result] = []
    errors: list[str] = []
    try:
        for number, line in enumerate(read_lines(path), 1):
            try:
                results.append(_result(_told(line)))
            except (KeyError, TypeError, ValueError, AttributeError, DataError) as error:
                told = f"not a record of a run ({error}); write it with scripts/record_runs.py"
                errors.append(f"{path}, line {number}: {told}")
    except (OSError, ValueError) as error:
        errors.append(f"{path}: cannot be read to its end ({error}); copy it again")
    return results, errors


def _told(line: str) -> dict[str, Any]:
    """What a line of JSON says. Raises `ValueError` also for what no table can show: halves of characters, and numbers as long as no
    float is."""
    if _TOO_LONG.search(line):
        raise ValueError("a number in it is longer than any that a table shows")
    values: dict[str, Any] = parsed(line)
    if "\\u" in line:
        json.dumps(values, ensure_ascii=False).encode()
    return values


def add_records(path: Path, results: Iterable[Result]) -> int:
    """Add `results` to the file, in place of those with the same identity; returns how many it holds then.

    A plain file only grows, a line at a time and each line on disk before the next: an interruption leaves at most one broken
    line, which reading names. A compressed one is written anew, whole or not at all. Raises `RunError`.
    """
    if not is_records(path):
        raise RunError(f"{path}: a file of records is named NAME{PLAIN} or NAME{COMPRESSED}")
    known, broken = read_records(path) if path.exists() else ([], [])
    merged = {each.identity: each for each in known}
    added = list(results)
    for each in added:
        if each.identity in merged and merged[each.identity].images and not each.images:
            raise RunError(
                f"{path}: holds {each.name} with every image, and metrics alone would take its place; name another file"
            )
        merged[each.identity] = each
    make_folder(path.parent)
    if path.name.endswith(PLAIN):
        for each in added:
            _append(path, _line(each))
        return len(merged)
    if broken:
        raise RunError(f"{broken[0]}; mend the file before anything is added")
    write_lines(path, [_line(each) for each in merged.values()])
    return len(merged)


def _append(path: Path, line: str) -> None:
    with writing(path), appending(path) as file:
        file.seek(0, os.SEEK_END)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # an interrupted line must not swallow this one
                file.write(b"\n")
        file.write(f"{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def _line(result: Result) -> str:
    content = {
        **{name: getattr(result, name) for name in _ITSELF},
        "command": asdict(result.command),
        "metrics": result.metrics.to_dict(),
        "images": [list(astuple(image)) for image in result.images],
        "feature_names": list(result.feature_names),
        "features": [_rounded(column) for column in result.features.T],
        "scores": _rounded(result.scores),
        "decisions": "".join(str(int(decision)) for decision in result.decisions),
        "format": result.format,
        "normals": [_normals_line(each) for each in result.normals],
        "unscored_normals": list(result.unscored_normals),
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _result(content: dict[str, Any]) -> Result:
    names = tuple(read_value(list[str], content["feature_names"], "feature_names"))
    images = _images(content["images"])
    metrics = Metrics.from_dict(content["metrics"])
    itself = {name: read_value(kind, content[name], name) for name, kind in _ITSELF.items()}
    check_config(itself["config"])
    check_border(itself["config"], metrics)
    check_environment(itself["environment"])
    result = Result(
        **itself,
        command=_command(content["command"]),
        metrics=metrics,
        images=images,
        feature_names=names,
        features=_numbers(content["features"]).reshape(len(names), len(images)).T,
        scores=_numbers(content["scores"]).reshape(len(images)),
        decisions=_decisions(content["decisions"]).reshape(len(images)),
        normals=tuple(_normals(each) for each in content.get("normals", ())),
        unscored_normals=tuple(
            read_value(list[str], content.get("unscored_normals", []), "unscored_normals")
        ),  # an older one has none
        format=read_value(int, content.get("format", 1), "format"),
        directory=None,
    )
    if images:
        check_metrics(result)
    return result


def _command(content: dict[str, Any]) -> Command:
    preset = read_value(str | None, content["preset"], "command/preset")
    overrides, words = (read_value(list[str], content[name], f"command/{name}") for name in ("overrides", "words"))
    return Command(preset, tuple(overrides), tuple(words))


def _images(rows: Sequence[Sequence[Any]]) -> tuple[EvaluatedImage, ...]:
    """Raises `ValueError` for a value of another type, out of bounds or not finite."""
    if not all(isinstance(row, list) and len(row) == len(_IMAGE) for row in rows):
        raise ValueError(f"images: each is a list of {', '.join(_IMAGE)}")
    for (name, kind), column in zip(_IMAGE.items(), zip(*rows, strict=True), strict=False):
        for value in _telling(column):
            read_value(kind, value, f"images/{name}")
    return tuple(EvaluatedImage(*row) for row in rows)


def _telling(column: Sequence[Any]) -> Iterator[Any]:
    """Values that are all as they are to be if these are, as rows are many: one of each type, and of numbers the lowest, the highest
    and one that is none, which no order has a place for."""
    by_type: dict[type, list[Any]] = defaultdict(list)
    for value in column:
        by_type[type(value)].append(value)
    for kind, values in by_type.items():
        yield from (min(values), max(values)) if kind in (int, float) else values[:1]
        yield from (value for value in values if value != value)  # noqa: PLR0124


def _decisions(digits: str) -> NDArray[np.bool_]:
    """Of a text of a digit for each image. Raises `ValueError`."""
    if not isinstance(digits, str) or set(digits) - {"0", "1"}:
        raise ValueError("decisions: is a text of a 0 or a 1 for each image")
    return np.array([digit == "1" for digit in digits], dtype=bool)


def _normals_line(normals: ScoredNormals) -> dict[str, Any]:
    named = {name: value for name, value in vars(normals).items() if name != "paths"}
    return {**named, "scores": _rounded(normals.scores)}


def _normals(content: dict[str, Any]) -> ScoredNormals:
    split = read_value(str, content["split"], "normals/split")
    unseen_by, groups, hashes = (
        tuple(read_value(list[str], content[name], f"normals/{split}/{name}"))
        for name in ("unseen_by", "groups", "content_hashes")
    )
    scores = _numbers(content["scores"])
    if not (len(groups),) == (len(hashes),) == scores.shape:
        raise ValueError(f"normals of {split}: groups, content_hashes and scores are of different numbers")
    if not groups:
        raise ValueError(f"normals of {split}: there is none")
    return ScoredNormals(split, unseen_by, groups, hashes, scores, ())


def _numbers(stored: object) -> Floats:
    """Raises `ValueError` where texts stand among them, which NumPy would read as numbers."""
    values = np.array(stored)
    if values.dtype.kind not in "iuf":
        raise ValueError("scores and features are lists of numbers")
    return values.astype(np.float64)


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.{_SIGNIFICANT}g}") for value in values]
