"""Runs the jobs of a command line, in this process or in a launcher's, and remembers which failed."""

from __future__ import annotations

import sys
import traceback
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import lru_cache
from uuid import uuid4

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from radar.cli.printing import print_best, print_outcome, sweep_table
from radar.compose.parsing import parse
from radar.compose.plan import Plan
from radar.config.schema import Config
from radar.errors import RadarError
from radar.evaluation.metrics import Metrics
from radar.experiment.devices import claim_device
from radar.experiment.run import Experiment, run_experiment
from radar.experiment.run_directory import RunDirectory
from radar.experiment.sweep import JobState, Sweep
from radar.experiment.workshop import Workshop
from radar.progress import ProgressBar, ProgressLines, Report, silent
from radar.report.companion import RunCompanion


class Runner:
    """Runs one job after the other; one that fails says so at once and does not stop the others.

    What becomes of a sweep's jobs is written down in `sweep`, so that it is known whatever process they ran in.
    """

    def __init__(self, plan: Plan, *, force: bool, sweep: Sweep | None) -> None:
        self.plan = plan
        self.total = plan.settings.sweeper.n_trials if plan.is_search else len(plan.jobs)
        self.sweep = sweep
        self.failed = False
        self.told: set[str] = set()  # notes, each of which is printed once
        self.force = force
        self.command = uuid4().hex  # one name for all processes of this command

    @property
    def exit_code(self) -> int:
        """0 where every job is done, else 1."""
        if self.sweep is None:
            return int(self.failed)
        return int(any(state.state != "done" for state in self.sweep.states()))

    def __call__(self, composed: DictConfig) -> float | None:
        """A job that Hydra composed, in whatever process: returns what a search minimises, None where the job failed."""
        hydra = HydraConfig.get()
        number = 0 if self.sweep is None else int(hydra.job.num)
        return self.run(
            parse(composed), self.plan.name(hydra.overrides.task), number, _workshop(self.command, self.force)
        )

    def run_all(self) -> None:
        """All planned jobs, in this process."""
        workshop = Workshop(afresh=self.command if self.force else None)
        for number, (job, name) in enumerate(zip(self.plan.jobs, self.plan.names, strict=True)):
            self.run(job.config, name, number, workshop)

    def run(self, config: Config, name: str, number: int, workshop: Workshop) -> float | None:
        """Job `number`, from 0; returns what a search minimises, None where the job failed."""
        try:
            return self._run(config, name, number, workshop)
        except RadarError as error:
            print(f"radar: {error}", file=sys.stderr)
            self._fail(name, str(error))
        except Exception as error:
            traceback.print_exc()
            print(f"radar: job {number + 1} of {self.total} failed; the traceback is above", file=sys.stderr)
            self._fail(name, f"{type(error).__name__}: {error}")
        return None

    def _fail(self, name: str, error: str) -> None:
        self.failed = True
        if self.sweep is not None:
            with suppress(OSError):  # a full disk may be why it failed; a job without a record is missing
                self.sweep.fail_job(name, error)

    def _run(self, config: Config, name: str, number: int, workshop: Workshop) -> float | None:
        console = Console()
        if self.sweep is not None:
            title = f"[{number + 1}/{self.total}] {name}"
            console.print(title, highlight=False, markup=False, soft_wrap=True)
        with _report(config, console) as report:
            experiment = Experiment(config, report, workshop)
            if self.sweep is not None:
                self.sweep.begin_job(name, experiment.directory.path)
            group = None if self.sweep is None else self.sweep.path.name
            outcome = run_experiment(experiment, companion=RunCompanion(group))
        for note in outcome.notes:
            if note not in self.told:
                print(f"radar: note: {note}", file=sys.stderr)
        self.told.update(outcome.notes)
        title = config.name if self.sweep is None else f"{config.name}, {name}"
        print_outcome(
            console, title, config.method.name, outcome.metrics, str(outcome.directory), reused=outcome.reused
        )
        return outcome.metrics.validation_loss

    def summarise(self) -> None:
        """One line per job of a sweep."""
        if self.sweep is not None:
            rows = [_row(state) for state in self.sweep.states()]
            Console().print(sweep_table(rows))
            print(f"Sweep {self.sweep.path.name}: radar status {self.sweep.path.name}")
            if self.plan.is_search:
                print_best(Console(), rows)


@lru_cache(maxsize=1)
def _workshop(command: str, force: bool) -> Workshop:
    """A launcher's process serves many jobs of a command, and hands each a copy of the runner: what they share is the process's."""
    claim_device()
    return Workshop(afresh=command if force else None)


def _row(state: JobState) -> tuple[str, Metrics | None, str]:
    if state.state != "done" or state.directory is None:
        return state.name, None, state.state
    return state.name, RunDirectory(state.directory).read_metrics(), state.directory.name


def _report(config: Config, console: Console) -> AbstractContextManager[Report]:
    if not config.trainer.progress:
        return nullcontext(silent)
    return ProgressBar() if console.is_terminal else nullcontext(ProgressLines())
