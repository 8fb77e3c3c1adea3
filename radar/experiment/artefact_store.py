"""The artefact store: every stage's result under the fingerprint of what it depends on, made once by who needs it first."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError

from radar.errors import RunError, StoredError
from radar.experiment.memory import follow_memory
from radar.files import locked, make_folder, make_subfolder, read_json, remove_unfinished, sha256, write_json, writing
from radar.memory import is_out_of_memory
from radar.runtime.entries import typed
from radar.runtime.files import difference

_DIGITS = 20  # of a fingerprint, in names
PART, _LOCK, MADE, _ATTEMPT = ".part", ".lock", "made.json", "attempt.json"
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    SafetensorError,
    RunError,
)
_REMEDY = "it is made again"
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


@dataclass
class ArtefactStore:
    """Folders `root/STAGE/FINGERPRINT/`, each complete from the moment it has its name.

    A result is made in a folder of another name under a lock, then renamed; who finds the lock taken waits for the result. The
    kernel frees the lock of a process that dies, and the next one goes on with what that left. The checksums of a result's files
    are looked at whenever it is read; what is damaged is made again, and `notes` say so. With `afresh`, the name of a command, so
    is what another command made.
    """

    root: Path
    afresh: str | None = None
    origin: dict[str, Any] = field(default_factory=dict)  # versions and device, written beside each result
    made: list[Key] = field(default_factory=list)  # by this object, in order
    notes: list[str] = field(default_factory=list)  # one-line remarks for the user

    def folder(self, key: Key) -> Path:
        """Where the result of `key` lies, or would lie."""
        return self.root / key.stage / key.fingerprint

    def take(self, key: Key, make: Callable[[Path], None], read: Callable[[Path], Result]) -> Result:
        """The result of `key` as `read` finds it in its folder; `make` fills the folder where there is none."""
        folder = self.folder(key)
        with suppress(*UNREADABLE):
            return self._read(key, read)
        make_subfolder(self.root, key.stage)
        with locked(lock_of(folder)):
            try:  # another process may just have made it
                return self._read(key, read)
            except FileNotFoundError as error:
                damage = f"{Path(str(error.filename)).name} is missing" if folder.exists() else ""
            except _MadeByAnotherCommandError:
                damage = ""
            except UNREADABLE as error:
                if is_out_of_memory(error):  # of a GPU, which says nothing of the file
                    raise
                damage = str(error) or type(error).__name__
            if damage:
                self.notes.append(
                    f"{folder}: a stored result was damaged ({' '.join(damage.split())}), and is made again"
                )
            self._make(key, folder, make)
            return read(folder)

    def holds(self, key: Key) -> bool:
        """Whether a complete result of `key` is there, and may be used."""
        if self.afresh is None:
            return (self.folder(key) / MADE).is_file()
        with suppress(*UNREADABLE):
            return bool(self.record(key)["command"] == self.afresh)
        return False

    def record(self, key: Key) -> dict[str, Any]:
        """What is written beside the result of `key`: inputs, origin, when it was made, in how many seconds, attempts and MiB."""
        return read_json(self.folder(key) / MADE, _REMEDY)

    def damage(self, key: Key) -> str:
        """What would have the stored result of `key` made again, in words; empty where it is whole. Every byte of it is read."""
        try:
            self._check(key)
        except UNREADABLE as error:
            return str(error) or type(error).__name__
        return ""

    def _read(self, key: Key, read: Callable[[Path], Result]) -> Result:
        self._check(key)
        folder = self.folder(key)
        result = read(folder)
        with suppress(OSError):  # a store that may only be read
            os.utime(folder / MADE)
        return result

    def _check(self, key: Key) -> None:
        """Raises one of `UNREADABLE` where no whole result of `key` is there that may be used."""
        folder, asked = self.folder(key), json.loads(json.dumps(asdict(key)))
        record = read_json(folder / MADE, _REMEDY)
        if any(record[name] != value for name, value in asked.items()):
            raise StoredError("it is what another stage or other inputs gave")
        if self.afresh not in (None, record["command"]):
            raise _MadeByAnotherCommandError
        for name, stated in record.get("files", {}).items():  # results of older versions state none
            if found := difference(folder / name, stated):
                raise StoredError(f"{name} {found}")

    def _make(self, key: Key, folder: Path, make: Callable[[Path], None]) -> None:
        part = part_of(folder)
        if folder.exists() or part.is_symlink() or self.afresh is not None:
            discard(folder)
        make_folder(part)
        remove_unfinished(part)
        attempts, earlier = _earlier_attempts(part)
        began = time.monotonic()  # clocks are set while results are made
        write_json(part / _ATTEMPT, {"attempts": attempts + 1, "earlier": earlier, "began": time.time()})
        memory = follow_memory()
        make(part)
        record = {
            "stage": key.stage,
            "version": key.version,
            "inputs": key.inputs,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(earlier + time.monotonic() - began, 3),
            "attempts": attempts + 1,
            "memory": asdict(memory()),  # of the last attempt
            "command": self.afresh,
            "origin": self.origin,
        }
        with writing(part):
            (part / _ATTEMPT).unlink()
            record["files"] = {file.relative_to(part).as_posix(): sha256(file) for file in files_of(part)}
        write_json(part / MADE, record)
        with writing(folder):
            part.rename(folder)
        self.made.append(key)


class _MadeByAnotherCommandError(RunError):
    """A result that is made again because that was asked for."""


def files_of(folder: Path) -> list[Path]:
    """Below a folder, in order."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def lock_of(folder: Path) -> Path:
    """Of a result, or of an attempt at it."""
    return folder.with_name(folder.name.removesuffix(PART) + _LOCK)


def part_of(folder: Path) -> Path:
    """Where a result is made."""
    return folder.with_name(folder.name + PART)


def latest_change(folder: Path) -> float:
    """Of a folder and of all below it, in seconds since 1970."""
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def _earlier_attempts(part: Path) -> tuple[int, float]:
    """How often it was tried, and the seconds up to what those attempts left last."""
    try:
        attempt = read_json(part / _ATTEMPT, _REMEDY)
        attempts, earlier = typed(int, attempt["attempts"], "attempts"), typed(float, attempt["earlier"], "earlier")
        return attempts, earlier + max(0.0, latest_change(part) - typed(float, attempt["began"], "began"))
    except UNREADABLE:
        return 0, 0.0


def discard(folder: Path) -> None:
    """Remove a result under its lock, renamed first, so that a kill in between leaves no half result under a whole one's name."""
    if part_of(folder).is_symlink():
        with writing(folder):
            part_of(folder).unlink()
    shutil.rmtree(part_of(folder), ignore_errors=True)
    if folder.exists():
        with writing(folder):
            folder.rename(part_of(folder))
            shutil.rmtree(part_of(folder))
