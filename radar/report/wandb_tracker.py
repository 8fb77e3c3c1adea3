"""Weights & Biases: one run per experiment that mirrors the run directory, closed with the right exit code."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from radar.config.schema import WandbConfig
from radar.evaluation.metrics import Metrics
from radar.experiment.run_directory import WANDB_FOLDER

_READ_WHERE_STARTED = (".wandb/settings", "wandb/settings", "config-defaults.yaml")
_PATIENCE = 10.0  # seconds that a run waits for W&B, once at its start and once at its end
_LONGEST_NAME, _LONGEST_TAG = 128, 64  # characters that W&B takes
_UNTAKEN = re.compile(r"[/\\#?%:]|[^ -\U0010ffff]")  # what a project's name may not hold


class Tracker(Protocol):
    """Where numbers and pictures go beside the run directory."""

    note: str  # what is to be said of it, if anything

    def log(self, row: Mapping[str, float]) -> None: ...

    def summarise(self, metrics: Metrics) -> None: ...

    def picture(self, name: str, path: Path) -> None: ...

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None: ...


class NoTracker:
    """Tracks nothing."""

    def __init__(self, note: str = "") -> None:
        self.note = note

    def log(self, row: Mapping[str, float]) -> None:
        """Drop `row`."""

    def summarise(self, metrics: Metrics) -> None:
        """Drop `metrics`."""

    def picture(self, name: str, path: Path) -> None:
        """Drop the picture."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Drop the table."""


class WandbTracker:
    """Writes to one W&B run."""

    def __init__(self, run: Any, note: str = "") -> None:
        self._run = run
        self.note = note

    def log(self, row: Mapping[str, float]) -> None:
        """Add one row of the history; its `step` is the training step."""
        self._run.log(dict(row))

    def summarise(self, metrics: Metrics) -> None:
        """Put every metric into the summary, by its path."""
        self._run.summary.update(metrics.flat())

    def picture(self, name: str, path: Path) -> None:
        """Log an image file."""
        import wandb  # noqa: PLC0415 - costs a second, and many runs do without

        self._run.log({name: wandb.Image(str(path))})

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Log a table."""
        import wandb  # noqa: PLC0415 - as above

        self._run.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])})


@contextmanager
def tracking(
    settings: WandbConfig | None,
    *,
    folder: Path,
    name: str,
    group: str | None,
    identity: str,
    tags: Sequence[str],
    config: Mapping[str, Any],
) -> Iterator[Tracker]:
    """One tracked run below `folder`; its exit code is 0, or 1 where the body raises.

    `group` is for settings that name none. `identity` is the run's id, so that a resumed experiment goes on in the same W&B run.
    W&B neither fails nor delays a run: what it refuses is cut to what it takes, where it is not reached in seconds the run is
    kept offline, and where it cannot start at all nothing is tracked; the tracker's `note` says so.
    """
    if settings is None:
        yield NoTracker()
        return
    about = {
        "project": _UNTAKEN.sub("_", settings.project)[:_LONGEST_NAME] or None,
        "entity": settings.entity,
        "group": (settings.group or group or "")[:_LONGEST_NAME] or None,
        "dir": folder.absolute(),
        "id": identity,
        "name": name[:_LONGEST_NAME],
        "tags": list(dict.fromkeys(tag[:_LONGEST_TAG] for tag in tags if tag)),
        "config": dict(config),
    }
    with _kept_below(folder / WANDB_FOLDER):
        run, note = _started(settings.mode, folder, about)
        if run is None:
            yield NoTracker(note)
            return
        exit_code = 1
        try:
            yield WandbTracker(run, note)
            exit_code = 0
        finally:
            run.finish(exit_code=exit_code)


@contextmanager
def _kept_below(folder: Path) -> Iterator[None]:
    """W&B keeps tables that wait to be sent, its cache and its logs there; in the home folder they would be lost to `wandb sync`
    elsewhere, and would stay for ever. What the environment names is kept to, seen from the working folder.
    """
    before = {name: os.environ.get(name) for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR")}
    for (name, named), ours in zip(before.items(), (folder, folder / "cache"), strict=True):
        os.environ[name] = str(Path(named or ours).absolute())
    try:
        yield
    finally:
        for name, named in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if named is None else {name: named})


def _started(mode: str, folder: Path, about: Mapping[str, Any]) -> tuple[Any | None, str]:
    """The W&B run, and what is to be said of it; None where there is none."""
    notes = list[str]()
    for each in dict.fromkeys((mode, "offline")):
        try:
            return _run(each, folder, about), "; ".join(notes)
        except Exception as error:  # of W&B, of its settings in the environment, of what they are made of
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            kept = "this run is kept offline, for wandb sync" if each == "online" else "nothing is tracked"
            notes.append(f"logger.wandb.mode={each}: W&B cannot start ({reason[:300]}); {kept}")
    return None, "; ".join(notes)


@contextmanager
def _heeding_no_files() -> Iterator[None]:
    """Of the folder that it is started in W&B would heed some files, and the working folder may be anyone's."""
    if not any(map(os.path.lexists, _READ_WHERE_STARTED)):
        yield
        return
    with TemporaryDirectory() as empty, chdir(empty):
        yield


def _run(mode: str, folder: Path, about: Mapping[str, Any]) -> Any:
    if mode == "offline":
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else wandb's own telemetry asks for the network
        # what an interrupted attempt left has the same id; this one tells everything again
        shutil.rmtree(folder / WANDB_FOLDER, ignore_errors=True)
    import wandb  # noqa: PLC0415 - as above

    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        init_timeout=_PATIENCE,
        login_timeout=_PATIENCE,
        finish_timeout=_PATIENCE,
        x_service_wait=3 * _PATIENCE,
    )
    resume = "allow" if mode == "online" else None
    with _heeding_no_files():
        wandb.setup(settings)
        run = wandb.init(mode=mode, resume=resume, reinit="finish_previous", settings=settings, **about)  # type: ignore[arg-type]
    run.define_metric("*", step_metric="step")
    return run
