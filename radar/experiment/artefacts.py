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
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from radar.files import write_json

# raised when the same inputs would give another result
VERSIONS = {"network": 1, "noise_maps": 1, "features": 1, "pixel_metrics": 1, "noise_statistics": 1, "data_measures": 1}
_DIGITS = 20  # of a fingerprint, in names
_PART, _LOCK, _MADE, _JOURNAL = ".part", ".lock", "made.json", "journal.jsonl"


@dataclass(frozen=True)
class Key:
    """A stage and all that its result depends on, as plain values; other stages are named by their own inputs."""

    stage: str
    inputs: dict[str, Any]

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal digits: equal for equal stage, version and inputs."""
        content = {"stage": self.stage, "version": VERSIONS[self.stage], "inputs": self.inputs}
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


class ArtefactStore:
    """Folders `root/STAGE/FINGERPRINT/`, each complete from the moment it has its name.

    A result is made in a folder of another name under a lock, then renamed; who finds the lock taken waits for the result. The
    kernel frees the lock of a process that dies, and the next one goes on with what that left. With `afresh`, what is there
    is made again, once per store object. `made` lists what this object made, in order.
    """

    def __init__(self, root: Path, *, afresh: bool = False) -> None:
        self.root = root
        self.afresh = afresh
        self.made: list[Key] = []
        self._seen: set[str] = set()

    def folder(self, key: Key) -> Path:
        """Where the result of `key` lies, or would lie."""
        return self.root / key.stage / key.fingerprint

    def take(self, key: Key, make: Callable[[Path], None]) -> Path:
        """The folder with the result of `key`; `make` fills it where it is not there yet."""
        folder = self.folder(key)
        if self._ready(key, folder):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _held(folder.with_name(folder.name + _LOCK)):
            if not self._ready(key, folder):  # another process may just have made it
                self._make(key, folder, make)
        return folder

    def _ready(self, key: Key, folder: Path) -> bool:
        if self.afresh and key.fingerprint not in self._seen:
            return False
        if not folder.is_dir():
            return False
        with suppress(OSError):  # a store that may only be read
            os.utime(folder / _MADE)
        return True

    def _make(self, key: Key, folder: Path, make: Callable[[Path], None]) -> None:
        part = folder.with_name(folder.name + _PART)
        if self.afresh:
            for old in (folder, part):
                shutil.rmtree(old, ignore_errors=True)
        part.mkdir(exist_ok=True)
        began = time.time()
        make(part)
        record = {
            "stage": key.stage,
            "version": VERSIONS[key.stage],
            "inputs": key.inputs,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": round(time.time() - began, 3),
        }
        write_json(part / _MADE, record)
        part.rename(folder)
        self._seen.add(key.fingerprint)
        self.made.append(key)
        line = {"fingerprint": key.fingerprint, **{name: record[name] for name in ("stage", "made", "seconds")}}
        with (self.root / _JOURNAL).open("a") as journal:  # one short write, which processes do not interleave
            journal.write(json.dumps(line) + "\n")

    def seconds(self, key: Key) -> float:
        """How long the last attempt at the result of `key` took."""
        return float(json.loads((self.folder(key) / _MADE).read_text())["seconds"])

    def journal(self) -> list[dict[str, Any]]:
        """One line per result that was ever made here, oldest first: stage, fingerprint, when, seconds."""
        path = self.root / _JOURNAL
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def stored(self) -> Iterator[Artefact]:
        """All complete results, by stage."""
        for made in sorted(self.root.glob(f"*/*/{_MADE}")):
            if made.parent.suffix == _PART:
                continue
            record = json.loads(made.read_text())
            yield Artefact(
                made.parent,
                record["stage"],
                record["version"],
                record["inputs"],
                record["made"],
                record["seconds"],
                sum(file.stat().st_size for file in made.parent.rglob("*") if file.is_file()) / 1e6,
                time.time() - made.stat().st_mtime,
            )

    def prune(self, unused_seconds: float) -> list[Artefact]:
        """Remove results unused for at least that long, and unfinished ones that nobody is making; returns the results."""
        removed = []
        for artefact in self.stored():
            if artefact.unused_seconds >= unused_seconds and _remove(artefact.path):
                removed.append(artefact)
        for part in self.root.glob(f"*/*{_PART}"):
            if time.time() - part.stat().st_mtime >= unused_seconds:
                _remove(part.with_suffix(""))
        return removed


@contextmanager
def _held(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock file `path`. Raises BlockingIOError where another process has it and `wait` is off."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def _remove(folder: Path) -> bool:
    """Remove a result and what an attempt at it left, unless a process holds its lock."""
    try:
        with _held(folder.with_name(folder.name + _LOCK), wait=False):
            # renamed first, so that a kill in between leaves no half result under a whole one's name
            part = folder.with_name(folder.name + _PART)
            shutil.rmtree(part, ignore_errors=True)
            if folder.is_dir():
                folder.rename(part)
                shutil.rmtree(part)
    except BlockingIOError:
        return False
    return True
