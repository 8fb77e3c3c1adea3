"""`radar --rerun RUN`: the stored command of a run, composed once more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from hydra.errors import HydraException

from radar.compose.braces import chooses
from radar.compose.command_line import CommandLine
from radar.compose.hydra_internals import CONFIG_NAME
from radar.compose.messages import refuse_numbers_for_groups
from radar.compose.overrides import Override, has_braces, quoted, read_overrides
from radar.errors import RunError
from radar.experiment.command import COMMAND_FILE, read_command
from radar.experiment.run_directory import RunDirectory
from radar.plugins import imported_plugins
from radar.runtime.terminal import brief, tell

_ROOT = "output_root"


def repeated(run: Path, line: CommandLine) -> RunDirectory | None:
    """The run whose very result `line` asks for once more; None where it changes something."""
    refuse_numbers_for_groups(line.overrides)  # first of all, what is no override
    changes = [each for each in read_overrides(line.overrides) if each.key_or_group != _ROOT]
    return None if changes or line.multirun or line.config_name != CONFIG_NAME else RunDirectory.at(run)


def again(run: Path, line: CommandLine) -> CommandLine:
    """The command line that made `run`, with what `line` adds to it; where it named a folder for results, they go beside `run` now.

    What runs code or says where to write is not taken from a file: modules and folders of configs must be named once more, and
    overrides of Hydra's own keys are left out. Raises `RunError` where they are not named, and where `run` has no command.
    """
    stored = read_command(run)
    missing = [name for name in stored.plugins if name not in imported_plugins()]
    if missing:
        raise RunError(f"{run}: was made with plug-ins; add --plugins {','.join(missing)}")
    if stored.config_dir is not None and line.config_dir is None:
        raise RunError(f"{run}: was made with configs from elsewhere; add --config-dir {stored.config_dir}")
    name = line.config_name if line.config_name != CONFIG_NAME else stored.config_name or CONFIG_NAME
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise RunError(f"{run / COMMAND_FILE}: config {name} lies elsewhere; name it once more with --config-name")
    new = read_overrides(line.overrides)
    typed = {_what(override) for override in new}
    try:
        before = read_overrides(stored.overrides)
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"{run / COMMAND_FILE}: cannot be read ({reason}); copy the run directory again") from None
    had_root = any(override.key_or_group == _ROOT for override in before)
    had = {_what(each): each.value() for each in before}
    chosen = [each for each in new if chooses(each) and had.get(_what(each)) != each.value()]
    before = [each for each in before if each.key_or_group != _ROOT and not each.is_hydra_override()]
    again_said = [each for each in before if _what(each) in typed]
    replaced = [each for each in before if _is_below(each.key_or_group, chosen) and each not in again_said]
    # of several keys, more than those that are said anew may go
    if told := [*replaced, *(each for each in again_said if has_braces(each))]:
        words = " ".join(str(each.input_line) for each in told)
        tell(f"note: {brief(words)} of {run} gives way to what is chosen in its place: {' '.join(line.overrides)}")
    kept = [str(each.input_line) for each in before if each not in (*again_said, *replaced)]
    if had_root and all(each.key_or_group != _ROOT for each in new):
        kept.append(f"{_ROOT}={quoted(str(_folder_of(run)))}")
    one_job = [] if line.multirun else ["hydra.mode=RUN"]
    return replace(line, presets=tuple(kept), overrides=(*one_job, *line.overrides), config_name=name)


def _what(override: Override) -> tuple[str, bool]:
    """What an override replaces: the option of a group, or the value of a key, each where it was said before."""
    return override.key_or_group, chooses(override)


def _is_below(key: str, chosen: Sequence[Override]) -> bool:
    """Whether an option of a group that was chosen anew brings the whole section that `key`, or a group, is below."""
    dotted = f"{key.replace('/', '.')}."
    sections = [each.package or each.key_or_group.replace("/", ".") for each in chosen]
    return any(dotted.startswith(f"{section}.") and section for section in sections)


def _folder_of(run: Path) -> Path:
    """Above a run as it was named, `..` and `.` too, whatever links lie on the way."""
    return Path(os.path.abspath(run)).parent  # noqa: PTH100 - to resolve it would follow them
