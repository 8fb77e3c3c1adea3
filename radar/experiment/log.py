"""The text log of a run: what it said and when, beside its results."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from radar.progress import Report
from radar.runtime.files import appending

LOG_FILE = "log.txt"


class RunLog(logging.Handler):
    """Appends lines to `log.txt` as soon as the run directory is there; a log that cannot be written is left out."""

    def __init__(self, run: Path) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._file = run / LOG_FILE
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._waiting.append(self.format(record))
        with suppress(OSError):
            if self._file.parent.is_dir():
                with appending(self._file) as log:
                    log.writelines(f"{line}\n".encode(errors="backslashreplace") for line in self._waiting)
                self._waiting.clear()


@contextmanager
def run_log(run: Path) -> Iterator[logging.Logger]:
    """Inside, what is logged or warned of goes to the log of `run`, too; returns a logger for the run's own words."""
    handler, everything, own = RunLog(run), logging.getLogger(), logging.getLogger("radar")
    show, level = warnings.showwarning, own.level

    def shown(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *more: Any, **named: Any
    ) -> None:
        own.warning("%s: %s (%s, line %d)", category.__name__, message, filename, lineno)
        show(message, category, filename, lineno, *more, **named)

    everything.addHandler(handler)
    own.setLevel(logging.INFO)
    warnings.showwarning = shown
    try:
        yield own
    finally:
        warnings.showwarning = show
        own.setLevel(level)
        everything.removeHandler(handler)


def logged(report: Report, log: logging.Logger) -> Report:
    """The same progress, and a line in the log whenever something else is done."""
    said = ""

    def both(done: int, total: int, what: str) -> None:
        nonlocal said
        if what != said:
            said = what
            log.info("%s", what)
        report(done, total, what)

    return both
