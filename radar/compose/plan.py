"""From a command line to checked configs: every job of it is composed and checked before the first starts."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from omegaconf import DictConfig, OmegaConf

from radar.compose import hydra_internals
from radar.compose.braces import chooses, keys_said, keys_set, node_at, without
from radar.compose.command_line import CommandLine
from radar.compose.composed_config import typed_composed
from radar.compose.config_tree import further_folders, with_folder
from radar.compose.consent import refuse_code
from radar.compose.hydra_internals import Override, has_braces, read_overrides, values_of, words_of
from radar.compose.launcher_consent import refuse_commands
from radar.compose.messages import (
    one_line,
    refuse_numbers_for_groups,
    refuse_other_forms,
    refuse_sweeps,
    refuse_unknown_method_key,
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
_LABELS = ("preset", "tags")  # keys that make no run another one


@dataclass(frozen=True)
class Job:
    """One composed and checked experiment, and the overrides that make it."""

    said: dict[str, str]  # overrides → what is left of them, where anything is
    config: Config
    keys: frozenset[str]  # that they set
    unread: dict[
        str, str
    ]  # those of the keys that were left out, or are idle and change the config → what does not read them
    idle: dict[str, str]  # those that nothing reads as the config is, whatever it has without them

    @property
    def overrides(self) -> tuple[str, ...]:
        """The overrides that make it."""
        return tuple(self.said.values())


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
        settings, sweep = composer.settings([*(text for text, each in single if chooses(each)), *of_sweep])
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
            in_braces = {
                key for text, each in zip(given, read, strict=True) if has_braces(each) for key in keys_said(text)
            }
            batches = hydra_internals.expanded([*(text for text in own if _key(text) not in in_braces), *given])
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
        replaced = {key for text in given for key in keys_said(text)}
        _refuse_equal_jobs([each for each in axes if each not in own or _key(each) not in replaced], jobs, distinct)
    return Plan(distinct, is_sweep, settings, axes, sweep)


def _refuse_hidden(composer: _Composer, batches: Iterable[Sequence[str]], said: Sequence[str]) -> None:
    """What a job's own groups say of Hydra is judged as well, beside what the command line has `said` of it: a launcher composes it
    anew for every job."""
    if further_folders():
        for choices in dict.fromkeys(
            tuple(text for text in batch if chooses(read_overrides([text])[0])) for batch in batches
        ):
            composer.settings([*said, *choices])


def _of_axes(axes: Iterable[str]) -> Iterator[str]:
    """Every option of an axis that is a group, as one would say it."""
    for override in read_overrides(list(axes)):
        if override.is_sweep_override():
            yield from (word for word in words_of(override) if chooses(read_overrides([word])[0]))


def _refuse_vain_search(found: Sequence[Job], axes: Sequence[str], own: Sequence[str]) -> None:
    """Each trial must tell what a search minimises, and one at least must read an axis; `own` are the config's."""
    for job in found:
        refuse_without_loss(job.config)
    _refuse_unread([axis for axis in axes if axis not in own], found)
    _refuse_unread(own, found, "search with a config whose hydra.sweeper.params have no such axis")


def _refuse_unread(typed: Iterable[str], jobs: Sequence[Job], remedy: str = "leave it out") -> None:
    """Each key that was typed must be read by one job at least.

    An idle key may be typed as it is anyway, which changes nothing; as an axis it promises jobs that differ.
    """
    for text in typed:
        is_axis = read_overrides([text])[0].is_sweep_override()
        for key in _keys_of(text, jobs):
            own = [{**(job.idle if is_axis else {}), **job.unread}.get(key) for job in jobs if key in job.keys]
            readers = [reader for reader in dict.fromkeys(own) if reader is not None]
            if readers and None not in own:
                what = "it" if key == _key(text) else key
                said = (
                    f"none of {', '.join(readers)} reads {what}"
                    if len(readers) > 1
                    else f"{readers[0]} does not read {what}"
                )
                raise ConfigError(f"{text}: {said}; {remedy}")


def _keys_of(text: str, jobs: Sequence[Job]) -> list[str]:
    """The keys of jobs that an override sets: those in its braces, up to sections that are set whole."""
    typed, said = _key(text), keys_said(text)
    found = {key for job in jobs for key in job.keys if f"{key}.".startswith(f"{typed}.")}
    return [key for key in sorted(found) if any(f"{leaf}.".startswith(f"{key}.") for leaf in said)]


def _key(text: str) -> str:
    return read_overrides([text])[0].key_or_group


def _refuse_controls(typed: Iterable[str], jobs: Sequence[Job]) -> None:
    """A control that was typed must be one that the method of one job at least has."""
    for text in typed:
        if "method.controls" in keys_said(text):
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
        for label in _LABELS:
            del tree[label]
        found.setdefault(json.dumps(tree, sort_keys=True), job)
    return list(found.values())


