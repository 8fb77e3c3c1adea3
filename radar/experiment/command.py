"""How a run was asked for, kept in its directory, so that it can be asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from radar.errors import RunError
from radar.files import read_json, write_json

COMMAND_FILE = "command.json"


@dataclass(frozen=True)
class Command:
    """The command of one run; for a job of a sweep, the command that runs this job alone."""

    overrides: tuple[str, ...]
    preset: str | None  # the experiment that the overrides start from
    plugins: tuple[str, ...]  # modules that --plugins named
    config_name: str | None = None  # where it is not the one that experiments start from
    config_dir: str | None = None

    @property
    def words(self) -> list[str]:
        """What to type."""
        words = ["radar"]
        if self.plugins:
            words += ["--plugins", ",".join(self.plugins)]
        if self.config_dir is not None:
            words += ["--config-dir", self.config_dir]
        if self.config_name is not None:
            words += ["--config-name", self.config_name, "hydra.mode=RUN"]  # one job, also where the config is a sweep
        return [*words, *self.overrides]


def write_command(run: Path, command: Command) -> None:
    """Write `command.json` into a run directory."""
    content = {"command": command.words, "overrides": list(command.overrides), "preset": command.preset}
    sources = {"plugins": list(command.plugins), "config_name": command.config_name, "config_dir": command.config_dir}
    write_json(run / COMMAND_FILE, {**content, **sources})


def read_command(run: Path) -> Command:
    """The command of a run directory, wherever it lies. Raises `RunError` where there is none, or one that cannot be read."""
    file = run / COMMAND_FILE
    if not run.is_dir():
        raise RunError(f"{run}: no such run directory")
    try:
        content = read_json(file, "copy the run directory again")
        named = [content[key] for key in ("preset", "config_name", "config_dir")]
        if not all(text is None or isinstance(text, str) for text in named):
            raise TypeError(f"{named} are no names")
        preset, config_name, config_dir = named
        return Command(_words(content["overrides"]), preset, _words(content["plugins"]), config_name, config_dir)
    except FileNotFoundError:
        raise RunError(f"{run}: has no {COMMAND_FILE}; name a directory of a run, below output_root") from None
    except (KeyError, TypeError) as error:
        raise RunError(f"{file}: cannot be read ({error}); copy the run directory again") from None


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(each, str) for each in value):
        raise TypeError(f"{value!r} is no list of words")
    return tuple(value)
