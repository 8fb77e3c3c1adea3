"""What is known of a sweep beside its runs: which jobs it has, where each of them computes, and how far they are."""

from __future__ import annotations

import hashlib
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radar.errors import RunError, StoredError
from radar.experiment.run_directory import RunDirectory
from radar.files import make_subfolder, read_json, unreadable, write_json

SWEEPS_FOLDER = "sweeps"  # below output_root
JOBS_FOLDER = "jobs"  # below a sweep's own: a file for each job that was started
_REMEDY = "start the sweep again with the same command, which finds what is done"


@dataclass(frozen=True)
class JobState:
    """One job: done, running, failed, interrupted or missing."""

    name: str  # what tells it from the others
    state: str
    directory: Path | None
    seconds: float | None  # that a done run took
    error: str | None


@dataclass(frozen=True)
class Sweep:
    """A folder with the list of jobs, and one small file for each that was started."""

    path: Path

    @staticmethod
    def of(root: Path, jobs: Sequence[str]) -> Sweep:
        """The sweep of these jobs, whatever their order: each is given by its overrides in one string."""
        digits = hashlib.sha256("\n".join(sorted(jobs)).encode()).hexdigest()[:12]
        return Sweep(root / SWEEPS_FOLDER / digits)

    @staticmethod
    def at(path: Path) -> Sweep:
        """The sweep that a user names by its folder: its jobs lie above it, whatever link or `.` names it."""
        return Sweep(Path(os.path.realpath(path)))

    @staticmethod
    def named(root: Path, name: str) -> Sweep:
        """The sweep of that name below `root`, or at that path. Raises `RunError` where there is none."""
        for sweep in (Sweep.at(root / SWEEPS_FOLDER / name), Sweep.at(Path(name))):
            if sweep.is_there:
                return sweep
        there = ", ".join(sweep.path.name for sweep in sweeps(root)) or "none"
        raise RunError(f"{name}: no such sweep below {root / SWEEPS_FOLDER}; there are: {there}")

    def begin(self, command: Sequence[str], jobs: Sequence[str] | None) -> None:
        """Write down which jobs there are, in the order of this command; None for a search, which finds them as it goes.

        Raises `WriteError`.
        """
        names = None if jobs is None else list(jobs)
        make_subfolder(self.path.parent.parent, self.path.parent.name, self.path.name, JOBS_FOLDER)
        content: dict[str, Any] = {"command": list(command), "jobs": names, "started": _now()}
        with suppress(StoredError):  # of a search that goes on, or has ended: this command may yet be refused
            content["searching"] = self.is_there and self.is_searching
        write_json(self.path / "sweep.json", content)

    def mark_search(self, *, searching: bool) -> None:
        """Write down whether a search has trials left. Raises `StoredError`, `WriteError`."""
        write_json(self.path / "sweep.json", {**self.content(), "searching": searching})

    @property
    def is_searching(self) -> bool:
        """Whether a search has trials left: they run, or its command makes them. Raises `StoredError`."""
        return bool(self.content().get("searching"))  # those of older versions do not say

    def content(self) -> dict[str, Any]:
        """Command, jobs and start of the latest command that ran this sweep. Raises `StoredError`."""
        file = self.path / "sweep.json"
        try:
            content = read_json(file, _REMEDY)
        except FileNotFoundError as error:
            raise unreadable(file, error, _REMEDY) from None
        lists = (content.get("command"), content.get("jobs") if content.get("jobs") is not None else [])
        is_told = isinstance(content.get("started"), str) and isinstance(content.get("searching", False), bool)
        if not is_told or not all(map(_is_words, lists)):
            raise unreadable(file, ValueError("it is not of a sweep"), _REMEDY)
        return content

    def _file(self, name: str) -> Path:
        same = " ".join(sorted(name.split()))  # whatever the order of the command's axes
        return self.path / JOBS_FOLDER / f"{hashlib.sha256(same.encode()).hexdigest()[:16]}.json"

    def begin_job(self, name: str, directory: Path, command: str) -> None:
        """Write down where a job computes, for the command of that name, and whether a run is done there already."""
        done_before = self._done_before(directory.name)
        self._write(name, directory=directory.name, error=None, done_before=done_before, command=command)

    def fail_job(self, name: str, error: str, command: str) -> None:
        """Write down why a job of that command cannot compute.

        Where it failed before it was known where it computes, what an earlier command made is not its own; what another one computes
        by now goes on, and counts in its place.
        """
        record = self._record(name)
        if record.get("command") != command and self._is_computed(record):
            return
        begun = record if record.get("command") == command else {}
        directory, done_before = begun.get("directory"), begun.get("done_before")
        self._write(name, directory=directory, error=error, done_before=done_before, command=command)

    def _is_computed(self, record: Mapping[str, Any]) -> bool:
        directory = record.get("directory")
        return directory is not None and RunDirectory(self.root / directory).is_held()

    def _done_before(self, directory: str) -> str | None:
        """When the run ended that lies there already; None where none is done."""
        try:
            status = RunDirectory(self.root / directory).read_status()
        except (FileNotFoundError, StoredError):
            return None
        return status.ended if status.state == "done" else None

    def _write(self, name: str, **content: str | None) -> None:
        first = self._record(name).get("first", time.time())
        write_json(self._file(name), {"name": name, "first": first, **content})

    def _record(self, name: str) -> dict[str, Any]:
        try:
            return _job_record(self._file(name))
        except (FileNotFoundError, StoredError):  # what cannot be read is written anew when the job starts
            return {}

    def job(self, name: str) -> JobState:
        """How far one job is; a run whose process is gone is interrupted, one whose files are damaged has failed."""
        record = self._record(name)
        directory, error = record.get("directory"), record.get("error")
        if directory is None:
            return JobState(name, "failed" if error else "missing", None, None, error)
        run = RunDirectory(self.root / directory)
        try:
            status = run.read_status()
            if status.state == "done":
                run.check_files()
        except StoredError as damage:
            return JobState(name, "failed", run.path, None, str(damage))
        state = status.state
        if state == "running" and not run.is_held():
            state = "interrupted"
        # what another process makes of it counts for more, but not the run that was done before the job began
        if state == "running" or (state == "done" and status.ended != record.get("done_before")):
            error = None
        elif error:
            state = "failed"
        return JobState(name, state, run.path, status.seconds, status.error or error)

    def states(self) -> list[JobState]:
        """All jobs, in the order of the latest command; those of a search as they came."""
        names = self.content()["jobs"]
        if names is None:
            records = []
            for file in (self.path / JOBS_FOLDER).glob("*.json"):
                with suppress(FileNotFoundError, StoredError):
                    records.append(_job_record(file))
            names = [record["name"] for record in sorted(records, key=lambda record: float(record["first"]))]
        return [self.job(name) for name in names]

    @property
    def is_there(self) -> bool:
        """Whether its folder is one of a sweep."""
        return (self.path / "sweep.json").exists()

    def done(self) -> list[Path]:
        """The directories of the jobs that are done, each once."""
        states = [state for state in self.states() if state.state == "done"]
        return list(dict.fromkeys(state.directory for state in states if state.directory is not None))

    @property
    def root(self) -> Path:
        """The folder of its runs."""
        return self.path.parent.parent


