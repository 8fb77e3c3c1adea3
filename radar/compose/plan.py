"""From a command line to checked configs: every job of it is composed and checked before the first starts."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import MISSING, DictConfig

from radar.compose.config_tree import config_folder, parse_overrides
from radar.compose.messages import one_line, refuse_numbers_for_groups, refuse_sweeps
from radar.compose.parsing import parse
from radar.config.schema import Config
from radar.errors import ConfigError

VERSION_BASE = "1.3"
CONFIG_NAME = "config"
_OWN_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
_OWN_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


@dataclass
class _OpenConfig(Config):
    """The schema as Hydra composes it, with sections whose keys are those of what they name."""

    dataset: Any = MISSING


def register_schema() -> None:
    """Make the schema known to Hydra under the name that `conf/config.yaml` starts from."""
    ConfigStore.instance().store(name="schema", node=_OpenConfig)


@dataclass(frozen=True)
class Job:
    """One composed and checked experiment, and the overrides that make it."""

    overrides: tuple[str, ...]
    config: Config


@dataclass(frozen=True)
class Plan:
    """What a command line asks for.

    A search is a sweep whose sweeper makes up the jobs as it goes: `jobs` then holds the one experiment that it varies.
    """

    jobs: list[Job]
    is_sweep: bool
    settings: DictConfig  # Hydra's own node
    axes: tuple[str, ...]  # the overrides that sweep, as they were written

    @property
    def is_search(self) -> bool:
        """Whether a sweeper makes up the jobs."""
        return self.is_sweep and self.settings.sweeper._target_ != _OWN_SWEEPER

    @property
    def is_launched(self) -> bool:
        """Whether Hydra runs the jobs: in other processes, in an order of its own, or with callbacks."""
        elsewhere = self.settings.launcher._target_ != _OWN_LAUNCHER
        return self.is_search or (self.is_sweep and elsewhere) or bool(self.settings.callbacks)

    @cached_property
    def _common(self) -> frozenset[str]:
        return frozenset.intersection(*(frozenset(job.overrides) for job in self.jobs))

    def name(self, overrides: Sequence[str]) -> str:
        """What tells a job of these overrides from the others."""
        if self.is_search:  # whose sweeper writes a value in its own way
            keys = {axis.partition("=")[0] for axis in self.axes}
            return " ".join(override for override in overrides if override.partition("=")[0] in keys)
        if len(self.jobs) == 1:
            return " ".join(overrides)
        return " ".join(override for override in overrides if override not in self._common)

    @property
    def names(self) -> list[str]:
        """The names of all jobs."""
        return [self.name(job.overrides) for job in self.jobs]


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


def plan(arguments: argparse.Namespace) -> Plan:
    """All jobs of a command line, or of the sweep that its config is. Raises `ConfigError` for the first that is wrong."""
    register_schema()
    overrides = list(arguments.overrides)
    refuse_numbers_for_groups(overrides)
    with one_line(overrides), initialize_config_dir(str(config_folder()), version_base=VERSION_BASE):
        composer = _Composer(arguments.config_name or CONFIG_NAME, _search_path(arguments.config_dir))
        read = parse_overrides(overrides)
        single = [each.input_line or "" for each in read if not each.is_sweep_override()]
        settings = composer.settings(single)
        is_sweep = arguments.multirun or settings.mode == RunMode.MULTIRUN
        if not is_sweep:
            refuse_sweeps(overrides)
        # as Hydra does: what the command line says comes after what the config says
        # as Hydra does: what the command line says comes after what the config says
        own = [f"{key}={values}" for key, values in (settings.sweeper.params or {}).items()] if is_sweep else []
        axes = (*own, *(text for text, each in zip(overrides, read, strict=True) if each.is_sweep_override()))
        if Plan([], is_sweep, settings, axes).is_search:
            batches = [[text for text in single if not text.startswith("hydra")]]
        else:
            batches = _expand([*own, *overrides])
        return Plan([composer.job(batch) for batch in batches], is_sweep, settings, axes)


class _Composer:
    """Composes configs that differ in plain values from one composition, which is what costs time."""

    def __init__(self, name: str, search: list[str]) -> None:
        self.name = name
        self.search = search
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def settings(self, overrides: Sequence[str]) -> DictConfig:
        """Hydra's own node."""
        with one_line(overrides):
            settings: DictConfig = compose(
                self.name, overrides=[*self.search, *overrides], return_hydra_config=True
            ).hydra
        return settings

    def job(self, overrides: Sequence[str]) -> Job:
        """The experiment that `overrides` make. Raises `ConfigError`."""
        read = parse_overrides(overrides)
        groups = tuple(text for text, each in zip(overrides, read, strict=True) if _chooses(each))
        values = [each for each in read if not _chooses(each)]
        with one_line(overrides):
            if groups not in self._composed:
                self._composed[groups] = compose(self.name, overrides=[*self.search, *groups])
            composed = copy.deepcopy(self._composed[groups])
            # what `compose` itself does with them, last of all
            ConfigLoaderImpl._apply_overrides_to_config(values, composed)
        return Job(tuple(overrides), parse(composed))


def _chooses(override: Override) -> bool:
    """Whether an override chooses a config of a group."""
    return (config_folder() / override.key_or_group.partition("@")[0]).is_dir() or override.is_hydra_override()


def _search_path(config_dir: str | None) -> list[str]:
    if config_dir is None:
        return []
    folder = Path(config_dir).expanduser().resolve()
    if not folder.is_dir():
        raise ConfigError(f"--config-dir {config_dir}: no such folder")
    return [f"hydra.searchpath=['file://{folder}']"]


def _expand(overrides: Sequence[str]) -> list[list[str]]:
    plain = [override for override in parse_overrides(overrides) if not override.is_hydra_override()]
    return [list(job) for batch in BasicSweeper.split_arguments(plain, None) for job in batch]
