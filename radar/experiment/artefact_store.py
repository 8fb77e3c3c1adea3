"""The artefact store: every stage's result under the fingerprint of what it depends on, made once by who needs it first."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from safetensors import SafetensorError

from radar.errors import RunError, StoredError
from radar.experiment.memory import follow_memory
from radar.files import locked, make_folder, make_subfolder, read_json, remove_unfinished, sha256, write_json, writing
from radar.memory import is_out_of_memory
from radar.runtime.entries import typed
from radar.runtime.files import difference

_DIGITS = 20  # of a fingerprint, in names
_PART, _LOCK, _MADE, _ATTEMPT = ".part", ".lock", "made.json", "attempt.json"
_UNREADABLE = (
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
        with suppress(*_UNREADABLE):
            return self._read(key, read)
        make_subfolder(self.root, key.stage)
        with locked(_lock(folder)):
            try:  # another process may just have made it
                return self._read(key, read)
            except FileNotFoundError as error:
                damage = f"{Path(str(error.filename)).name} is missing" if folder.exists() else ""
            except _MadeByAnotherCommandError:
                damage = ""
            except _UNREADABLE as error:
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
            return (self.folder(key) / _MADE).is_file()
        with suppress(*_UNREADABLE):
            return bool(self.record(key)["command"] == self.afresh)
        return False

    def record(self, key: Key) -> dict[str, Any]:
        """What is written beside the result of `key`: inputs, origin, when it was made, in how many seconds, attempts and MiB."""
        return read_json(self.folder(key) / _MADE, _REMEDY)

    def _read(self, key: Key, read: Callable[[Path], Result]) -> Result:
        folder, asked = self.folder(key), json.loads(json.dumps(asdict(key)))
        record = read_json(folder / _MADE, _REMEDY)
        if any(record[name] != value for name, value in asked.items()):
            raise StoredError("it is what another stage or other inputs gave")
        if self.afresh not in (None, record["command"]):
            raise _MadeByAnotherCommandError
        for name, stated in record.get("files", {}).items():  # results of older versions state none
            if found := difference(folder / name, stated):
                raise StoredError(f"{name} {found}")
        result = read(folder)
        with suppress(OSError):  # a store that may only be read
            os.utime(folder / _MADE)
        return result

    def _make(self, key: Key, folder: Path, make: Callable[[Path], None]) -> None:
        part = _part(folder)
        if folder.exists() or part.is_symlink() or self.afresh is not None:
            _discard(folder)
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
            record["files"] = {file.relative_to(part).as_posix(): sha256(file) for file in _files(part)}
        write_json(part / _MADE, record)
        with writing(folder):
            part.rename(folder)
        self.made.append(key)

    def stored(self) -> Iterator[Artefact]:
        """All complete results, by stage; one that cannot be read is left out."""
        for made in self._descriptions():
            with suppress(*_UNREADABLE):  # also one that another process removes meanwhile
                yield _artefact(made)

    def prune(self, unused_seconds: float) -> tuple[list[Artefact], list[Remnant]]:
        """Remove results unused for at least that long, and what is left of damaged and unfinished ones; returns both.

        What lies behind a link, of a result or of its stage, is another's and stays.
        """
        own = (artefact for artefact in self.stored() if not _is_elsewhere(artefact.path))
        removed = [artefact for artefact in own if _remove(artefact.path, unused_seconds)]
        return removed, [each for each in self.remnants() if _remove(each.path, unused_seconds)]

    def remnants(self) -> list[Remnant]:
        """What is left of damaged results, and of unfinished ones, which the same command goes on from; nothing behind a link."""
        whole = {artefact.path for artefact in self.stored()}
        damaged = [made.parent for made in self._descriptions() if made.parent not in whole]
        folders = [*damaged, *sorted(self.root.glob(f"*/*{_PART}"))]
        return [Remnant(each, _megabytes(each), each.suffix == _PART) for each in folders if not _is_elsewhere(each)]

    def damaged(self) -> Iterator[str]:
        """One line for each result whose description cannot be read; whoever asks for it makes it again."""
        for made in self._descriptions():
            try:
                _artefact(made)
            except FileNotFoundError:
                pass  # another process has just removed it
            except _UNREADABLE as error:
                yield (
                    str(error)
                    if isinstance(error, StoredError)
                    else f"{made}: is none of a result ({error!r}); {_REMEDY}"
                )

    def _descriptions(self) -> Iterator[Path]:
        return (made for made in sorted(self.root.glob(f"*/*/{_MADE}")) if made.parent.suffix != _PART)


class _MadeByAnotherCommandError(RunError):
    """A result that is made again because that was asked for."""


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
    return sum(file.stat().st_size for file in _files(folder)) / 1e6


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _lock(folder: Path) -> Path:
    return folder.with_name(folder.name.removesuffix(_PART) + _LOCK)


def _part(folder: Path) -> Path:
    return folder.with_name(folder.name + _PART)


def _latest(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def _earlier_attempts(part: Path) -> tuple[int, float]:
    """How often it was tried, and the seconds up to what those attempts left last."""
    try:
        attempt = read_json(part / _ATTEMPT, _REMEDY)
        attempts, earlier = typed(int, attempt["attempts"], "attempts"), typed(float, attempt["earlier"], "earlier")
        return attempts, earlier + max(0.0, _latest(part) - typed(float, attempt["began"], "began"))
    except _UNREADABLE:
        return 0, 0.0


def _remove(folder: Path, unused_seconds: float) -> bool:
    """Remove a result or what an attempt at it left, unless a process holds its lock or has used it meanwhile."""
    try:
        with locked(_lock(folder), wait=False):
            used = _latest(folder) if folder.suffix == _PART else (folder / _MADE).stat().st_mtime
            if time.time() - used < unused_seconds:
                return False
            if folder.suffix == _PART:
                shutil.rmtree(folder)
            else:
                _discard(folder)
    except OSError:  # held, gone meanwhile, or not ours
        return False
    return True


def _discard(folder: Path) -> None:
    """Remove a result under its lock, renamed first, so that a kill in between leaves no half result under a whole one's name."""
    if _part(folder).is_symlink():
        with writing(folder):
            _part(folder).unlink()
    shutil.rmtree(_part(folder), ignore_errors=True)
    if folder.exists():
        with writing(folder):
            folder.rename(_part(folder))
            shutil.rmtree(_part(folder))
