"""One progress bar for anything that takes longer than two seconds, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Report = Callable[[int, int, str], None]
"""Called as (done, total, what is going on)."""

_PATIENCE = 2.0  # seconds before a bar appears
_PAUSE = 30.0  # seconds between two lines of a log


def silent(done: int, total: int, description: str) -> None:
    """Report nothing."""


class ProgressLines:
    """A `Report` for a log file: a line now and then."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, done: int, total: int, description: str) -> None:
        if time.monotonic() - self._last > _PAUSE:
            self._last = time.monotonic()
            print(f"{description}: {done} of {total}", file=sys.stderr, flush=True)


class ProgressBar:
    """A `Report` for a terminal; use as a context manager, which clears the bar in the end."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None
        self._description = ""
        self._since = 0.0

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int, description: str) -> None:
        if description != self._description:
            self._description, self._since = description, time.monotonic()
            self._drop()
        if self._task is None and done < total and time.monotonic() - self._since > _PATIENCE:
            self._task = self._progress.add_task(description, total=total)
            self._progress.start()
        if self._task is not None:
            self._progress.update(self._task, completed=done)

    def _drop(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
