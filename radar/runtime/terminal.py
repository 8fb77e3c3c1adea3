"""Lines for whoever reads a terminal: text of files and names steers nothing, and no character fails a command."""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from pathlib import Path

# control and formatting characters (those that turn the direction of writing among them), halves of characters, line separators
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SHOWN = 200  # characters of a value in a message


def printable(text: str, keep: str = "") -> str:
    """`text` with escapes in place of what ends a line, steers a terminal or is no character; `keep` stays."""
    if text.isprintable():
        return text
    return "".join(each if each in keep or not steers(each) else _escaped(each) for each in text)


def brief(value: object) -> str:
    """A value as a part of a one-line message: what cannot be printed is escaped, what is long is shortened."""
    text = printable(str(value))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def steers(character: str) -> bool:
    """Whether a character does something other than to be seen."""
    return unicodedata.category(character) in _STEERING


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()


def say(line: str) -> None:
    """One line on standard output, at once."""
    print(printable(line), flush=True)


def tell(line: str, name: str = "radar") -> None:
    """One line on standard error, of what `name` has to say."""
    print(f"{name}: {printable(line)}", file=sys.stderr, flush=True)


def prepare_output() -> None:
    """Let what the encoding of an output cannot express be written as escapes, and what has no output go nowhere.

    A service may be started without inputs and outputs: the next files to be opened would take their numbers, and with
    them whatever libraries print.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the smallest number that is free, which is this one
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # print would take the other one
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the process ends
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
