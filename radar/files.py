"""Texts, tables and JSON in atomic files, never half there."""

from __future__ import annotations

import csv
import io
import json
import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from radar.runtime.files import write_atomically

__all__ = ["write_atomically"]  # which whoever writes bytes reads here

Plain: TypeAlias = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None
"""A value that JSON can hold."""


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process was writing below `folder`, which no living one writes to."""
    for stray in folder.rglob(".*.tmp"):
        stray.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8."""
    write_atomically(path, lambda file: file.write(text.encode()))


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON; a number that is not finite is an error, not invalid JSON."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a header and rows; floats with every digit they need."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text, one after the other, decompressed where its name ends in .xz. Raises `ValueError` where it is cut off."""
    try:
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
            yield from file
    except (EOFError, lzma.LZMAError) as error:
        raise ValueError(f"{path.name}: {error}") from None


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """The inverse of `read_lines`; equal lines give equal bytes."""
    text = "".join(f"{line}\n" for line in lines).encode()
    write_atomically(path, lambda file: file.write(lzma.compress(text, preset=9) if path.suffix == ".xz" else text))
