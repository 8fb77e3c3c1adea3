"""Weights & Biases: one run per experiment that mirrors the run directory, closed with the right exit code."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from radar.config.schema import WandbConfig
from radar.errors import ConfigError
from radar.evaluation.metrics import Metrics


class Tracker(Protocol):
    """Where numbers and pictures go beside the run directory."""

    def log(self, row: Mapping[str, float]) -> None: ...

    def summarise(self, metrics: Metrics) -> None: ...

    def picture(self, name: str, path: Path) -> None: ...

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None: ...


class NoTracker:
    """Tracks nothing."""

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

    def __init__(self, run: Any) -> None:
        self._run = run

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
    Raises `ConfigError` where W&B cannot start.
    """
    if settings is None:
        yield NoTracker()
        return
    if settings.mode == "offline":
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else wandb's own telemetry asks for the network
    import wandb  # noqa: PLC0415 - as above

    if settings.mode == "offline":
        # what an interrupted attempt left has the same id; this one tells everything again
        shutil.rmtree(folder / "wandb", ignore_errors=True)
    try:
        run = wandb.init(
            mode=settings.mode,  # type: ignore[arg-type]
            project=settings.project,
            entity=settings.entity,
            group=settings.group or group,
            dir=folder,
            id=identity,
            name=name,
            tags=list(tags),
            config=dict(config),
            resume="allow" if settings.mode == "online" else None,
            reinit="finish_previous",
            settings=wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True),
        )
    except (wandb.Error, OSError) as error:
        raise ConfigError(f"logger.wandb.mode={settings.mode}: W&B cannot start ({error}); use logger=csv") from error
    run.define_metric("*", step_metric="step")
    exit_code = 1
    try:
        yield WandbTracker(run)
        exit_code = 0
    finally:
        run.finish(exit_code=exit_code)