def _refuse_equal_jobs(axes: Sequence[str], jobs: Sequence[Job], distinct: Sequence[Job]) -> None:
    """An axis whose values differ must tell jobs apart: with a key below its group, every option of it is one job."""
    for axis in axes:
        words = frozenset(words_of(read_overrides([axis])[0]))
        is_read = any(_key(axis) in job.keys - job.unread.keys() for job in jobs)
        differing = len(_said(words, jobs)) or (
            len(words) if is_read else 0
        )  # none is said where a later word replaces it
        if len(_said(words, distinct)) < min(2, differing):
            why = "as a label tells no jobs apart; give one value"
            if _key(axis) not in _LABELS:
                why = "as what else is said decides in their place; leave one of both out"
            raise ConfigError(f"{brief(axis)}: its values make equal jobs, {why}")


def _said(words: frozenset[str], jobs: Sequence[Job]) -> set[str]:
    """Those of `words` of which a job reads something."""
    return {text for job in jobs for text in job.said if text in words}


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
        # a word that is said twice stands where it was said last
        words = list(dict.fromkeys(reversed(overrides)))[::-1]
        given = dict(zip(words, read_overrides(words), strict=True))
        with one_line(overrides):
            composed = self._chosen(given.values())
            sets = {text: keys_set(each, composed) for text, each in given.items()}
            checked = {key for text, keys in sets.items() if _is_checked(given[text]) for key in keys}
            unread = {
                key: holder
                for text, keys in sets.items()
                for key in keys
                if (holder := _holder(composed, given[text], key))
            }
        left = _left(given, unread)
        config = self._typed(left)
        unread |= {key: why for key in checked - unread.keys() if (why := unread_by(config, key))}
        left, before = _left(given, unread), left
        if left != before:
            config = self._typed(left)
        idle = {key: why for key in checked - unread.keys() if (why := idle_because(config, key))}
        changing = self._changing(left, config, idle)
        said = {text: str(each.input_line) for text, each in left.items()}
        return Job(said, config, frozenset(key for keys in sets.values() for key in keys), unread | changing, idle)

    def _changing(self, given: dict[str, Override], config: Config, idle: dict[str, str]) -> dict[str, str]:
        """Those of the `idle` keys that change the config."""
        if not idle:
            return {}
        with_them, without_them = plain(config), plain(self._typed(_left(given, idle)))
        return {key: why for key, why in idle.items() if selected(with_them, [key]) != selected(without_them, [key])}

    def _chosen(self, overrides: Iterable[Override]) -> DictConfig:
        """The config of the groups' options among `overrides`, which nobody may change."""
        groups = tuple(str(each.input_line) for each in overrides if chooses(each))
        if groups not in self._composed:
            self._composed[groups] = hydra_internals.compose_config(self.name, groups)
        return self._composed[groups]

    def _typed(self, overrides: dict[str, Override]) -> Config:
        """The config, its keys in range."""
        with one_line([str(each.input_line) for each in overrides.values()]):
            composed = copy.deepcopy(self._chosen(overrides.values()))
            values = [each for each in overrides.values() if not chooses(each)]
            for key, value in (pair for each in values for pair in keys_set(each, composed).items()):
                refuse_odd_digits(node_at(composed, key), value, key)
            hydra_internals.assign(composed, values)
        return typed_composed(composed)


def _left(given: dict[str, Override], keys: Collection[str]) -> dict[str, Override]:
    """What is left of overrides that set none of `keys`."""
    return {text: left for text, each in given.items() if (left := without(each, keys)) is not None}


def _is_of_sweep(text: str) -> bool:
    """Whether an override says how jobs run together, which is no part of any of them."""
    return text.startswith(f"{_SWEEP}.")


def _is_checked(override: Override) -> bool:
    """Whether an override is dropped where nothing reads its key."""
    labelled = override.package is not None or override.is_hydra_override() or override.is_delete()
    return not labelled and override.key_or_group not in _PRESETS


def _holder(composed: DictConfig, override: Override, key: str) -> str | None:
    """What does not have `key` below `method`, which `override` sets; None where it is there.

    Raises `ConfigError` where no method has it.
    """
    first, *parts = key.split(".")
    if first != "method" or not parts or override.is_add() or override.is_force_add() or override.is_delete():
        return None
    node, path = composed.method, first
    for part in parts:
        if node is None:
            return f"{path}=null"
        if not OmegaConf.is_dict(node) or part not in node or not has_setting(composed.method.name, parts):
            refuse_unknown_method_key(override, key, composed.method)
            return f"method {composed.method.name}"
        node, path = OmegaConf.select(node, part, throw_on_missing=False), f"{path}.{part}"
    return None
