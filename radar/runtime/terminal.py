"""Lines for whoever reads a terminal: text of files and names steers nothing, and no character fails a command."""

from __future__ import annotations

import io
import sys
import unicodedata

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
    """Let what the encoding of an output cannot express be written as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
