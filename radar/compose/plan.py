"""From a command line to checked configs: every job of it is composed and checked before the first starts."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from omegaconf import DictConfig, OmegaConf

from radar.compose import hydra_internals
from radar.compose.command_line import CommandLine
from radar.compose.composed_config import typed_composed
from radar.compose.config_tree import further_folders, is_group, with_folder
from radar.compose.consent import refuse_code
from radar.compose.hydra_internals import Override, read_overrides, values_of
from radar.compose.launcher_consent import refuse_commands
from radar.compose.messages import (
    one_line,
    refuse_numbers_for_groups,
    refuse_other_forms,
    refuse_sweeps,
    refuse_unknown_method_key,
    refuse_unread_part,
    refuse_without_sweep,
)
from radar.compose.search_axes import refuse_without_loss, trials
from radar.config.plain import plain, selected
from radar.config.schema import Config
from radar.config.typed import refuse_odd_digits, typed
from radar.config.verbs import SweepConfig
from radar.errors import ConfigError
from radar.methods.controls import controls
from radar.methods.key_rules import check, check_extra
from radar.methods.registry import has_setting
from radar.methods.relevance import effective, idle_because, unread_by
from radar.plugins import imported_plugins
from radar.runtime.terminal import brief

_SWEEP = "sweep"
_PRESETS = ("experiment",)  # groups whose values are dropped where nothing reads them


@dataclass(frozen=True)
class Job:
    """One composed and checked experiment, and the overrides that make it."""

    overrides: tuple[str, ...]
    config: Config
    unread: dict[str, str] = field(
        default_factory=dict
    )  # keys that were left out, or are idle → what does not read them


@dataclass(frozen=True)
class Plan:
    """What a command line asks for; `sweep` says how its jobs run together.

    A search is a sweep whose sweeper makes up the jobs as it goes: `jobs` then holds the one experiment that it varies.
    """

    jobs: list[Job]
    is_sweep: bool
    settings: DictConfig  # Hydra's own node
    axes: tuple[str, ...]  # the overrides that sweep, as they were written
    sweep: SweepConfig

    @property
    def is_search(self) -> bool:
        """Whether a sweeper makes up the jobs."""
        return self.is_sweep and hydra_internals.searches(self.settings)

    @property
    def is_launched(self) -> bool:
        """Whether Hydra runs the jobs: in other processes, in an order of its own, or with callbacks."""
        elsewhere = self.is_sweep and hydra_internals.launches_elsewhere(self.settings)
        return self.is_search or elsewhere or bool(self.settings.callbacks)

    @cached_property
    def _common(self) -> frozenset[str]:
        return frozenset.intersection(*(frozenset(job.overrides) for job in self.jobs))

    @property
    def names(self) -> list[str]:
        """What tells each job from the others."""
        if len(self.jobs) == 1:
            return [" ".join(self.jobs[0].overrides)]
        return [" ".join(text for text in job.overrides if text not in self._common) for job in self.jobs]


def trial_name(overrides: Sequence[str], axes: Sequence[str]) -> str:
    """What tells one trial of a search, whose sweeper writes a value in its own way, from the others."""
    keys = {axis.partition("=")[0] for axis in axes}
    return " ".join(override for override in overrides if override.partition("=")[0] in keys)


def plan(line: CommandLine) -> Plan:
    """All jobs of a command line, or of the sweep that its config is. Raises `ConfigError` for the first that is wrong."""
    given = [*line.presets, *(text for text in line.overrides if not _is_of_sweep(text))]
    refuse_numbers_for_groups(given)
    with with_folder(line.config_dir), one_line(given), hydra_internals.composing():
        composer = _Composer(line.config_name)
        read = read_overrides(given)
        refuse_other_forms(read, _SWEEP)
        single = [(text, each) for text, each in zip(given, read, strict=True) if not each.is_sweep_override()]
        of_sweep = [text for text in line.overrides if _is_of_sweep(text)]
        settings, sweep = composer.settings([*(text for text, each in single if _chooses(each)), *of_sweep])
        is_sweep = line.multirun or hydra_internals.sweeps(settings)
        if not is_sweep:
            refuse_sweeps(given)
            refuse_without_sweep(of_sweep)
        # as Hydra does: what the command line says comes after what the config says
        own = [f"{key}={values}" for key, values in (settings.sweeper.params or {}).items()] if is_sweep else []
        for each in read_overrides(own):
            if each.is_sweep_override():
                values_of(each)  # refused as those of the command line were
        axes = (*own, *(text for text, each in zip(given, read, strict=True) if each.is_sweep_override()))
        planned = Plan([], is_sweep, settings, axes, sweep)
        if planned.is_search:
            hydra_internals.refuse_other_directions(settings)
            batches = [[text for text, each in single if not each.is_hydra_override()]]
        else:
            batches = hydra_internals.expanded([*own, *given])
        said = [text for text, each in single if each.is_hydra_override()]
        _refuse_hidden(composer, [*batches, *([text] for text in _of_axes(axes))], said)
        jobs = [composer.job(batch) for batch in batches]
        if planned.is_search:
            _refuse_vain_search([composer.trial(trial) for trial in trials(axes, *batches)], axes, own)
    typed_of_jobs = [text for text in line.overrides if text in given]
    _refuse_unread(typed_of_jobs, jobs)
    _refuse_controls(typed_of_jobs, jobs)
    distinct = _distinct(jobs)
    if not planned.is_search:
        _refuse_equal_jobs(axes, jobs, distinct)
    return Plan(distinct, is_sweep, settings, axes, sweep)


def _refuse_hidden(composer: _Composer, batches: Iterable[Sequence[str]], said: Sequence[str]) -> None:
    """What a job's own groups say of Hydra is judged as well, beside what the command line has `said` of it: a launcher composes it
    anew for every job."""
    if further_folders():
        for choices in dict.fromkeys(
            tuple(text for text in batch if _chooses(read_overrides([text])[0])) for batch in batches
        ):
            composer.settings([*said, *choices])


def _of_axes(axes: Iterable[str]) -> Iterator[str]:
    """Every option of an axis that is a group, as one would say it."""
    for override in (read_overrides([text])[0] for text in axes):
        if override.is_sweep_override() and _chooses(override):
            yield from (f"{str(override.input_line).partition('=')[0]}={value}" for value in values_of(override))


def _refuse_vain_search(found: Sequence[Job], axes: Sequence[str], own: Sequence[str]) -> None:
    """Each trial must tell what a search minimises, and one at least must read an axis; `own` are the config's."""
    for job in found:
        refuse_without_loss(job.config)
    _refuse_unread([axis for axis in axes if axis not in own], found)
    _refuse_unread(own, found, "search with a config whose hydra.sweeper.params have no such axis")


