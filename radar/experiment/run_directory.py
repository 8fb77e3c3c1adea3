"""The run directory: what a run leaves behind, and in which order, so that half a run is never taken for a whole one."""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from radar.data.sample import SPLITS
from radar.errors import Interrupted, RunError, StoredError
from radar.evaluation.metrics import Metrics
from radar.evaluation.typed_sections import read_section
from radar.experiment.command import COMMAND_FILE
from radar.experiment.environment import check_environment
from radar.experiment.log import LOG_FILE
from radar.files import (
    locked,
    make_folder,
    read_csv,
    read_json,
    read_yaml,
    remove_unfinished,
    sha256,
    unreadable,
    write_json,
    writing,
)
from radar.model_folder import FOLDER
from radar.runtime.files import difference
from radar.runtime.numbers import number
from radar.thresholds import has_versions

Content = TypeVar("Content")

DIRECTORY_DIGITS = 12  # of the fingerprint, in the directory's name
WANDB_FOLDER = "wandb"  # where W&B itself puts it
REMEDY = "run it again with --force"


@dataclass(frozen=True)
class Status:
    """What `status.json` says; `missing` of a run that never started."""

    state: str = "missing"
    fingerprint: str = ""
    process: int | None = None
    started: str = ""  # UTC
    ended: str = ""  # UTC
    seconds: float | None = None  # that a done run took
    error: str | None = None
    traceback: str | None = None
    files: dict[str, str] | None = (
        None  # of a done run: SHA-256 of what its results are read from; older versions stated none
    )


