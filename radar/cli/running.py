"""Runs the jobs of a command line, in this process or in a launcher's, and remembers which failed."""

from __future__ import annotations

import os
import shlex
import traceback
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from omegaconf import DictConfig

import radar
from radar.cli.answer import print_answer
from radar.cli.exit_codes import DONE, FAILED, OUTPUT_ROOT, REFUSED
from radar.cli.isolation import in_own_process
from radar.cli.output import lasting_output
from radar.cli.printing import PlainConsole, best_of, glossary, print_best, print_outcome, print_verdict, sweep_table
from radar.compose.command_line import CommandLine
from radar.compose.composed_config import parse
from radar.compose.hydra_internals import CONFIG_NAME, job_number, job_overrides
from radar.compose.plan import Plan, trial_name
from radar.config.plain import plain
from radar.config.schema import Config
from radar.errors import RadarError, RunError, StoredError, WriteError
from radar.evaluation.metrics import Metrics
from radar.experiment.command import Command
from radar.experiment.devices import claim_device
from radar.experiment.log import logged, run_log
from radar.experiment.run import Experiment, Outcome, run_experiment
from radar.experiment.run_directory import RunDirectory
from radar.experiment.session import Session
from radar.experiment.sweep import JobState, Sweep
from radar.files import expanded
from radar.plugins import import_plugins, imported_plugins
from radar.progress import ProgressBar, ProgressLines, Report, silent
from radar.report.observer import RunObserver
from radar.report.result import Result
from radar.report.settings import PUBLISHED_NAME, family, method_label, method_names
from radar.report.stored import read_run
from radar.report.verdict import verdict
from radar.runtime.terminal import tell


class Runner:
    """Runs one job after the other; one that fails says so at once and does not stop the others.

    What becomes of a sweep's jobs is written down in `sweep`, so that it is known whatever process they ran in: launchers
    hand a copy of the runner to theirs, where the plug-ins of this one are imported, too.
    """

    def __init__(
        self,
        line: CommandLine,
        plan: Plan,
        *,
        force: bool,
        sweep: Sweep | None,
        told: Collection[str],
        repeats: RunDirectory | None,
    ) -> None:
        """`repeats` is the run whose very result is asked for once more."""
        self.line = line
        self.jobs = [job.overrides for job in plan.jobs]
        self.names = plan.names
        self.searched = plan.axes if plan.is_search else None
        self.total = plan.settings.sweeper.n_trials if plan.is_search else len(plan.jobs)
        self.sweep = sweep
        self.failed = DONE  # the exit code of the last job that failed
        self.told = set(told)  # notes, each of which is printed once
        self.force = force
        self.repeats = repeats
        self.table = plan.sweep.table
        self.isolated = plan.sweep.isolated and sweep is not None
        self.command = uuid4().hex  # one name for all processes of this command
        self.plugins = imported_plugins()
        self.working_folder = Path.cwd()

    def __setstate__(self, state: dict[str, Any]) -> None:
        with suppress(OSError):  # on a machine that has no such folder, absolute paths alone mean the same
            os.chdir(state["working_folder"])
        import_plugins(state["plugins"])
        self.__dict__.update(state)

    @property
    def exit_code(self) -> int:
        """Of one job what became of it; of a sweep whether every job is done, and of a search whether one of them tells a loss."""
        if self.sweep is None:
            return self.failed
        states = self.sweep.states()
        if self.searched is not None and best_of(list(map(_row, states))) is None:
            return FAILED
        return FAILED if any(state.state != "done" for state in states) else DONE

    def __call__(self, composed: DictConfig) -> float | None:
        """A job that Hydra composed, in whatever process: returns what a search minimises, None where the job failed."""
        number = 0 if self.sweep is None else job_number()
        name, overrides = self.names[0], self.jobs[0]
        if self.searched is not None:
            overrides = tuple(job_overrides())
            name = trial_name(overrides, self.searched)
        elif self.sweep is not None:
            name, overrides = self.names[number], self.jobs[number]
        return self.run(parse(composed), name, number, overrides, _session(self.command, self.force))

    def run_all(self, configs: Sequence[Config]) -> None:
        """All planned jobs one after the other, in this process or each in one of its own."""
        session = Session(afresh=self.command if self.force else None)
        for number, (config, name, overrides) in enumerate(zip(configs, self.names, self.jobs, strict=True)):
            if not self.isolated:
                self.run(config, name, number, overrides, session)
            elif error := in_own_process(_run_alone, self, config, name, number, overrides):
                tell(f"job {number + 1} of {self.total}: {error}")
                self._fail(name, error, FAILED)

    def run(self, config: Config, name: str, number: int, overrides: tuple[str, ...], session: Session) -> float | None:
        """Job `number`, from 0; returns what a search minimises, None where the job failed."""
        with lasting_output():  # of a process that a launcher has started
            return self._completed(config, name, number, overrides, session)

    def _completed(
        self, config: Config, name: str, number: int, overrides: tuple[str, ...], session: Session
    ) -> float | None:
        try:
            return self._run(config, name, number, overrides, session)
        except RadarError as error:
            if isinstance(error, WriteError):
                error.place = OUTPUT_ROOT
            tell(str(error))
            self._fail(name, str(error), REFUSED)
        except (Exception, SystemExit) as error:  # a method that ends the process has not done the job
            traceback.print_exc()
            tell(f"job {number + 1} of {self.total} failed; the traceback is above")
            self._fail(name, f"{type(error).__name__}: {error}", FAILED)
        return None

    def _fail(self, name: str, error: str, code: int) -> None:
        self.failed = code
        if self.sweep is not None:
            with suppress(OSError):  # a full disk may be why it failed; a job without a record is missing
                self.sweep.fail_job(name, error, self.command)

    def _run(
        self, config: Config, name: str, number: int, overrides: tuple[str, ...], session: Session
    ) -> float | None:
        console = PlainConsole(record=True)
        if self.sweep is not None:
            title = f"[{number + 1}/{self.total}] {name}"
            console.print(title, highlight=False, markup=False, soft_wrap=True)
        with _report(config, console) as report:
            experiment = Experiment(config, report, session)
            directory = experiment.directory.path
            self._note(experiment.data.dataset.notes)  # what was chosen from the images, before it is used
            self._compare(experiment.fingerprint)
            if self.sweep is not None:
                self.sweep.begin_job(name, directory, self.command)
            command = self._command(config, overrides)
            with run_log(directory) as log:
                log.info("radar %s: %s", radar.__version__, shlex.join(command.words))
                experiment.report = logged(report, log)
                try:
                    outcome = run_experiment(experiment, observer=self._observer(), command=command)
                except BaseException:
                    log.exception("The run ends here")
                    raise
                self._tell(console, config, name, outcome)
                for line in (*(f"note: {note}" for note in outcome.notes), *console.export_text().splitlines()):
                    log.info("%s", line)
        return outcome.metrics.validation_loss

    def _compare(self, fingerprint: str) -> None:
        """Say so where this is not the run that is repeated: a relative folder of photos is another one elsewhere."""
        if self.repeats is None:
            return
        try:
            before = self.repeats.read_status().fingerprint
        except StoredError:  # then nobody knows
            before = ""
        if before not in ("", fingerprint):
            tell(
                f"note: {self.repeats.path}: was made of other photos or another mask, or by another version of radar; this is "
                "another run"
            )

    def _observer(self) -> RunObserver:
        return RunObserver(None if self.sweep is None else self.sweep.path.name)

    def _command(self, config: Config, overrides: tuple[str, ...]) -> Command:
        name, folder = self.line.config_name, self.line.config_dir
        return Command(
            overrides,
            config.preset,
            self.plugins,
            config_name=None if name == CONFIG_NAME else name,
            config_dir=None if folder is None else str(Path(expanded(folder)).resolve()),
        )

    def _tell(self, console: PlainConsole, config: Config, name: str, outcome: Outcome) -> None:
        self._note(outcome.notes)
        title = config.name if self.sweep is None else f"{config.name}, {name}"
        found, method = _found(outcome, config)
        print_verdict(console, found)
        print_outcome(console, title, method, outcome.metrics, str(outcome.directory), reused=outcome.reused)
        if (explained := glossary(outcome.metrics)) not in self.told:
            self.told.add(explained)
            console.print(explained, soft_wrap=True, highlight=False)

    def _note(self, notes: Sequence[str]) -> None:
        for note in notes:
            if note not in self.told:
                tell(f"note: {note}")
        self.told.update(notes)

    def summarise(self) -> None:
        """One line per job of a sweep, and the table that answers it."""
        if self.sweep is not None:
            rows = [_row(state) for state in self.sweep.states()]
            PlainConsole().print_table(sweep_table(rows))
            print(f"Sweep {self.sweep.path.name}: radar status {shlex.quote(str(self.sweep.path))}")
            if self.searched is not None:
                print_best(PlainConsole(), rows)
            if self.table is not None:
                self._answer(self.sweep, self.table)

    def _answer(self, sweep: Sweep, table: str) -> None:
        try:
            print_answer(sweep, table)
        except Exception as error:  # the jobs are done all the same
            tell(f"note: sweep.table={table}: {' '.join(str(error).split())}")


