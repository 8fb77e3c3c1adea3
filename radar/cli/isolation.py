"""A job in a process of its own, which ends with it and hands all of its memory back."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from radar.errors import Interrupted

_INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


def in_own_process(task: Callable[..., object], *arguments: Any) -> str | None:
    """Call `task` in a new process and wait for its end; what it says if that was not a proper one, else None.

    Raises `Interrupted` where the job was interrupted: Ctrl-C reaches both processes, SIGTERM is passed on.
    """
    process = get_context("spawn").Process(target=_called, args=(task, arguments))
    process.start()
    handled = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),  # the job stores what it has, and is waited for
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    try:
        process.join()
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
    code = process.exitcode or 0
    if code in _INTERRUPTED:
        raise Interrupted(code)
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}" if code else None


def _called(task: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    try:
        task(*arguments)
    except (KeyboardInterrupt, Interrupted) as stop:
        sys.exit(stop.exit_code if isinstance(stop, Interrupted) else 128 + signal.SIGINT)