def sweeps(root: Path) -> list[Sweep]:
    """All sweeps below `root` that can be read, latest first."""
    return _read_sweeps(root)[0]


def damaged_sweeps(root: Path) -> list[StoredError]:
    """What is wrong with those that cannot be read."""
    return _read_sweeps(root)[1]


def _read_sweeps(root: Path) -> tuple[list[Sweep], list[StoredError]]:
    started: dict[Sweep, str] = {}
    damaged: list[StoredError] = []
    for file in sorted(root.glob(f"{SWEEPS_FOLDER}/*/sweep.json")):
        try:
            started[Sweep(file.parent)] = Sweep(file.parent).content()["started"]
        except StoredError as error:
            damaged.append(error)
    return sorted(started, key=started.__getitem__, reverse=True), damaged


def _job_record(file: Path) -> dict[str, Any]:
    """What is written down of a job. Raises `FileNotFoundError`, `StoredError`."""
    record = read_json(file, _REMEDY)
    directory, error = record.get("directory"), record.get("error")
    if not (isinstance(record.get("name"), str) and isinstance(record.get("first"), int | float)):
        raise unreadable(file, ValueError("it is not of a job"), _REMEDY)
    if not isinstance(error, str | None) or not isinstance(directory, str | None):
        raise unreadable(file, ValueError("it is not of a job"), _REMEDY)
    if directory is not None and (not directory or directory in (".", "..") or Path(directory).name != directory):
        raise unreadable(file, ValueError("it names no run directory beside the sweep"), _REMEDY)
    return record


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def seconds_left(states: Sequence[JobState]) -> float | None:
    """An estimate for the jobs that are not done, from the mean of those that are; None where none is."""
    done = [state.seconds for state in states if state.state == "done" and state.seconds is not None]
    return statistics.mean(done) * sum(state.state != "done" for state in states) if done else None


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
