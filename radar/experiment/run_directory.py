"""The run directory: what a run leaves behind, and in which order, so that half a run is never taken for a whole one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radar.errors import Interrupted, RunError
from radar.evaluation.metrics import Metrics
from radar.files import remove_unfinished, write_json
from radar.model_folder import FOLDER

DIRECTORY_DIGITS = 12  # of the fingerprint, in the directory's name


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
    def named(root: Path, name: str, fingerprint: str) -> RunDirectory:
        """The directory of the run that computes `fingerprint`."""
        return RunDirectory(root / f"{name}-{fingerprint[:DIRECTORY_DIGITS]}")

    def read_status(self) -> dict[str, Any]:
        """The content of `status.json`; an empty dictionary for a run that never started."""
        try:
            status: dict[str, Any] = json.loads(self.status.read_text())
        except FileNotFoundError:
            return {}
        return status

    def read_metrics(self) -> Metrics:
        """The metrics of a done run. Raises `RunError` where it is not done, or of another version."""
        if not self.path.is_dir():
            raise RunError(f"{self.path}: no such run directory")
        if self.read_status().get("state") != "done":
            raise RunError(f"{self.path}: the run is not done; start it again with the same command")
        try:
            return Metrics.from_dict(json.loads(self.metrics.read_text()))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.metrics}: not a whole run of this version ({error}); run it again with --force"
            ) from None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other process from this run. Raises `RunError` at once where another one has it.

        The lock lies beside the directory, so that it outlives `clear`; the kernel frees that of a process that dies.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f".{self.path.name}.lock").open("w") as lock:
            for wait in (0.1, 0.3, 0.6, None):  # who asks whether it is held holds it for an instant
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if wait is None:
                        raise RunError(
                            f"{self.path}: another process is computing this run; wait for it or change the config"
                        ) from None
                    time.sleep(wait)
            yield

    def is_held(self) -> bool:
        """Whether a living process computes this run."""
        try:
            with self.path.with_name(f".{self.path.name}.lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def clear(self) -> None:
        """Remove whatever an earlier run left, its status first: half of a run must not say that it is done."""
        self.status.unlink(missing_ok=True)
        if self.path.exists():
            shutil.rmtree(self.path)

    @contextmanager
    def recorded(self, fingerprint: str) -> Iterator[None]:
        """Keep the status of the body: running, then done, failed or interrupted."""
        self.path.mkdir(exist_ok=True)
        remove_unfinished(self.path)
        began = time.time()
        record = {"fingerprint": fingerprint, "process": os.getpid(), "started": _clock(began)}
        write_json(self.status, {"state": "running", **record})
        try:
            yield
        except BaseException as error:
            # a full disk may be why it failed: then the status stays at running, which nobody reads as done
            with suppress(OSError):
                write_json(self.status, {**_ending(error), **record, "ended": _clock(time.time())})
            raise
        ended = time.time()
        write_json(self.status, {"state": "done", **record, "ended": _clock(ended), "seconds": round(ended - began, 3)})


def _ending(error: BaseException) -> dict[str, str]:
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return {"state": "interrupted"}
    return {"state": "failed", "error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
