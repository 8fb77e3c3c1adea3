"""Runs the jobs that Hydra hands out, one after the other, and remembers which failed."""

from __future__ import annotations

import sys
import traceback
from contextlib import nullcontext

from omegaconf import DictConfig
from rich.console import Console

from radar.cli.printing import print_outcome
from radar.errors import RadarError
from radar.experiment.run import run_experiment
from radar.progress import ProgressBar, silent
from radar.report.companion import RunCompanion
from radar.validation import parse


class Runner:
    """Called once per job; a job that fails says so at once and does not stop the others."""

    def __init__(self, *, total: int, force: bool) -> None:
        self.total = total
        self.force = force
        self.started = 0
        self.failed = 0

    @property
    def exit_code(self) -> int:
        """0 where every job is done, else 1."""
        return 1 if self.failed else 0

    def __call__(self, composed: DictConfig) -> None:
        self.started += 1
        try:
            self._run(composed)
        except RadarError as error:
            self.failed += 1
            print(f"radar: {error}", file=sys.stderr)
        except Exception:
            self.failed += 1
            traceback.print_exc()
            print(f"radar: job {self.started} of {self.total} failed; the traceback is above", file=sys.stderr)

    def _run(self, composed: DictConfig) -> None:
        config = parse(composed)
        console = Console()
        with ProgressBar() if config.trainer.progress and console.is_terminal else nullcontext(silent) as report:
            outcome = run_experiment(config, report=report, force=self.force, companion=RunCompanion())
        for note in outcome.notes:
            print(f"radar: note: {note}", file=sys.stderr)
        if self.total > 1:
            console.print(f"[{self.started}/{self.total}]", highlight=False, markup=False)
        print_outcome(console, config.name, outcome.metrics, str(outcome.directory), reused=outcome.reused)
