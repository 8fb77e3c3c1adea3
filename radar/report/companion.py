"""What accompanies a run: W&B while it lasts, its figures at the end."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict

from radar.config import Config
from radar.experiment.run_directory import RunDirectory
from radar.report.run_figures import draw_run
from radar.tracking import Tracker, tracking


class RunCompanion:
    """Tracks as `logger` says, and draws from the run directory. Runs of a sweep are grouped by its name, `sweep`."""

    def __init__(self, sweep: str | None) -> None:
        self.sweep = sweep

    def tracking(self, config: Config, run: RunDirectory, fingerprint: str) -> AbstractContextManager[Tracker]:
        """One tracked run, named like the directory."""
        return tracking(
            config.logger.wandb,
            folder=run.path,
            name=run.path.name,
            group=self.sweep,
            identity=fingerprint[:16],
            tags=config.tags,
            config=asdict(config),
        )

    def draw(self, run: RunDirectory, tracker: Tracker) -> None:
        """Draw the run's figures and mirror them."""
        for name, path in draw_run(run).items():
            tracker.picture(name, path)
