"""Options of a command line that no parser reads as they are written."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from .errors import ConfigError

_SMALL = re.compile(r"-[\d.]+[eE][+-]?\d+")  # a negative number with an exponent


def refuse_dashes_for_values(arguments: Sequence[str]) -> None:
    """Raise `ConfigError` for `--OPTION=--`, whose value some versions of argparse leave out; behind `--` are paths."""
    for word in takewhile(lambda each: each != "--", arguments):
        if word.startswith("-") and word.endswith("=--"):
            raise ConfigError(f"{word}: names nothing; write what is meant behind '='")


def with_negative_numbers(arguments: Sequence[str]) -> list[str]:
    """The arguments, `--OPTION -1e-05` as `--OPTION=-1e-05`: argparse takes a number that is written so for an option."""
    joined: list[str] = []
    for word in arguments:
        before = joined[-1] if joined else ""
        if _SMALL.fullmatch(word) and before.startswith("--") and "=" not in before and "--" not in joined:
            joined[-1] = f"{before}={word}"
        else:
            joined.append(word)
    return joined


class Parser(argparse.ArgumentParser):
    """One that refuses an option which is given twice, of which argparse takes the last without a word."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("action", None, _Once)


class _Once(argparse.Action):
    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        given = vars(namespace).setdefault("_given", set())
        if option is not None and self.dest in given:
            parser.error(f"{option}: is given twice; name it once" + (", with all its values" if self.nargs else ""))
        if option is not None:
            given.add(self.dest)
        setattr(namespace, self.dest, values)
