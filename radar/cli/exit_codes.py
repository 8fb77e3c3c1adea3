"""How a command of radar ends: as exit codes say (radar/runtime/exit_codes.py), also where a signal stops a run."""

from __future__ import annotations

from collections.abc import Callable

from radar.errors import Interrupted
from radar.runtime import exit_codes
from radar.runtime.exit_codes import DEFECTIVE, DONE, FAILED, REFUSED, UNREADABLE
from radar.runtime.terminal import tell

__all__ = ["DEFECTIVE", "DONE", "FAILED", "REFUSED", "UNREADABLE"]  # of verbs, which read them here

DRIFT = 1
OUTPUT_ROOT = "another folder with output_root=FOLDER"  # where a run writes to


def guarded(command: Callable[[], int]) -> int:
    """The exit code of `command`, whatever ends it."""

    def stopped() -> int:
        try:
            return command()
        except Interrupted as error:
            tell("; ".join(filter(None, ("interrupted", error.advice))))
            return error.exit_code

    return exit_codes.guarded(stopped, "radar")
