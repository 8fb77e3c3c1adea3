"""What a person says of photos: a CSV that only grows, and that `radar calibrate --reviewed` reads."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from typing import BinaryIO

from radar.deploy.reviewed import VERDICTS, WITHDRAWN
from radar.errors import RunError
from radar.files import writing
from radar.runtime.cells import Rows
from radar.runtime.files import appending, check_is_file
from radar.runtime.numbers import number
from radar.runtime.prediction import COLUMNS, Prediction, csv_header, csv_line

_HEADER = f"verdict,{csv_header()}"


class Reviews:
    """The verdicts in a file on photos that one model has judged, the last of each photo; the file need not be there yet.

    Raises `RunError` where it has other columns, or verdicts on another model's scores.
    """

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        if path.is_symlink():  # as it is refused when something is added
            raise RunError(f"{path}: is a link, which may lead anywhere; name the file itself with --reviewed")
        self._said: dict[
            str, tuple[str, float]
        ] = {}  # by content, whatever the photo was called, as radar calibrate has it
        if path.exists():
            self._read(model)

    def _read(self, model: str) -> None:
        try:
            check_is_file(self.path, math.inf)
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = Rows(file)
                if (reader.fieldnames or ()) != ["verdict", *COLUMNS]:
                    raise ValueError("it has other columns")
                for row in reader:
                    verdict = row["verdict"].strip()
                    if not verdict:  # says nothing, as radar calibrate has it
                        continue
                    if verdict not in (*VERDICTS, WITHDRAWN):
                        raise ValueError(f"a verdict in it is {verdict!r}, which is none of {', '.join(VERDICTS)}")
                    if row["model"] != model:
                        raise ValueError(f"it holds reviews of the model {row['model']}, and this is {model}")
                    self._note(row["content_hash"].strip().lower(), verdict, number(row["score"]))
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise RunError(
                f"{self.path}: reviews cannot go on here ({error}); name another file with --reviewed"
            ) from None

    def add(self, prediction: Prediction, verdict: str) -> None:
        """Append a verdict on a photo that has a score; it is on the disk when this returns.

        Raises `WriteError`, and `RunError` where a verdict is withdrawn and there is none, which no reader of the file would take.
        """
        if verdict == WITHDRAWN and self.verdict(prediction) is None:
            raise RunError(f"{prediction.path}: has no verdict that could be withdrawn; give it one first")
        line = f"{verdict},{csv_line(prediction)}".encode()
        with writing(self.path), appending(self.path) as file:
            file.write(_missing_before(file) + line)
            file.flush()
            os.fsync(file.fileno())
        self._note(str(prediction.content_hash), verdict, float(prediction.score or 0))

    def _note(self, content_hash: str, verdict: str, score: float) -> None:
        if verdict == WITHDRAWN:
            self._said.pop(content_hash, None)
        else:
            self._said[content_hash] = (verdict, score)

    def verdict(self, prediction: Prediction) -> str | None:
        """What was said last of a photo."""
        return self._said.get(str(prediction.content_hash), (None,))[0]

    def scores(self) -> dict[str, list[float]]:
        """Of the reviewed photos, by their verdict."""
        said = list(self._said.values())
        return {verdict: [score for each, score in said if each == verdict] for verdict in VERDICTS}


def _missing_before(file: BinaryIO) -> bytes:
    """What a file lacks before its next line: its header, or the last line's end where an editor left that out."""
    if not file.seek(0, os.SEEK_END):
        return _HEADER.encode()
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"
