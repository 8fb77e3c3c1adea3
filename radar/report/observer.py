"""What observes a run and is no part of it: W&B while it lasts, its figures at the end."""

from __future__ import annotations

from contextlib import AbstractContextManager

from radar.config.schema import Config
from radar.experiment.measures import UNSEEN_BY
from radar.experiment.run_directory import RunDirectory
from radar.methods.relevance import effective
from radar.report.region_names import with_named_region
from radar.report.run_figures import draw_run
from radar.report.wandb_tracker import Tracker, tracking
from radar.runtime.numbers import number

_TEXT = ("path", "split", "defect", "group", UNSEEN_BY)  # columns of scores.csv that hold no numbers


class RunObserver:
    """Tracks as `logger` says, and draws from the run directory. Runs of a sweep are grouped by its name, `sweep`."""

    def __init__(self, sweep: str | None) -> None:
        self.sweep = sweep

    def tracking(self, config: Config, run: RunDirectory, fingerprint: str) -> AbstractContextManager[Tracker]:
        """One tracked run, named like the directory; its config has the run's environment beside the experiment's keys,
        and a name in place of a region's long text.
        """
        environment = {**run.read_environment(), "fingerprint": fingerprint}
        return tracking(
            config.logger.wandb,
            folder=run.path,
            name=run.path.name,
            group=self.sweep,
            identity=fingerprint[:16],
            tags=config.tags,
            config={**with_named_region(effective(config)), "environment": environment},
        )

    def draw(self, run: RunDirectory, tracker: Tracker) -> None:
        """Draw the run's figures and mirror them, with what the run says of every test image."""
        for name, path in draw_run(run).items():
            tracker.picture(name, path)
        columns, rows = run.read_scores()
        tracker.table("test_images", columns, [_values(row) for row in rows if row["split"] == "test"])


def _values(row: dict[str, str]) -> list[str | float | None]:
    """A line of scores.csv with its numbers as numbers."""
    return [value if column in _TEXT else number(value) if value else None for column, value in row.items()]
