"""A layer between a process and its files: from one operation on, everything that would write below a folder fails."""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

_WRITING = frozenset("wax+")
_COUNTED = 2  # writes to one file: none of it there, and some


class Disk:
    """Counts operations, and raises from number `first` on, counted from 0; None: it never fails."""

    def __init__(self, root: Path, first: int | None, code: int = errno.ENOSPC) -> None:
        self.root, self.first, self.code = str(root), first, code
        self.operations: list[str] = []

    def touch(self, what: str, path: object, *, counts: bool = True) -> None:
        """Before an operation at `path`; one that does not count fails where those before it have failed."""
        name = os.fspath(path) if isinstance(path, str | os.PathLike) else str(path)
        if not str(name).startswith(self.root):
            return
        if counts:
            self.operations.append(f"{what} {Path(str(name)).name}")
        if self.first is not None and len(self.operations) > self.first:
            raise OSError(self.code, os.strerror(self.code), name)


class _File:
    """A file whose writes are counted."""

    def __init__(self, file: Any, disk: Disk, path: object) -> None:
        self._file, self._disk, self._path = file, disk, path
        self._writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)

    def write(self, content: Any) -> Any:
        self._writes += 1
        self._disk.touch("write", self._path, counts=self._writes <= _COUNTED)
        return self._file.write(content)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)


@contextmanager
def faulty(disk: Disk) -> Iterator[Disk]:
    """Everything in this process goes through `disk`."""
    opened, names = io.open, {}

    def open_file(path: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        if not _WRITING & set(mode) or not isinstance(path, str | os.PathLike):
            return opened(path, mode, *more, **named)
        disk.touch("open", path)
        file = opened(path, mode, *more, **named)
        names[file.fileno()] = path
        return _File(file, disk, path)

    def of_path(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *more: Any, **named: Any) -> Any:
            disk.touch(name, path)
            return function(path, *more, **named)

        return call

    def of_number(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: Any, *more: Any) -> Any:
            disk.touch(name, names.get(file if isinstance(file, int) else file.fileno(), ""))
            return function(file, *more)

        return call

    changed = {name: of_path(name, getattr(os, name)) for name in ("mkdir", "replace", "rename")}
    with (
        patch.object(io, "open", open_file),
        patch.object(builtins, "open", open_file),
        patch.multiple(os, **changed, fsync=of_number("fsync", os.fsync)),
        patch.object(fcntl, "flock", of_number("flock", fcntl.flock)),
    ):
        yield disk
