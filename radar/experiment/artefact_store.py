"""The artefact store: every stage's result under the fingerprint of what it depends on, made once by who needs it first."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError

from radar.errors import RunError
from radar.experiment.memory import follow_memory
from radar.files import remove_unfinished, write_json

_DIGITS = 20  # of a fingerprint, in names
_PART, _LOCK, _MADE, _ATTEMPT, _JOURNAL = ".part", ".lock", "made.json", "attempt.json", "journal.jsonl"
_UNREADABLE = (OSError, ValueError, EOFError, KeyError, AttributeError, RuntimeError, SafetensorError, RunError)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Key:
    """A stage, its version and all that its result depends on, as plain values; other stages are named by their fingerprints."""

    stage: str
    version: int  # raised when the same inputs would give another result
    inputs: dict[str, Any]

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal digits: equal for equal stage, version and inputs."""
        content = {"stage": self.stage, "version": self.version, "inputs": self.inputs}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_DIGITS]


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


@dataclass
class ArtefactStore:
    """Folders `root/STAGE/FINGERPRINT/`, each complete from the moment it has its name.

    A result is made in a folder of another name under a lock, then renamed; who finds the lock taken waits for the result. The
    kernel frees the lock of a process that dies, and the next one goes on with what that left. A result that cannot be read is
    made again. With `afresh`, the name of a command, so is what another command made.
    """

    root: Path
    afresh: str | None = None
    origin: dict[str, Any] = field(default_factory=dict)  # versions and device, written beside each result
    made: list[Key] = field(default_factory=list)  # by this object, in order

    def folder(self, key: Key) -> Path:
        """Where the result of `key` lies, or would lie."""
        return self.root / key.stage / key.fingerprint

    def take(self, key: Key, make: Callable[[Path], None], read: Callable[[Path], Result]) -> Result:
        """The result of `key` as `read` finds it in its folder; `make` fills the folder where there is none."""
        folder = self.folder(key)
        with suppress(*_UNREADABLE):
            return self._read(folder, read)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _held(folder):
            with suppress(*_UNREADABLE):  # another process may just have made it
                return self._read(folder, read)
            self._make(key, folder, make)
            return read(folder)

    def holds(self, key: Key) -> bool:
        """Whether a complete result of `key` is there, and may be used."""
        if self.afresh is None:
            return (self.folder(key) / _MADE).is_file()
        with suppress(*_UNREADABLE):
            return bool(self.record(key)["command"] == self.afresh)
        return False

    def record(self, key: Key) -> dict[str, Any]:
        """What is written beside the result of `key`: inputs, origin, when it was made, in how many seconds, attempts and MiB."""
        record: dict[str, Any] = json.loads((self.folder(key) / _MADE).read_text())
        return record

    def _read(self, folder: Path, read: Callable[[Path], Result]) -> Result:
        record = json.loads((folder / _MADE).read_text())
        if self.afresh not in (None, record["command"]):
            raise RunError(f"{folder}: was made by another command")
        result = read(folder)
        with suppress(OSError):  # a store that may only be read
            os.utime(folder / _MADE)
        return result

    def _make(self, key: Key, folder: Path, make: Callable[[Path], None]) -> None:
        part = _part(folder)
        if folder.exists() or self.afresh is not None:
            _discard(folder)
        part.mkdir(exist_ok=True)
        remove_unfinished(part)
        attempts, earlier = _earlier_attempts(part)
        began = time.time()
        write_json(part / _ATTEMPT, {"attempts": attempts + 1, "earlier": earlier, "began": began})
        memory = follow_memory()
        make(part)
        record = {
            "stage": key.stage,
            "version": key.version,
            "inputs": key.inputs,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(earlier + time.time() - began, 3),
            "attempts": attempts + 1,
            "memory": asdict(memory()),  # of the last attempt
            "command": self.afresh,
            "origin": self.origin,
        }
        (part / _ATTEMPT).unlink()
        write_json(part / _MADE, record)
        part.rename(folder)
        self.made.append(key)
        line = {"fingerprint": key.fingerprint, **{name: record[name] for name in ("stage", "made", "seconds")}}
        # one short write, which processes do not interleave; the result is complete without it
        with suppress(OSError), (self.root / _JOURNAL).open("a") as journal:
            journal.write(json.dumps(line) + "\n")

    def journal(self) -> list[dict[str, Any]]:
        """One line per result that was ever made here, oldest first: stage, fingerprint, when, seconds."""
        path, lines = self.root / _JOURNAL, []
        for line in path.read_text().splitlines() if path.exists() else []:
            with suppress(ValueError):  # cut by a full disk
                lines.append(json.loads(line))
        return lines

    def stored(self) -> Iterator[Artefact]:
        """All complete results, by stage; one that cannot be read is left out."""
        for made in sorted(self.root.glob(f"*/*/{_MADE}")):
            if made.parent.suffix == _PART:
                continue
            with suppress(*_UNREADABLE):  # also one that another process removes meanwhile
                yield _artefact(made)

    def prune(self, unused_seconds: float) -> list[Artefact]:
        """Remove results unused for at least that long, and unfinished ones that nobody is making; returns the results."""
        removed = []
        for artefact in self.stored():
            if artefact.unused_seconds >= unused_seconds and _remove(artefact.path, unused_seconds):
                removed.append(artefact)
        for part in self.root.glob(f"*/*{_PART}"):
            _remove(part, unused_seconds)
        return removed


def _artefact(made: Path) -> Artefact:
    record = json.loads(made.read_text())
    return Artefact(
        made.parent,
        record["stage"],
        record["version"],
        record["inputs"],
        record["made"],
        record["seconds"],
        sum(file.stat().st_size for file in made.parent.rglob("*") if file.is_file()) / 1e6,
        time.time() - made.stat().st_mtime,
    )


def _part(folder: Path) -> Path:
    return folder.with_name(folder.name + _PART)


def _latest(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def _earlier_attempts(part: Path) -> tuple[int, float]:
    """How often it was tried, and the seconds up to what those attempts left last."""
    try:
        attempt = json.loads((part / _ATTEMPT).read_text())
        return attempt["attempts"], attempt["earlier"] + max(0.0, _latest(part) - attempt["began"])
    except _UNREADABLE:
        return 0, 0.0


@contextmanager
def _held(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a result. Raises BlockingIOError where another process has it and `wait` is off."""
    with folder.with_name(folder.name.removesuffix(_PART) + _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def _remove(folder: Path, unused_seconds: float) -> bool:
    """Remove a result or what an attempt at it left, unless a process holds its lock or has used it meanwhile."""
    try:
        with _held(folder, wait=False):
            used = _latest(folder) if folder.suffix == _PART else (folder / _MADE).stat().st_mtime
            if time.time() - used < unused_seconds:
                return False
            if folder.suffix == _PART:
                shutil.rmtree(folder)
            else:
                _discard(folder)
    except (BlockingIOError, FileNotFoundError, PermissionError):
        return False
    return True


def _discard(folder: Path) -> None:
    """Remove a result under its lock, renamed first, so that a kill in between leaves no half result under a whole one's name."""
    shutil.rmtree(_part(folder), ignore_errors=True)
    if folder.exists():
        folder.rename(_part(folder))
        shutil.rmtree(_part(folder))
