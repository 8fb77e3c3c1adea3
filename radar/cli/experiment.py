"""An experiment or a sweep: what `radar` runs where no verb is named."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from radar.cli.output import lasting_output
from radar.compose import command_line, hydra_internals
from radar.compose.command_line import CommandLine
from radar.compose.config_tree import with_folder
from radar.compose.consent import refuse_code
from radar.compose.messages import one_line
from radar.compose.overrides import quoted
from radar.errors import ConfigError, Interrupted, RadarError, RunError
from radar.plugins import imported_plugins

if TYPE_CHECKING:
    from radar.cli.running import Runner
    from radar.compose.plan import Plan
    from radar.experiment.run_directory import RunDirectory
    from radar.experiment.sweep import Sweep


def experiment(words: Sequence[str], told: Collection[str] = ()) -> int:
    """Run an experiment or a sweep; returns the exit code. `told` are notes on its data that were printed before."""
    arguments = list(words)
    try:
        return _experiment(arguments, told)
    except (KeyboardInterrupt, Interrupted) as stop:
        code = stop.exit_code if isinstance(stop, Interrupted) else 128 + signal.SIGINT
        raise Interrupted(code, "the same command goes on from the last checkpoint, if one was reached") from None


def _experiment(arguments: list[str], told: Collection[str]) -> int:
    dry, force = _taken("--dry-run", arguments), _taken("--force", arguments)
    if {"-m", "--multirun"} & set(arguments):  # first, as Hydra reads no overrides on both sides of an option
        arguments[:] = ["-m", *(argument for argument in arguments if argument not in ("-m", "--multirun"))]
    run = _taken_value("--rerun", arguments)
    line = command_line.read(arguments)
    if line.shows and run is not None and not {"--help", "-h", "--hydra-help"} & set(arguments):
        raise ConfigError("--rerun: runs what is stored and shows no config; see config.yaml in the run's directory")
    if line.shows:
        return _help(arguments, line)
    repeats = None
    if run is not None:
        from radar.cli.rerun import again, repeated  # noqa: PLC0415

        repeats, line = repeated(Path(run), line), again(Path(run), line)
    from radar.compose.plan import plan  # noqa: PLC0415 - methods and torch: help does without

    planned = plan(line)
    if dry:
        from radar.cli.dry_run import dry_run  # noqa: PLC0415

        return dry_run(planned)
    with lasting_output():
        return _run(line, planned, force=force, told=told, repeats=repeats)


def _run(
    line: CommandLine,
    planned: Plan,
    *,
    force: bool,
    told: Collection[str],
    repeats: RunDirectory | None,
) -> int:
    """Run the planned jobs; returns the exit code."""
    from radar.cli.running import Runner  # noqa: PLC0415

    sweep = _sweep(line, planned) if planned.is_sweep else None
    runner = Runner(line, planned, force=force, sweep=sweep, told=told, repeats=repeats)
    if planned.is_launched:
        if planned.sweep.isolated:
            raise ConfigError(
                "sweep.isolated=true: a launcher or a search has processes of its own; leave hydra/launcher and hydra/sweeper out"
            )
        _launch(line, planned, runner)
    else:
        runner.run_all([job.config for job in planned.jobs])
    runner.summarise()
    return runner.exit_code


def _taken(flag: str, arguments: list[str]) -> bool:
    """Whether `flag` is among the arguments, from which it is removed."""
    found = flag in arguments
    arguments[:] = [argument for argument in arguments if argument != flag]
    return found


def _taken_value(option: str, arguments: list[str]) -> str | None:
    """What follows `option`, both being removed. Raises `ConfigError` where nothing does."""
    if option not in arguments:
        return None
    place = arguments.index(option)
    if not "".join(arguments[place + 1 : place + 2]):
        raise ConfigError(f"{option}: name a run directory after it")
    _, value = arguments[place : place + 2]
    del arguments[place : place + 2]
    return value


def _sweep(line: CommandLine, planned: Plan) -> Sweep:
    """The record of a sweep. Raises `ConfigError` where its jobs cannot share a process."""
    from radar.experiment.sweep import Sweep  # noqa: PLC0415

    if any(job.config.trainer.strategy == "ddp" for job in planned.jobs):
        raise ConfigError(
            "trainer=ddp: a sweep runs one job per device; use trainer=auto, or leave -m out for one run on several"
        )
    roots = list(dict.fromkeys(job.config.output_root for job in planned.jobs))
    if len(roots) > 1:
        raise ConfigError(
            f"output_root: {roots[0]} of one job and {roots[1]} of another; the jobs of a sweep, and its record, lie in one folder"
        )
    if planned.is_search:
        jobs = [*planned.axes, *(text for text in _composed(line, planned) if not text.startswith("hydra"))]
        names = None
    else:
        jobs, names = [" ".join(sorted(job.overrides)) for job in planned.jobs], planned.names
    sweep = Sweep.of(Path(planned.jobs[0].config.output_root), [*jobs, *line.sources])
    sweep.begin(line.words, names)
    return sweep


def _launch(line: CommandLine, planned: Plan, runner: Runner) -> None:
    """Let Hydra's launcher or sweeper run the jobs; what it writes lies in the sweep's folder.

    Raises `RunError` where the launcher itself fails.
    """
    from radar.compose.ray_processes import ray_apart  # noqa: PLC0415

    # else a launcher's processes import modules of the working folder in place of theirs
    os.environ["PYTHONSAFEPATH"] = "1"
    sweep = runner.sweep
    folder = [] if sweep is None else [f"hydra.sweep.dir={quoted(str(sweep.path / 'hydra'))}"]
    with with_folder(line.config_dir), one_line(line.overrides):
        if sweep is not None and not planned.is_search:
            own = [text for text in line.overrides if text.lstrip("+~").startswith("hydra")]
            try:
                with ray_apart(planned.settings.launcher):
                    hydra_internals.launch(
                        line.config_name, [*own, *folder], [job.overrides for job in planned.jobs], runner
                    )
            except (RadarError, hydra_internals.HydraException):
                raise
            except Exception as error:  # of a cluster, a process that was killed, …
                what = " ".join(f"{type(error).__name__}: {error}".split())
                raise RunError(f"hydra/launcher: {what}; the same command runs the jobs that are not done") from error
            return
        if sweep is None:
            with ray_apart(planned.settings.launcher):
                hydra_internals.run_hydra([*line.sources, *_composed(line, planned)], runner)
        else:
            _search(line, [*_composed(line, planned), *folder], planned, sweep, runner)


def _composed(line: CommandLine, planned: Plan) -> list[str]:
    """What Hydra itself composes a job from: what was typed, and of presets what the job reads."""
    said = planned.jobs[0].said
    return [*(said[text] for text in line.presets if text in said), *line.overrides]


def _search(line: CommandLine, overrides: Sequence[str], planned: Plan, sweep: Sweep, runner: Runner) -> None:
    """Go on with a search, in whose folder its study lies, until it has its trials."""
    from radar.compose.ray_processes import ray_apart  # noqa: PLC0415
    from radar.compose.search import nothing_found, study_overrides  # noqa: PLC0415
    from radar.experiment.search_held import STUDY, search_held, searched  # noqa: PLC0415

    with search_held(sweep.path, searched(planned.jobs[0].config, planned.axes), force=runner.force):
        study = study_overrides(planned.settings, sweep.path / STUDY)
        sweep.mark_search(searching=True)
        if study is not None:
            try:
                with ray_apart(planned.settings.launcher):
                    hydra_internals.search(line.config_name, [*overrides, *study], runner)
            except ValueError:
                if not nothing_found(sweep.path / STUDY):  # else the jobs have said why
                    raise
        sweep.mark_search(searching=False)


def _help(arguments: list[str], line: CommandLine) -> int:
    if line.multirun:
        raise ConfigError("-m: --cfg and --info show one experiment; leave -m out")
    shown = io.StringIO()  # printed once it is whole: Hydra answers a failure to print with a traceback
    try:
        with with_folder(line.config_dir), one_line(line.overrides), redirect_stdout(shown):
            with hydra_internals.composing():  # what Hydra shows it has composed, and its logging set up as that says
                refuse_code(hydra_internals.compose_settings(line.config_name, line.overrides)[0], imported_plugins())
            hydra_internals.run_hydra(arguments, lambda composed: None)
    finally:
        print(shown.getvalue(), end="", flush=True)
    return 0
