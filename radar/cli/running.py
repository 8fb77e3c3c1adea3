"""Runs the jobs that Hydra hands out, one after the other, and remembers which failed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from omegaconf import DictConfig
from rich.console import Console

from radar.cli.composing import Job, varying
from radar.cli.printing import print_outcome, sweep_table
from radar.config import Config
from radar.errors import RadarError
from radar.experiment.run import Outcome, run_experiment
from radar.progress import ProgressBar, ProgressLines, Report, silent
from radar.report.companion import RunCompanion
from radar.validation import parse


class Runner:
    """Called once per job; a job that fails says so at once and does not stop the others."""

    def __init__(self, planned: Sequence[Job], *, force: bool) -> None:
        self.names = varying(planned)
        self.total = len(planned)
        self.force = force
        self.outcomes: list[tuple[str, Outcome | None]] = []
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
            self._fail()
            print(f"radar: {error}", file=sys.stderr)
        except Exception:
            self._fail()
            traceback.print_exc()
            print(f"radar: job {self.started} of {self.total} failed; the traceback is above", file=sys.stderr)

    @property
    def _name(self) -> str:
        """What tells the current job from the others."""
        return self.names[self.started - 1]

    def _fail(self) -> None:
        self.failed += 1
        self.outcomes.append((self._name, None))

    def _run(self, composed: DictConfig) -> None:
        config = parse(composed)
        console = Console()
        if self.total > 1:
            console.print(f"[{self.started}/{self.total}] {self._name}", highlight=False, markup=False, soft_wrap=True)
        with _report(config, console) as report:
            outcome = run_experiment(config, report=report, force=self.force, companion=RunCompanion())
        for note in outcome.notes:
            print(f"radar: note: {note}", file=sys.stderr)
        self.outcomes.append((self._name, outcome))
        print_outcome(console, config.name, outcome.metrics, str(outcome.directory), reused=outcome.reused)

    def summarise(self) -> None:
        """One line per job of a sweep."""
        if self.total > 1:
            Console().print(
                sweep_table(
                    [
                        (name, outcome.metrics if outcome else None, outcome.directory.name if outcome else "failed")
                        for name, outcome in self.outcomes
                    ]
                )
            )


def _report(config: Config, console: Console) -> AbstractContextManager[Report]:
    if not config.trainer.progress:
        return nullcontext(silent)
    return ProgressBar() if console.is_terminal else nullcontext(ProgressLines())
