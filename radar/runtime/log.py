"""The log: a line per photo, in JSON Lines and in CSV, whole whatever happens; it is all that a watch remembers."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # not on Windows, where nothing keeps two processes apart
    fcntl = None  # type: ignore[assignment]

from .errors import RunError
from .files import appending, bounded_lines, make_folder, write_atomically, writing
from .paths import LOG, TABLE
from .prediction import Prediction, csv_header, csv_line, from_json, json_line
from .terminal import tell

JSON_LINES, CSV = LOG, TABLE


class PredictionLog:
    """Both files of a folder, open for one process; a line stands in the JSON Lines first, of which the CSV is a copy."""

    def __init__(self, folder: Path, lines: BinaryIO, *, durable: bool) -> None:
        self._folder, self._lines, self._durable = folder, lines, durable
        self._open_table()

    def append(self, prediction: Prediction) -> None:
        """Add a line; with `durable` it is on the disk when this returns."""
        with writing(self._folder):
            if not os.fstat(self._lines.fileno()).st_nlink:  # what is written to it then is nowhere
                raise FileNotFoundError(errno.ENOENT, "the log was removed while it was written")
            if not self._is_as_written():
                self._renew_table()
            self._lines.write(f"{json_line(prediction)}\n".encode())
            self._lines.flush()
            if self._durable:
                os.fsync(self._lines.fileno())
            self._size += self._table.write(csv_line(prediction).encode())
            self._table.flush()

    def close(self) -> None:
        """Close the table. Raises `WriteError` where what is left of it cannot be written."""
        with writing(self._folder / CSV):
            self._table.close()

    def _open_table(self) -> None:
        self._table = _opened(self._folder / CSV)
        self._size = os.fstat(self._table.fileno()).st_size

    def _is_as_written(self) -> bool:
        """Whether the table is still the file that is written to, of the same length: a program that saves it puts another in its
        place."""
        try:
            there, open_one = (self._folder / CSV).lstat(), os.fstat(self._table.fileno())
        except FileNotFoundError:
            return False
        return os.path.samestat(there, open_one) and there.st_size == self._size

    def _renew_table(self) -> None:
        """A copy of the log in the place of a table that somebody has saved or removed; one that was changed is kept, and told."""
        self.close()
        _keep_edited(self._lines, self._folder)
        _copy(self._lines, self._folder)
        self._open_table()


@contextmanager
def new_log(folder: Path, *, force: bool, forget: Callable[[Prediction], None]) -> Iterator[PredictionLog]:
    """An empty log in `folder`. Raises `RunError` where there is one already, unless `force` is on, or where one is being written.

    `forget` is told what an earlier log said of each photo, up to its first damaged line, before that is gone. An earlier table that a
    person has changed is kept.
    """
    with ExitStack() as stack:
        if not force:
            _refuse_another_table(folder)
        lines = stack.enter_context(_held(folder))
        if lines.tell() and not force:
            raise RunError(
                f"{folder / JSON_LINES}: is there already; name another folder with --out, or start over with --force"
            )
        _keep_edited(lines, folder)
        for prediction in _lines_until_damage(lines, folder / JSON_LINES):
            forget(prediction)
        lines.truncate(0)
        write_atomically(folder / CSV, lambda file: file.write(csv_header().encode()))
        yield stack.enter_context(closing(PredictionLog(folder, lines, durable=False)))


@contextmanager
def continued_log(folder: Path, remember: Callable[[Prediction], None]) -> Iterator[PredictionLog]:
    """The log in `folder`, each line of which `remember` is told first; durable. What a kill left of a last line is cut off.

    Raises `RunError` where another process writes it, or where a line before the last one is damaged; nothing is changed then, nor
    where `remember` refuses a line.
    """
    with ExitStack() as stack:
        _refuse_another_table(folder)
        lines = stack.enter_context(_held(folder))
        for prediction in _whole_lines(lines, folder / JSON_LINES, cut=False):
            remember(prediction)
        _keep_edited(lines, folder)
        _copy(lines, folder)
        yield stack.enter_context(closing(PredictionLog(folder, lines, durable=True)))


def _copy(lines: BinaryIO, folder: Path) -> None:
    """Write the table that the JSON Lines say."""

    def copy(table: BinaryIO) -> None:
        table.write(csv_header().encode())
        for prediction in _whole_lines(lines, folder / JSON_LINES):
            table.write(csv_line(prediction).encode())

    write_atomically(folder / CSV, copy)


def _refuse_another_table(folder: Path) -> None:
    """Raises `RunError` where a table lies in `folder` that is the copy of no log."""
    if (folder / CSV).exists() and not (folder / JSON_LINES).exists():
        raise RunError(
            f"{folder / CSV}: is there already, without {JSON_LINES}; name another folder with --out, or move it"
        )


def _keep_edited(lines: BinaryIO, folder: Path) -> None:
    """Give a table that a person has changed, as by a column `verdict`, a name of its own."""
    table = folder / CSV
    if table.is_symlink() or not table.is_file() or not _is_edited(lines, folder):
        return
    kept = next(name for name in map(_kept_name, count(1)) if not (folder / name).exists())
    with writing(folder):
        table.rename(folder / kept)
    tell(f"note: {table}: is not what {JSON_LINES} says, and begins anew; as it was, it is kept as {kept}")


def _is_edited(lines: BinaryIO, folder: Path) -> bool:
    """Whether the table is no start of a copy of the log, up to its first damaged line, which is all that a kill leaves."""
    with writing(folder), (folder / CSV).open("rb") as table:
        for text in chain([csv_header()], map(csv_line, _lines_until_damage(lines, folder / JSON_LINES))):
            expected = text.encode()
            found = table.read(len(expected))
            if found != expected[: len(found)]:
                return True
        return bool(table.read(1))


def _kept_name(number: int) -> str:
    return f"{Path(CSV).stem}.kept{number}.csv"


@contextmanager
def _held(folder: Path) -> Iterator[BinaryIO]:
    """The JSON Lines, locked, at their end; the kernel frees the lock of a process that dies."""
    make_folder(folder)
    file = _opened(folder / JSON_LINES)
    try:
        try:
            if fcntl is not None:
                with writing(folder):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"{folder / JSON_LINES}: another process writes this log; name another folder with --out"
            ) from None
        file.seek(0, os.SEEK_END)
        yield file
    finally:
        with writing(folder / JSON_LINES):  # what a full disk did not take is tried again
            file.close()


def _opened(path: Path) -> BinaryIO:
    """To append to, and to read."""
    with writing(path):
        return appending(path)


def _whole_lines(file: BinaryIO, path: Path, *, cut: bool = True) -> Iterator[Prediction]:
    """All lines of an open log, from the first; leaves it cut after the last whole one, unless `cut` is off."""
    file.seek(0)
    whole = 0
    for number, line in enumerate(_bounded(file, path), start=1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("it has no end")
            prediction = from_json(line)
        except ValueError as error:
            if file.read(1):
                raise RunError(
                    f"{path}, line {number}: is damaged ({error}); remove the line, or name another folder"
                ) from None
            break
        whole += len(line)
        yield prediction
    if cut:
        file.truncate(whole)
    file.seek(0, os.SEEK_END)


def _lines_until_damage(file: BinaryIO, path: Path) -> Iterator[Prediction]:
    with suppress(RunError):
        yield from _whole_lines(file, path, cut=False)


def _bounded(file: BinaryIO, path: Path) -> Iterator[bytes]:
    try:
        yield from bounded_lines(file)
    except ValueError as error:
        raise RunError(f"{path}: is damaged ({error}); name another folder") from None
