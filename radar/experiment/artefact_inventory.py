"""What a folder of artefacts holds: whole results, damaged and unfinished ones; and removing what was not used for long."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from radar.errors import StoredError
from radar.experiment.artefact_store import MADE, PART, UNREADABLE, discard, files_of, latest_change, lock_of
from radar.files import locked, read_json
from radar.runtime.entries import typed

_REMEDY = "it is made again where it is asked for"


@dataclass(frozen=True)
class Artefact:
    """A stored result: its folder, and what made it."""

    path: Path
    stage: str
    version: int
    inputs: dict[str, Any]
    made: str  # UTC
    seconds: float
    megabytes: float
    unused_seconds: float  # since it was made or last read


class Remnant(NamedTuple):
    """A folder that holds no whole result: a damaged one, or an unfinished one."""

    path: Path
    megabytes: float
    unfinished: bool


def artefacts(root: Path) -> Iterator[Artefact]:
    """All complete results, by stage; one that cannot be read is left out."""
    for made in _descriptions(root):
        with suppress(*UNREADABLE):  # also one that another process removes meanwhile
            yield _artefact(made)


def prune(root: Path, unused_seconds: float) -> tuple[list[Artefact], list[Remnant]]:
    """Remove results unused for at least that long, and what is left of damaged and unfinished ones; returns both.

    What lies behind a link, of a result or of its stage, is another's and stays.
    """
    own = (artefact for artefact in artefacts(root) if not _is_elsewhere(artefact.path))
    removed = [artefact for artefact in own if _remove(artefact.path, unused_seconds)]
    return removed, [each for each in remnants(root) if _remove(each.path, unused_seconds)]


def remnants(root: Path) -> list[Remnant]:
    """What is left of damaged results, and of unfinished ones, which the same command goes on from; nothing behind a link."""
    whole = {artefact.path for artefact in artefacts(root)}
    broken = [made.parent for made in _descriptions(root) if made.parent not in whole]
    folders = [*broken, *sorted(root.glob(f"*/*{PART}"))]
    return [Remnant(each, _megabytes(each), each.suffix == PART) for each in folders if not _is_elsewhere(each)]


def damaged(root: Path) -> Iterator[str]:
    """One line for each result whose description cannot be read; whoever asks for it makes it again."""
    for made in _descriptions(root):
        try:
            _artefact(made)
        except FileNotFoundError:
            pass  # another process has just removed it
        except UNREADABLE as error:
            yield (
                str(error) if isinstance(error, StoredError) else f"{made}: is none of a result ({error!r}); {_REMEDY}"
            )


def _descriptions(root: Path) -> Iterator[Path]:
    return (made for made in sorted(root.glob(f"*/*/{MADE}")) if made.parent.suffix != PART)


def _is_elsewhere(folder: Path) -> bool:
    """Whether a result's folder, or that of its stage, is a link: what it leads to is not the cache's own."""
    return folder.is_symlink() or folder.parent.is_symlink()


def _artefact(made: Path) -> Artefact:
    record = read_json(made, _REMEDY)
    if not isinstance(record["inputs"], dict):
        raise TypeError("inputs are no entries")
    return Artefact(
        made.parent,
        str(record["stage"]),
        typed(int, record["version"], "version"),
        record["inputs"],
        str(record["made"]),
        typed(float, record["seconds"], "seconds"),
        _megabytes(made.parent),
        time.time() - made.stat().st_mtime,
    )


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in files_of(folder)) / 1e6


def _remove(folder: Path, unused_seconds: float) -> bool:
    """Remove a result or what an attempt at it left, unless a process holds its lock or has used it meanwhile."""
    try:
        with locked(lock_of(folder), wait=False):
            used = latest_change(folder) if folder.suffix == PART else (folder / MADE).stat().st_mtime
            if time.time() - used < unused_seconds:
                return False
            if folder.suffix == PART:
                shutil.rmtree(folder)
            else:
                discard(folder)
    except OSError:  # held, gone meanwhile, or not ours
        return False
    return True
