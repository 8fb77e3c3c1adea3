"""Photos that a person has called good or defective, read from a CSV; a prediction table with a column `verdict` is one."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from radar.errors import DataError
from radar.runtime.cells import Rows
from radar.runtime.files import check_is_file
from radar.runtime.numbers import number
from radar.runtime.prediction import DEFECTIVE, GOOD

VERDICTS = (GOOD, DEFECTIVE)
WITHDRAWN = "withdrawn"  # in place of a verdict: takes an earlier one back


@dataclass(frozen=True)
class Reviewed:
    """A photo and what a person said of it."""

    path: str
    verdict: str  # of VERDICTS, or WITHDRAWN
    score: float | None  # that the file states; None: the photo is to be scored
    content_hash: str | None  # that the file states


def read_reviewed(path: Path, model: str) -> list[Reviewed]:
    """Rows with a verdict, the last of each photo; scores stand in all of them or in none. A row that withdraws without a score and a
    content takes back all that was said of its path.

    Columns `path` and `verdict` (good, defective, withdrawn, or empty: passed over); `score`, `content_hash` and `model`, as
    predictions have them, may be there, others too. A photo is its content, where that is told, whatever it was called; else it is
    what lies at the path now. Raises `DataError` naming the row, also where a score is of another model than `model`,
    the first digits of a fingerprint.
    """
    try:
        check_is_file(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = Rows(file)
            missing = {"path", "verdict"} - set(reader.fieldnames or ())
            if missing:
                raise DataError(
                    f"{path}: column {', '.join(sorted(missing))} is missing; it has path, verdict and maybe score"
                )
            rows = {
                number: found
                for number, row in enumerate(reader, start=2)
                if (found := _row(row, f"{path}, row {number}", model))
            }
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a CSV text in UTF-8 ({error})") from None
    reviewed = _standing(rows, path)
    if not any(each.verdict == GOOD for each in reviewed):
        raise DataError(f"{path}: nothing in it is called {GOOD}, and a threshold comes from good photos; review some")
    if len({each.score is None for each in reviewed}) > 1:
        raise DataError(f"{path}: some rows have a score and others none; fill in all of them, or remove the column")
    return reviewed


def latest(reviews: Iterable[Reviewed]) -> list[Reviewed]:
    """The last that was said of each content, whatever the photo was called, or else of each path."""
    return list({each.content_hash or os.path.normpath(each.path): each for each in reviews}.values())


def _standing(rows: Mapping[int, Reviewed], path: Path) -> list[Reviewed]:
    """The last row of each photo, in the order of these, less those that were taken back. Raises `DataError` where a row takes back
    what no row says.

    A photo is its content, where a row states that, or else its path.
    """
    standing: dict[str, Reviewed] = {}
    said: dict[str, set[str]] = {}  # paths of each photo
    for place, each in rows.items():
        name = os.path.normpath(each.path)
        content = each.content_hash
        if each.verdict != WITHDRAWN:
            said.setdefault(content or name, set()).add(name)
            standing.pop(content or name, None)
            standing[content or name] = each
            continue
        taken = {
            photo for photo, names in said.items() if photo in (content, name) or (content is None and name in names)
        }
        if not taken:
            raise DataError(
                f"{path}, row {place}: {WITHDRAWN}, and no row before it is of this photo; write its path, and its content_hash if "
                "it has one, as that row does, or remove this row"
            )
        for photo in taken:
            standing.pop(photo, None)
    return list(standing.values())


def _row(row: Mapping[str, str], where: str, model: str) -> Reviewed | None:
    cells = {name: row.get(name, "").strip() for name in ("path", "verdict", "score", "content_hash", "model")}
    if not cells["verdict"]:
        return None
    if cells["verdict"] not in (*VERDICTS, WITHDRAWN):
        raise DataError(f"{where}: verdict {cells['verdict']!r}; write {' or '.join(VERDICTS)}, or leave it empty")
    if not cells["path"]:
        raise DataError(f"{where}: names no photo; fill in its path")
    score = None
    if cells["score"]:
        if cells["model"] not in ("", model):
            raise DataError(
                f"{where}: its score is the model {cells['model']}'s, not {model}'s; remove the column score"
            )
        score = _number(cells["score"], where)
    return Reviewed(cells["path"], cells["verdict"], score, cells["content_hash"].lower() or None)


def _number(text: str, where: str) -> float:
    try:
        value = number(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{where}: score {text!r} is not a finite number in the digits 0 to 9; mend it, or remove the column score"
        )
    return value
