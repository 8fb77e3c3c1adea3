"""Options of a command line that no parser reads as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from .errors import ConfigError


def refuse_dashes_for_values(arguments: Sequence[str]) -> None:
    """Raise `ConfigError` for `--OPTION=--`, whose value some versions of argparse leave out; behind `--` are paths."""
    for word in takewhile(lambda each: each != "--", arguments):
        if word.startswith("-") and word.endswith("=--"):
            raise ConfigError(f"{word}: names nothing; write what is meant behind '='")
