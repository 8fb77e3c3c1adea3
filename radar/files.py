"""Texts, tables, JSON and YAML in atomic files, and their readers; a lock that the kernel frees."""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import json
import lzma
import math
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import yaml

from radar.errors import ConfigError
from radar.runtime.cells import Rows, csv_line
from radar.runtime.errors import WriteError
from radar.runtime.files import (
    CHECKSUM,
    LONGEST_LINE,
    appending,
    check_is_file,
    checksum,
    make_folder,
    make_subfolder,
    parsed,
    read_bytes,
    read_json,
    remove_unfinished,
    sha256,
    unreadable,
    write_atomically,
    writing,
)

__all__ = [  # of the runtime's own, which whoever writes and reads files finds here
    "make_folder", "make_subfolder", "parsed", "read_bytes", "read_json", "remove_unfinished", "sha256", "unreadable",
    "write_atomically", "writing",
]  # fmt: skip

Plain: TypeAlias = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None
"""A value that JSON can hold."""

_MOST_CHARACTERS = 2**30  # of lines that are read: the records of the largest study have a hundredth
_LARGEST_YAML = 2**20  # bytes: a config has about 10,000
_TOO_LARGE = 2**63  # for a whole number of a stored YAML
_MOST_NODES = 100_000  # of a stored YAML, its aliases followed: a config has about 300