@dataclass(frozen=True)
class RunDirectory:
    """Names of the files below one run's folder; `status.json` says done last of all."""

    path: Path

    config = property(lambda self: self.path / "config.yaml")
    status = property(lambda self: self.path / "status.json")
    metrics = property(lambda self: self.path / "metrics.json")
    scores = property(lambda self: self.path / "scores.csv")
    environment = property(lambda self: self.path / "environment.json")
    manifest = property(lambda self: self.path / "manifest.csv")
    history = property(lambda self: self.path / "history.csv")
    model = property(lambda self: self.path / FOLDER)
    panels = property(lambda self: self.path / "panels.npz")
    figures = property(lambda self: self.path / "figures")

    @staticmethod
    def at(path: Path) -> RunDirectory:
        """The directory that a user names, by its own name where that is `.` or ends in `..`."""
        return RunDirectory(path if path.name not in ("", "..") else Path(os.path.realpath(path)))

    @staticmethod
    def named(root: Path, name: str, fingerprint: str) -> RunDirectory:
        """The directory of the run that computes `fingerprint`."""
        return RunDirectory(root / f"{name}-{fingerprint[:DIRECTORY_DIGITS]}")

    def read_status(self) -> Status:
        """The content of `status.json`. Raises `StoredError`."""
        try:
            return read_section(Status, read_json(self.status, REMEDY), "status")
        except FileNotFoundError:
            return Status()
        except ValueError as error:
            raise unreadable(self.status, error, REMEDY) from None

    def read_environment(self) -> dict[str, Any]:
        """Where it was computed. Raises `StoredError`."""
        values = self._read(read_json, self.environment)
        try:
            check_environment(values)
        except ValueError as error:
            raise unreadable(self.environment, error, REMEDY) from None
        return values

    def read_config(self) -> dict[str, Any]:
        """The keys that its method reads. Raises `StoredError`."""
        return self._read(read_yaml, self.config)

    def read_scores(self) -> tuple[list[str], list[dict[str, str]]]:
        """Columns and rows. Raises `StoredError`, also where a row cannot be one of a run."""
        columns, rows = self._read(read_csv, self.scores)
        try:
            _check_rows(rows)
        except (KeyError, ValueError) as error:
            raise unreadable(self.scores, error, REMEDY) from None
        return columns, rows

    def check_files(self, *names: str) -> None:
        """Raise `StoredError` for the first file of a done run, or of those of `names`, that is not as it was written."""
        for name, stated in (self.read_status().files or {}).items():
            if names and name not in names:
                continue
            if found := difference(self.path / name, stated):
                raise StoredError(f"{self.path / name}: {found}; {REMEDY}")

    def _read(self, read: Callable[[Path, str], Content], path: Path) -> Content:
        try:
            return read(path, REMEDY)
        except FileNotFoundError:
            raise StoredError(f"{path}: is missing, so this is not a whole run; {REMEDY}") from None

    def read_metrics(self) -> Metrics:
        """The metrics of a done run. Raises `RunError` where it is not done, or of another version."""
        if not self.path.is_dir():
            raise RunError(f"{self.path}: no such run directory")
        if self.read_status().state != "done":
            raise RunError(f"{self.path}: the run is not done; start it again with the same command")
        self.check_files()
        try:
            return Metrics.from_dict(self._read(read_json, self.metrics))
        except ValueError as error:
            raise RunError(f"{self.metrics}: not a whole run of this version ({error}); {REMEDY}") from None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other process from this run. Raises `RunError` at once where another one has it, or where a link lies in it.

        The lock lies beside the directory, so that it outlives `clear`; the kernel frees that of a process that dies.
        """
        make_folder(self.path.parent)
        with ExitStack() as holding:
            for wait in (0.1, 0.3, 0.6, None):  # who asks whether it is held holds it for an instant
                try:
                    holding.enter_context(locked(self._lock, wait=False))
                    break
                except BlockingIOError:
                    if wait is None:
                        raise RunError(
                            f"{self.path}: another process is computing this run; wait for it or change the config"
                        ) from None
                    time.sleep(wait)
            for entry in self.path.glob("*"):
                if entry.is_symlink():
                    raise RunError(f"{entry}: is a link, behind which this run would write; remove it")
            yield

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f".{self.path.name}.lock")

    def is_held(self) -> bool:
        """Whether a living process computes this run."""
        try:
            with self._lock.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # there is none, or none can be had: then nobody holds it
            return False
        return False

    def clear(self) -> None:
        """Remove what an earlier run left, its status first: half of a run must not say that it is done. What others put there stays,
        such as reviews and predictions.

        Raises `RunError` where its model has thresholds that were made by hand, which would be lost.
        """
        if has_versions(self.model):
            raise RunError(
                f"{self.model}: has thresholds that were made after the run (radar calibrate --list) and would be lost; name another "
                "output_root, or remove the run's folder"
            )
        with writing(self.path):
            self.status.unlink(missing_ok=True)
            for folder in (self.model, self.figures, self.path / WANDB_FOLDER):
                if folder.exists():
                    shutil.rmtree(folder)
            for file in (*self.results, self.path / LOG_FILE, self.path / COMMAND_FILE):
                file.unlink(missing_ok=True)

    @property
    def results(self) -> tuple[Path, ...]:
        """Files that its results are read from."""
        return self.config, self.metrics, self.scores, self.environment, self.manifest, self.history, self.panels

    @contextmanager
    def recorded(self, fingerprint: str) -> Iterator[None]:
        """Keep the status of the body: running, then done, failed or interrupted."""
        make_folder(self.path)
        remove_unfinished(self.path)
        began = time.monotonic()  # clocks are set while runs compute
        record = {"fingerprint": fingerprint, "process": os.getpid(), "started": _clock(time.time())}
        write_json(self.status, {"state": "running", **record})
        try:
            yield
        except BaseException as error:
            # a full disk may be why it failed: then the status stays at running, which nobody reads as done
            with suppress(OSError):
                write_json(self.status, {**_ending(error), **record, "ended": _clock(time.time())})
            raise
        ending = {
            "ended": _clock(time.time()),
            "seconds": round(time.monotonic() - began, 3),
            "files": {file.name: sha256(file) for file in self.results if file.exists()},
        }
        write_json(self.status, {"state": "done", **record, **ending})


def _ending(error: BaseException) -> dict[str, str]:
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return {"state": "interrupted"}
    return {"state": "failed", "error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _check_rows(rows: Sequence[Mapping[str, str]]) -> None:
    """Raises `KeyError` or `ValueError` for values that no run writes, and images that come twice."""
    for row in rows:
        if row["split"] not in SPLITS or {row["label"], row["decision"]} - {"0", "1"}:
            told = ", ".join(f"{name} {row[name]!r}" for name in ("split", "label", "decision"))
            raise ValueError(f"{row['path']} has {told}")
        if not math.isfinite(number(row["score"])):
            raise ValueError(f"{row['path']} has the score {row['score']}")
    if len({row["path"] for row in rows}) < len(rows):
        raise ValueError("an image stands in it twice")
    if not any(row["split"] == "test" for row in rows):
        raise ValueError("no test image stands in it")
