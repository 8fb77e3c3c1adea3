"""Runs the jobs that Hydra hands out, one after the other, and remembers which failed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from radar.cli.composing import Job, varying
from radar.cli.printing import print_outcome, sweep_table
from radar.config import Config
from radar.errors import RadarError
from radar.experiment.run import Experiment, run_experiment
from radar.experiment.run_directory import RunDirectory
from radar.experiment.sweep import JobState, Sweep
from radar.experiment.workshop import Workshop
from radar.progress import ProgressBar, ProgressLines, Report, silent
from radar.report.companion import RunCompanion
from radar.validation import parse


class Runner:
    """Called once per job, in this process or in a launcher's; a job that fails says so at once and does not stop the others.

    What becomes of a sweep's jobs is written down in `sweep`, so that it is known whatever process they ran in.
    """

    def __init__(self, planned: Sequence[Job], *, force: bool, sweep: Sweep | None) -> None:
        self.names = varying(planned)
        self.force = force
        self.sweep = sweep
        self.failed = False
        self._workshop: Workshop | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_workshop": None}  # each process opens its own

    @property
    def workshop(self) -> Workshop:
        """What the jobs of this process share."""
        if self._workshop is None:
            self._workshop = Workshop(force=self.force)
        return self._workshop

    @property
    def exit_code(self) -> int:
        """0 where every job is done, else 1."""
        if self.sweep is None:
            return int(self.failed)
        return int(any(state.state != "done" for state in self.sweep.states()))

    def __call__(self, composed: DictConfig) -> None:
        number = 0 if self.sweep is None else int(HydraConfig.get().job.num)
        try:
            self._run(composed, number)
        except RadarError as error:
            self._fail(number, str(error))
            print(f"radar: {error}", file=sys.stderr)
        except Exception as error:
            self._fail(number, f"{type(error).__name__}: {error}")
            traceback.print_exc()
            print(f"radar: job {number + 1} of {len(self.names)} failed; the traceback is above", file=sys.stderr)

    def _fail(self, number: int, error: str) -> None:
        self.failed = True
        if self.sweep is not None and self.sweep.job(self.names[number]).state != "failed":
            self.sweep.record(self.names[number], directory=None, error=error)

    def _run(self, composed: DictConfig, number: int) -> None:
        config = parse(composed)
        console = Console()
        if self.sweep is not None:
            title = f"[{number + 1}/{len(self.names)}] {self.names[number]}"
            console.print(title, highlight=False, markup=False, soft_wrap=True)
        with _report(config, console) as report:
            experiment = Experiment(config, report, self.workshop)
            if self.sweep is not None:
                self.sweep.record(self.names[number], directory=experiment.directory.path, error=None)
            outcome = run_experiment(experiment, companion=RunCompanion())
        for note in outcome.notes:
            print(f"radar: note: {note}", file=sys.stderr)
        print_outcome(
            console, config.name, config.method.name, outcome.metrics, str(outcome.directory), reused=outcome.reused
        )

    def summarise(self) -> None:
        """One line per job of a sweep."""
        if self.sweep is not None:
            Console().print(sweep_table([_row(state) for state in self.sweep.states()]))


def _row(state: JobState) -> tuple[str, dict[str, Any] | None, str]:
    if state.state != "done" or state.directory is None:
        return state.name, None, state.state
    return state.name, RunDirectory(state.directory).read_metrics(), state.directory.name


def _report(config: Config, console: Console) -> AbstractContextManager[Report]:
    if not config.trainer.progress:
        return nullcontext(silent)
    return ProgressBar() if console.is_terminal else nullcontext(ProgressLines())