def resolved(path: Path) -> Path:
    """Without links and `..`, so that a file has one path; as it is where nothing can be known of it, as a table may name anything."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path


def expanded(text: str) -> str:
    """A path of a config, with the home folder in place of a `~` that it begins with, as shells read it: `./~` is a name.

    Raises `ConfigError` where there is no such home.
    """
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise ConfigError(
            f"{text}: there is no home folder of that name; write ./{text} for what is called so here"
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8; halves of characters, of names that are no text, as escapes."""
    write_atomically(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def claim(folder: Path, verb: str, names: Collection[str]) -> None:
    """Make a folder for what a verb writes under `names`. A hidden file lists them from then on as its own, so that it may
    write them again. Raises `WriteError`, also as `refuse_foreign`.
    """
    refuse_foreign(folder, verb, names)
    make_folder(folder)
    list_claimed(folder, verb, names)


def list_claimed(folder: Path, verb: str, names: Iterable[str]) -> None:
    """Have the hidden file of a claimed folder list more, before it is written: files of claimed sub-folders as `SUBFOLDER/NAME`."""
    known = _claimed(folder, verb)
    if new := set(names) - known:
        _list(folder, verb, known | new)


def remove_claimed(folder: Path, verb: str, subfolders: Collection[str]) -> None:
    """Remove the files of `subfolders` that a verb has listed as its own, and then list them no more. What is no file now, as a link
    or a folder, stays, and so does whatever lies beyond a link. Raises `WriteError`.
    """
    known = _claimed(folder, verb)
    within = {name for name in known if name.count("/") == 1 and name.partition("/")[0] in subfolders}
    for path in (folder / name for name in sorted(within)):
        with writing(path):
            if not path.parent.is_symlink() and not path.is_symlink() and path.is_file():
                path.unlink()
    if within:
        _list(folder, verb, known - within)


def _list(folder: Path, verb: str, names: Iterable[str]) -> None:
    write_text(folder / _claim(verb), "".join(f"{name}\n" for name in sorted(names)))


def refuse_foreign(folder: Path, verb: str, names: Iterable[str]) -> None:
    """Raise `WriteError` where one of `names` lies in a folder and the verb has not claimed it."""
    with writing(folder):
        known = _claimed(folder, verb)
        foreign = next((name for name in names if name not in known and os.path.lexists(folder / name)), None)
    if foreign is not None:
        raise WriteError(
            errno.EEXIST, f"radar {verb} has not marked it as its own, and would replace it", str(folder / foreign)
        )


def refuse_unwritable(folder: Path) -> None:
    """Raise `WriteError` where nothing may be written into a folder, or, where it is not there yet, into the first above that is."""
    with writing(folder):
        there = next((each for each in (folder, *folder.absolute().parents) if os.path.lexists(each)), folder)
        is_folder = there.is_dir()
    if not is_folder:
        raise WriteError(errno.ENOTDIR, "it is no folder", str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise WriteError(errno.EACCES, "nothing may be written there", str(there))


def _claimed(folder: Path, verb: str) -> set[str]:
    """The names that a verb may write again. A link tells nothing, as it may lead elsewhere."""
    mark = folder / _claim(verb)
    return set() if mark.is_symlink() or not mark.is_file() else {line.rstrip("\n") for line in read_lines(mark)}


def _claim(verb: str) -> str:
    return f".radar-{verb}"


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON; a number that is not finite is an error. An object gets a checksum of its entries."""
    content = _as_text(content)
    sealed = {**content, CHECKSUM: checksum(content)} if isinstance(content, dict) else content
    write_text(path, json.dumps(sealed, indent=2, allow_nan=False) + "\n")


def _as_text(value: Any) -> Any:
    """The same with escapes for halves of characters, as names that are no text have them: no reader takes these."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_as_text(name): _as_text(each) for name, each in value.items()}
    return [_as_text(each) for each in value] if isinstance(value, list | tuple) else value


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Entries, lists, texts, numbers, true, false and null; no tags, dates, sets and merged keys."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {
        first: [(tag, found) for tag, found in resolvers if tag.endswith((":bool", ":null"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse a tag, where YAML would make something of a value that it does not look like."""
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            raise ValueError(f"line {event.start_mark.line + 1} has a tag")
        return super().compose_node(parent, index)


# as in YAML 1.1, but for numbers to the base 60, which take ever longer
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$"),
    list("-+0123456789"),
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def read_yaml(path: Path, remedy: str) -> dict[str, Any]:
    """The entries of a stored YAML, of plain values alone: a tag of anything else is refused.

    Raises `FileNotFoundError`, and `StoredError` with `remedy`.
    """
    content = read_bytes(path, remedy, _LARGEST_YAML)
    try:
        values = yaml.load(content.decode(), _PlainLoader)
        if not isinstance(values, dict):
            raise ValueError("it holds no entries")
        _count_nodes(values, 0)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise unreadable(path, error, remedy) from None
    return values


def _count_nodes(tree: object, before: int) -> int:
    """How many nodes a tree has beside those `before`. Raises `ValueError` for too many, and for numbers beyond all bounds."""
    if before > _MOST_NODES:
        raise ValueError(f"it has more than {_MOST_NODES:,} values")
    if isinstance(tree, int) and abs(tree) >= _TOO_LARGE:
        raise ValueError("it has a whole number of more than 63 bits")
    if isinstance(tree, float) and not math.isfinite(tree):
        raise ValueError(f"{tree} is no finite number")
    children: Iterable[object] = tree if isinstance(tree, list) else ()
    if isinstance(tree, dict):
        if not all(isinstance(key, str) for key in tree):
            raise ValueError("it has names that are no text")
        children = tree.values()
    for child in children:
        before = _count_nodes(child, before + 1)
    return before


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A header and rows; floats with every digit they need, and no text that a spreadsheet would compute."""
    return "".join(csv_line(cells) for cells in (columns, *rows))


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write `csv_text`."""
    write_text(path, csv_text(columns, rows))


def read_csv(path: Path, remedy: str) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a stored CSV. Raises `StoredError`, also where it has no row, or one of another length."""
    try:
        reader = Rows(io.StringIO(read_bytes(path, remedy).decode(), newline=""))
        rows = list(reader)
        columns = list(reader.fieldnames or ())
        if not rows:
            raise ValueError("rows are missing")
    except (FileNotFoundError, ValueError, csv.Error) as error:
        raise unreadable(path, error, remedy) from None
    return columns, rows


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text, one after the other, decompressed where its name ends in .xz.

    Raises `ValueError` where it is cut off, or has a line longer than `LONGEST_LINE` or more than `_MOST_CHARACTERS`.
    """
    left = _MOST_CHARACTERS
    try:
        check_is_file(path)
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise ValueError(f"it has a line of more than {LONGEST_LINE:,} characters")
                left -= len(line)
                if left < 0:
                    raise ValueError(f"it has more than {_MOST_CHARACTERS:,} characters")
                yield line
    except (EOFError, lzma.LZMAError) as error:
        raise ValueError(f"{path.name}: {error}") from None


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """The inverse of `read_lines`; equal lines give equal bytes."""
    text = "".join(f"{line}\n" for line in lines).encode()
    write_atomically(path, lambda file: file.write(lzma.compress(text, preset=9) if path.suffix == ".xz" else text))


@contextmanager
def folder_held(folder: Path) -> Iterator[None]:
    """Hold a folder against whoever else holds it so, without a file in it.

    File systems that lock no folder, as some of a network, keep nobody away. Raises `WriteError` where it cannot be opened.
    """
    with writing(folder):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold the lock `path`, a file that stays; the kernel frees that of a process that dies.

    Raises `BlockingIOError` where another process has it and `wait` is off, `WriteError` where none can be had.
    """
    with writing(path):
        file = appending(path)
    with file:
        with writing(path):
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        yield
