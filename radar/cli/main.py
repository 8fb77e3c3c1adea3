"""The `radar` command: an experiment or a sweep without a verb, other verbs by name."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

import radar
from radar.compose.config_tree import config_folder
from radar.compose.messages import one_line
from radar.compose.plan import (
    CONFIG_NAME,
    VERSION_BASE,
    Plan,
    parse_arguments,
    plan,
    register_schema,
)
from radar.errors import ConfigError, Interrupted, RadarError

if TYPE_CHECKING:
    from radar.experiment.sweep import Sweep

_VERBS = (
    "data",
    "status",
    "cache",
    "report",
    "compare",
    "transfer",
)  # each a module of this room with a function of its name
_OWN_FLAGS = ("--dry-run", "--force")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. A user's error is one line on standard error."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if "--version" in arguments:
            print(f"radar {radar.__version__}")
            return 0
        if arguments[:1] and arguments[0] in _VERBS:
            # each verb loads only what it needs
            verb = getattr(import_module(f"radar.cli.{arguments[0]}"), arguments[0])
            return int(verb(arguments[1:]))
        return _experiment(arguments)
    except RadarError as error:
        print(f"radar: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, Interrupted) as stop:
        print(
            "radar: interrupted; the same command goes on from the last checkpoint, if one was reached", file=sys.stderr
        )
        return stop.exit_code if isinstance(stop, Interrupted) else 128 + signal.SIGINT


def _experiment(arguments: list[str]) -> int:
    own = [flag for flag in _OWN_FLAGS if flag in arguments]
    rest = [argument for argument in arguments if argument not in _OWN_FLAGS]
    parsed = parse_arguments(rest)
    if parsed.help or parsed.hydra_help or parsed.shell_completion or parsed.cfg or parsed.info:
        return _help(rest, parsed.overrides)
    planned = plan(parsed)
    if "--dry-run" in own:
        from radar.cli.dry_run import dry_run  # noqa: PLC0415

        return dry_run(planned)
    from radar.cli.running import Runner  # noqa: PLC0415

    sweep = _sweep(parsed, planned) if planned.is_sweep else None
    runner = Runner(planned, force="--force" in own, sweep=sweep)
    if planned.is_launched:
        _launch(rest, parsed.overrides, planned, sweep, runner)
    else:
        runner.run_all()
    runner.summarise()
    return runner.exit_code


def _sweep(parsed: argparse.Namespace, planned: Plan) -> Sweep:
    """The record of a sweep. Raises `ConfigError` where its jobs cannot share a process."""
    from radar.experiment.sweep import Sweep  # noqa: PLC0415

    if any(job.config.trainer.strategy == "ddp" for job in planned.jobs):
        raise ConfigError(
            "trainer=ddp: a sweep runs one job per device; use trainer=auto, or leave -m out for one run on several"
        )
    if planned.is_search:
        plain = [override for override in parsed.overrides if not override.startswith("hydra")]
        jobs, names = [*planned.axes, *plain], None
    else:
        jobs, names = [" ".join(sorted(job.overrides)) for job in planned.jobs], planned.names
    identity = [*jobs, *(text for text in (parsed.config_name, parsed.config_dir) if text)]
    sweep = Sweep.of(Path(planned.jobs[0].config.output_root), identity)
    own = ["--config-name", parsed.config_name] if parsed.config_name else ["-m"]
    sweep.begin([*own, *parsed.overrides], names)
    return sweep


def _launch(
    arguments: list[str],
    overrides: list[str],
    planned: Plan,
    sweep: Sweep | None,
    runner: Callable[[DictConfig], object],
) -> None:
    """Let Hydra's launcher or sweeper run the jobs; what it writes lies in the sweep's folder."""
    more = []
    if sweep is not None:
        more.append(f"hydra.sweep.dir='{sweep.path / 'hydra'}'")
    if sweep is not None and planned.is_search:
        from radar.compose.search import study_overrides  # noqa: PLC0415

        study = study_overrides(planned.settings, sweep.path)
        if study is None:
            return
        more += study
    _hydra([*arguments, *more], overrides, runner)


def _help(arguments: list[str], overrides: list[str]) -> int:
    try:
        _hydra(arguments, overrides, lambda composed: None)
    except SystemExit as stop:  # how Hydra ends --help
        return int(stop.code or 0)
    return 0


def _hydra(arguments: list[str], overrides: list[str], runner: Callable[[DictConfig], object]) -> None:
    """Hand the command line to Hydra, whose launcher calls `runner` once per job."""
    import hydra  # noqa: PLC0415

    def job(composed: DictConfig) -> object:
        return runner(composed)

    register_schema()
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        with one_line(overrides):
            hydra.main(version_base=VERSION_BASE, config_path=str(config_folder()), config_name=CONFIG_NAME)(job)()
    finally:
        sys.argv = before


if __name__ == "__main__":
    sys.exit(main())
