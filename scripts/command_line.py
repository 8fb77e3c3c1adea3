"""What the scripts share on their command lines."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from radar.errors import RadarError
from radar.runtime.numbers import whole


def positive(text: str) -> int:
    """A whole number above zero, for argparse."""
    count = whole(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return count


def guarded(main: Callable[[], int]) -> int:
    """The exit code of `main`; an error that a user can mend is one line on standard error."""
    try:
        return main()
    except RadarError as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return 2


def circumstances(command: str) -> dict[str, object]:
    """What is told beside figures: the command that repeats them, when and on what they were measured."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }
