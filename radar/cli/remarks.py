"""What a command says beside its answer."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """A line on standard error, at once."""
    print(f"radar: {text}", file=sys.stderr, flush=True)
