"""What a command says beside its answer."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """A line on standard error, at once."""
    tell(text)
