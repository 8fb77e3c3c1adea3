"""From a command line to checked configs: every job of it is composed and checked before the first starts."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

import radar
from radar.config import Config
from radar.errors import ConfigError
from radar.validation import parse

VERSION_BASE = "1.3"
CONFIG_NAME = "config"
_NUMBERS = {"timestep": "value", "contamination": "value", "patch": "size"}  # the number behind a group's options


def config_folder() -> Path:
    """The config tree: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(radar.__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def register_schema() -> None:
    """Make the typed schema known to Hydra under the name that `conf/config.yaml` starts from."""
    ConfigStore.instance().store(name="schema", node=Config)


@dataclass(frozen=True)
class Job:
    """One composed and checked experiment, and the overrides that make it."""

    overrides: tuple[str, ...]
    config: Config


def varying(planned: Sequence[Job]) -> list[str]:
    """What tells each job from the others: its overrides less those that all have."""
    common = set.intersection(*(set(job.overrides) for job in planned)) if len(planned) > 1 else set()
    return [" ".join(override for override in job.overrides if override not in common) for job in planned]


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Hydra's own reading of the command line."""
    parsed, unknown = get_args_parser().parse_known_args(list(arguments))
    if unknown:
        raise ConfigError(f"{unknown[0]}: unknown option; see radar --help")
    if parsed.config_path:
        raise ConfigError(f"--config-path {parsed.config_path}: name a folder of your own with --config-dir")
    return parsed


def jobs(arguments: argparse.Namespace) -> list[Job]:
    """All jobs of a command line, as `plan` finds them."""
    return plan(arguments).jobs


@dataclass(frozen=True)
class Plan:
    """All jobs of a command line, and whether they are a sweep."""

    jobs: list[Job]
    is_sweep: bool


def plan(arguments: argparse.Namespace) -> Plan:
    """All jobs of a command line, or of the sweep that its config is. Raises `ConfigError` for the first that is wrong."""
    register_schema()
    overrides = list(arguments.overrides)
    _refuse_numbers_for_groups(overrides)
    with one_line(overrides), initialize_config_dir(str(config_folder()), version_base=VERSION_BASE):
        search = _search_path(arguments.config_dir)
        name = arguments.config_name or CONFIG_NAME
        own = _own_sweep(name, search, overrides) if arguments.config_name else None
        if own is None and not arguments.multirun:
            _refuse_sweeps(overrides)
            return Plan([_job(name, search, overrides)], is_sweep=False)
        # as Hydra does: what the command line says comes after what the config says
        return Plan([_job(name, search, batch) for batch in _expand([*(own or []), *overrides])], is_sweep=True)


def _own_sweep(name: str, search: list[str], overrides: Sequence[str]) -> list[str] | None:
    """The overrides over which a top-level config sweeps; None for a config of one experiment."""
    single = [each.input_line or "" for each in _parse_overrides(overrides) if not each.is_sweep_override()]
    with one_line(overrides):
        settings = compose(name, overrides=[*search, *single], return_hydra_config=True).hydra
    if settings.mode != RunMode.MULTIRUN:
        return None
    return [f"{key}={values}" for key, values in (settings.sweeper.params or {}).items()]


def _job(name: str, search: list[str], overrides: Sequence[str]) -> Job:
    with one_line(overrides):
        composed: DictConfig = compose(name, overrides=[*search, *overrides])
    return Job(tuple(overrides), parse(composed))


def _search_path(config_dir: str | None) -> list[str]:
    if config_dir is None:
        return []
    folder = Path(config_dir).expanduser().resolve()
    if not folder.is_dir():
        raise ConfigError(f"--config-dir {config_dir}: no such folder")
    return [f"hydra.searchpath=['file://{folder}']"]


def _parse_overrides(overrides: Sequence[str]) -> list[Override]:
    return OverridesParser.create().parse_overrides(overrides=list(overrides))


def _expand(overrides: Sequence[str]) -> list[list[str]]:
    plain = [override for override in _parse_overrides(overrides) if not override.is_hydra_override()]
    return [list(job) for batch in BasicSweeper.split_arguments(plain, None) for job in batch]


def _refuse_numbers_for_groups(overrides: Sequence[str]) -> None:
    """A number where a group option is meant: Hydra answers that with a traceback."""
    for text in overrides:
        if "=" not in text and not text.startswith("~"):
            raise ConfigError(
                f"{text}: is neither a command (there are: data, status, cache) nor key=value; see radar --help"
            )
        try:
            override = _parse_overrides([text])[0]
        except HydraException:
            raise ConfigError(
                f"{text}: cannot be read as key=value; quote special characters, as in 'key=\"a,b\"'"
            ) from None
        group = override.key_or_group
        values = list(override.sweep_string_iterator()) if override.is_sweep_override() else [override.value()]
        for value in values:
            if (config_folder() / group).is_dir() and _is_number(str(value)):
                raise ConfigError(_missing_option(group, str(value)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse_sweeps(overrides: Sequence[str]) -> None:
    for override in _parse_overrides(overrides):
        if override.is_sweep_override():
            raise ConfigError(f"{override.input_line}: several values make a sweep; add -m, or quote a list as [a,b]")


@contextmanager
def one_line(overrides: Sequence[str]) -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise into one line that names the key and the fix."""
    try:
        yield
    except YAMLError as error:
        where = getattr(error, "problem_mark", None)
        place = f"{where.name}, line {where.line + 1}" if where else "a config file"
        raise ConfigError(f"{place}: {getattr(error, 'problem', error)}; mend the YAML") from None
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_message(error, overrides)) from None


def _message(error: Exception, overrides: Sequence[str]) -> str:
    text = f"{error}\n{error.__cause__}"
    # an option of a group does not exist: Could not find 'timestep/1'
    missing = re.search(r"Could not find '([^']+)/([^'/]+)'", text)
    if missing:
        return _missing_option(missing[1].removeprefix("/"), missing[2])
    unknown = re.search(r"Key '([^']+)' (?:is )?not in", text) or re.search(
        r"Could not override '([^']+)'.*No match", text, re.S
    )
    if unknown:
        return _unknown_key(unknown[1], overrides)
    cause = error.__cause__ or error
    full_key = getattr(cause, "full_key", None) or getattr(error, "full_key", None)
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    blamed = _blamed_override(text, overrides)
    return ": ".join(part for part in (blamed or full_key, lines[0] if lines else type(error).__name__) if part)


def _missing_option(group: str, option: str) -> str:
    options = sorted(
        (file.stem for file in (config_folder() / group).glob("*.yaml") if not file.stem.startswith("_")), key=_natural
    )
    number = re.search(r"\d+", option)
    if number:  # numbers that look alike are not near each other
        near = [name for name in options if number[0] in re.findall(r"\d+", name)]
    else:
        near = difflib.get_close_matches(option, options, 1)
    leaf = (
        f", or set the value itself with {group}.{_NUMBERS[group]}={option}"
        if group in _NUMBERS and _is_number(option)
        else ""
    )
    advice = f"use {group}={near[0]}" if near else f"use one of {', '.join(options)}"
    return f"{group}={option}: group {group} has no option {option}; {advice}{leaf}"


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts t5 before t10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _unknown_key(key: str, overrides: Sequence[str]) -> str:
    """`key` may be the unknown part of a longer key; the override that has it is shown whole."""
    written = {override: override.split("=", 1)[0].lstrip("+~") for override in overrides}
    blamed = next((override for override, name in written.items() if key in (name, *name.split("."))), None)
    wanted = written[blamed] if blamed else key
    known = sorted(set(_leaf_keys(Config, "")))
    same_leaf = [name for name in known if name.split(".")[-1] == wanted.split(".")[-1]]
    near = same_leaf if len(same_leaf) == 1 else difflib.get_close_matches(wanted, known, 1)
    advice = f"did you mean {near[0]}?" if near else "radar --cfg job lists all keys"
    return f"{blamed or key}: no such key; {advice}"


def _blamed_override(text: str, overrides: Sequence[str]) -> str | None:
    for override in overrides:
        key = override.split("=", 1)[0].lstrip("+~")
        if key and re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.])", text):
            return override
    return None


def _leaf_keys(section: Any, prefix: str) -> Iterator[str]:
    for item in fields(section):
        kind = item.default_factory
        if is_dataclass(kind):
            yield from _leaf_keys(kind, f"{prefix}{item.name}.")
        else:
            yield prefix + item.name
