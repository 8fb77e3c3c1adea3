"""A command line that composes: overrides, and where configs come from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass

from radar.compose import hydra_internals
from radar.compose.hydra_internals import CONFIG_NAME
from radar.errors import ConfigError
from radar.plugins import imported_plugins

PLUGINS = "--plugins"

# Hydra's options with a value, of which it takes the last without a word, and their short names
_VALUED = {"--config-dir": "-cd", "--config-name": "-cn", "--config-path": "-cp", "--package": "-p", "--cfg": "-c"}
_LEAST = len("--c")  # an option may be cut short


@dataclass(frozen=True)
class CommandLine:
    """What is composed. `presets` are overrides that are dropped where nothing reads them, as a preset's values are."""

    overrides: tuple[str, ...]
    presets: tuple[str, ...] = ()
    config_name: str = CONFIG_NAME
    config_dir: str | None = None
    multirun: bool = False
    shows: bool = False  # help or the config itself, in place of running

    @property
    def sources(self) -> list[str]:
        """Where configs come from, where it is not the project's own folder and its first config."""
        named = {"--config-name": self.config_name, "--config-dir": self.config_dir}
        usual = {"--config-name": CONFIG_NAME, "--config-dir": None}
        return [word for option, value in named.items() if value != usual[option] for word in (option, str(value))]

    @property
    def words(self) -> list[str]:
        """What to type after `radar` for the same sweep."""
        plugins = imported_plugins()
        named = [PLUGINS, ",".join(plugins)] if plugins else []
        return [*named, *self.sources, *(["-m"] if self.multirun else []), *self.presets, *self.overrides]


def read(arguments: Sequence[str]) -> CommandLine:
    """Read a command line without a verb. Raises `ConfigError` for an unknown option, and for one that is given twice."""
    for option, short in _VALUED.items():
        given = (argument.partition("=")[0] for argument in arguments)
        if sum(each == short or (len(each) > _LEAST and option.startswith(each)) for each in given) > 1:
            raise ConfigError(f"{option}: is given twice; name it once")
    parsed, unknown = hydra_internals.read_arguments(arguments)
    if unknown:
        raise ConfigError(f"{unknown[0]}: unknown option; see radar --help")
    if parsed.shell_completion:
        raise ConfigError("--shell-completion: radar completes nothing in a shell; leave it out")
    if parsed.experimental_rerun:
        raise ConfigError(f"--experimental-rerun {parsed.experimental_rerun}: name the run's folder after --rerun")
    if parsed.package and not parsed.cfg:
        raise ConfigError(f"--package {parsed.package}: says of what --cfg shows; leave it out")
    if parsed.resolve and not parsed.cfg:
        raise ConfigError("--resolve: says how --cfg shows a config; leave it out")
    if parsed.config_path:
        raise ConfigError(f"--config-path {parsed.config_path}: name a folder of your own with --config-dir")
    return CommandLine(
        tuple(parsed.overrides),
        config_name=parsed.config_name or CONFIG_NAME,
        config_dir=parsed.config_dir,
        multirun=parsed.multirun,
        shows=_shows(parsed),
    )


def _shows(parsed: argparse.Namespace) -> bool:
    return any((parsed.help, parsed.hydra_help, parsed.cfg, parsed.info))


def without_plugins(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """A command line without `--plugins MODULE[,MODULE]`, and the modules. Raises `ConfigError` where none is named.

    Behind `--` there are paths alone. A word that is also the name of a file here, which a pattern may have put in, names no module.
    """
    rest, modules = list[str](), list[str]()
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            return [*rest, argument, *remaining], modules
        option, equals, value = argument.partition("=")
        if option == PLUGINS and _is_a_file(argument):
            raise ConfigError(f"{argument}: is a file here; name it ./{argument}, or let --plugins stand elsewhere")
        if option != PLUGINS:
            rest.append(argument)
            continue
        named = value if equals else next(remaining, "")
        if not all(named.split(",")) or named.startswith("-"):
            raise ConfigError(f"{PLUGINS} {named}: name a module, or several as {PLUGINS} MODULE,MODULE")
        modules += named.split(",")
    return rest, modules


def _is_a_file(word: str) -> bool:
    """Also a link to nothing, which a pattern puts in as well."""
    try:
        return os.path.lexists(word)
    except ValueError:  # no name that a file could have
        return False