def _refuse_unread(typed: Iterable[str], jobs: Sequence[Job], remedy: str = "leave it out") -> None:
    """What was typed must be read by one job at least."""
    for text in typed:
        key = read_overrides([text])[0].key_or_group
        readers = list(dict.fromkeys(job.unread.get(key) for job in jobs))
        if None not in readers:
            first, *more = [reader for reader in readers if reader is not None]
            said = f"none of {', '.join((first, *more))} reads it" if more else f"{first} does not read it"
            raise ConfigError(f"{text}: {said}; {remedy}")


def _refuse_controls(typed: Iterable[str], jobs: Sequence[Job]) -> None:
    """A control that was typed must be one that the method of one job at least has."""
    for text in typed:
        if read_overrides([text])[0].key_or_group == "method.controls":
            had = {name for job in jobs for name in controls(job.config)}
            methods = ", ".join(dict.fromkeys(f"method {job.config.method.name}" for job in jobs))
            for name in dict.fromkeys(name for job in jobs for name in job.config.method.controls):
                if name not in had:
                    raise ConfigError(f"{text}: {methods} has no control {name}; leave it out")


def _distinct(jobs: Sequence[Job]) -> list[Job]:
    """Jobs that became equal run once; how they are labelled makes no difference."""
    found: dict[str, Job] = {}
    for job in jobs:
        tree = effective(job.config)
        del tree["preset"], tree["tags"]
        found.setdefault(json.dumps(tree, sort_keys=True), job)
    return list(found.values())


def _refuse_equal_jobs(axes: Sequence[str], jobs: Sequence[Job], distinct: Sequence[Job]) -> None:
    """An axis whose values differ must tell jobs apart: with a key below its group, every option of it is one job."""
    for axis in axes:
        key = read_overrides([axis])[0].key_or_group
        if len(_values(key, distinct)) < min(2, len(_values(key, jobs))):
            raise ConfigError(
                f"{brief(axis)}: its values make equal jobs, as what else is said decides in their place; leave one of both out"
            )


def _values(key: str, jobs: Sequence[Job]) -> set[str]:
    """What is said of `key` in the jobs that read it."""
    return {text for job in jobs for text in job.overrides if read_overrides([text])[0].key_or_group == key}