def _found(outcome: Outcome, config: Config) -> tuple[list[str], str]:
    """What the run has shown, in words, and what its method is called; why there are no words, where they cannot be had: the run is
    done all the same."""
    label = method_label(cast(Mapping[str, Any], plain(config)["method"]))
    try:
        result = read_run(RunDirectory(outcome.directory))
        return verdict(result), _published(result) or label
    except Exception as error:
        return [
            f"What was found cannot be told in words ({' '.join(str(error).split())}); metrics.json holds it"
        ], label


def _published(result: Result) -> str | None:
    """What a report calls the published preset, with whatever departs from it; None for any other."""
    return method_names([result])[result.identity] if family(result) == PUBLISHED_NAME else None


def _run_alone(runner: Runner, config: Config, name: str, number: int, overrides: tuple[str, ...]) -> None:
    runner.run(config, name, number, overrides, _session(runner.command, runner.force))


@lru_cache(maxsize=1)
def _session(command: str, force: bool) -> Session:
    """A launcher's process serves many jobs of a command, and hands each a copy of the runner: what they share is the process's."""
    claim_device()
    return Session(afresh=command if force else None)


def _row(state: JobState) -> tuple[str, Metrics | None, str]:
    if state.state != "done" or state.directory is None:
        return state.name, None, state.state
    try:
        return state.name, RunDirectory(state.directory).read_metrics(), state.directory.name
    except RunError:  # of another version, say; whoever asks for that run by name is told
        return state.name, None, state.directory.name


def _report(config: Config, console: PlainConsole) -> AbstractContextManager[Report]:
    if not config.trainer.progress:
        return nullcontext(silent)
    return ProgressBar() if console.is_terminal else nullcontext(ProgressLines())