class _Composer:
    """Composes configs that differ in plain values from one composition, which is what costs time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def settings(self, overrides: Sequence[str]) -> tuple[DictConfig, SweepConfig]:
        """Hydra's own node, and the section `sweep`."""
        with one_line(overrides):
            settings, sweep = hydra_internals.compose_settings(self.name, overrides)
            refuse_code(settings, imported_plugins())
            refuse_commands(settings, read_overrides(overrides))
        try:
            return settings, typed(SweepConfig, {str(key): value for key, value in sweep.items()})
        except ConfigError as error:
            raise ConfigError(f"{_SWEEP}.{error}") from None

    def job(self, overrides: Sequence[str]) -> Job:
        """The experiment that `overrides` make, without those that nothing reads. Raises `ConfigError`."""
        job = self.trial(overrides)
        check(job.config)
        check_extra(job.config)
        return job

    def trial(self, overrides: Sequence[str]) -> Job:
        """As `job`, by the rules of single keys alone: those between keys, a search may keep with other values of its axes."""
        read = dict(zip(overrides, read_overrides(overrides), strict=True))
        config, unread = self._typed(read)
        for override in read.values():
            key = override.key_or_group
            if key not in unread and _is_checked(override) and (reader := unread_by(config, key)):
                unread[key] = reader
            elif key not in unread and isinstance(override.value(), dict):
                refuse_unread_part(override, lambda leaf: unread_by(config, leaf) or idle_because(config, leaf))
        if unread:
            read = {text: override for text, override in read.items() if override.key_or_group not in unread}
            config, _ = self._typed(read)
        return Job(tuple(read), config, unread | self._idle(read, config))

    def _idle(self, read: dict[str, Override], config: Config) -> dict[str, str]:
        """Keys among those read that nothing reads as the config is, though it counts them, and that change it; with what does not."""
        idle = {
            each.key_or_group: reader
            for each in read.values()
            if _is_checked(each) and (reader := idle_because(config, each.key_or_group))
        }
        if not idle:
            return {}
        without = plain(self._typed({text: each for text, each in read.items() if each.key_or_group not in idle})[0])
        given = plain(config)
        return {key: reader for key, reader in idle.items() if selected(given, [key]) != selected(without, [key])}

    def _typed(self, overrides: dict[str, Override]) -> tuple[Config, dict[str, str]]:
        """The config, its keys in range, and the keys of section `method` that this method does not have."""
        groups = tuple(text for text, each in overrides.items() if _chooses(each))
        with one_line(list(overrides)):
            if groups not in self._composed:
                self._composed[groups] = hydra_internals.compose_config(self.name, groups)
            composed = copy.deepcopy(self._composed[groups])
            values = [each for each in overrides.values() if not _chooses(each)]
            others = {each.key_or_group: _holder(composed, each) for each in values}
            unread = {key: holder for key, holder in others.items() if holder is not None}
            for each in values:
                refuse_odd_digits(_node(composed, each.key_or_group), each.value(), each.key_or_group)
            hydra_internals.assign(composed, [each for each in values if each.key_or_group not in unread])
        return typed_composed(composed), unread


def _is_of_sweep(text: str) -> bool:
    """Whether an override says how jobs run together, which is no part of any of them."""
    return text.startswith(f"{_SWEEP}.")


def _chooses(override: Override) -> bool:
    """Whether an override chooses a config of a group."""
    return is_group(override.key_or_group.partition("@")[0]) or override.is_hydra_override()


def _is_checked(override: Override) -> bool:
    """Whether an override is dropped where nothing reads its key."""
    labelled = override.package is not None or override.is_hydra_override() or override.is_delete()
    return not labelled and override.key_or_group not in _PRESETS


def _node(composed: DictConfig, key: str) -> object:
    """What a typed tree has at `key`; None where there is nothing."""
    node: object = composed
    for part in key.split("."):
        if not isinstance(node, DictConfig) or node._is_none() or node._is_missing():
            return None
        node = node._get_node(part, validate_access=False)
    return node


def _holder(composed: DictConfig, override: Override) -> str | None:
    """What does not have the key below `method` that `override` sets; None where it is there.

    Raises `ConfigError` where no method has it.
    """
    first, *parts = override.key_or_group.split(".")
    if first != "method" or not parts or override.is_add() or override.is_force_add() or override.is_delete():
        return None
    node, path = composed.method, first
    for part in parts:
        if node is None:
            return f"{path}=null"
        if not OmegaConf.is_dict(node) or part not in node or not has_setting(composed.method.name, parts):
            refuse_unknown_method_key(override, composed.method)
            return f"method {composed.method.name}"
        node, path = OmegaConf.select(node, part, throw_on_missing=False), f"{path}.{part}"
    return None
