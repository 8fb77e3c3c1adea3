"""From a command line to checked configs: every job of it is composed and checked before the first starts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from omegaconf import DictConfig

from radar.compose import hydra_internals
from radar.compose.braces import chooses, keys_said
from radar.compose.command_line import CommandLine
from radar.compose.composer import SWEEP, Composer, Job, is_preset
from radar.compose.config_tree import further_folders, with_folder
from radar.compose.messages import (
    one_line,
    refuse_numbers_for_groups,
    refuse_other_forms,
    refuse_sweeps,
    refuse_without_sweep,
)
from radar.compose.overrides import Override, expanded, has_braces, read_overrides, values_of, words_of
from radar.compose.search_axes import refuse_without_loss, trials
from radar.config.verbs import SweepConfig
from radar.errors import ConfigError
from radar.methods.controls import controls
from radar.methods.relevance import effective
from radar.runtime.terminal import brief

_LABELS = ("preset", "tags")  # keys that make no run another one


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


def _refuse_vain_settings(read: Sequence[Override]) -> None:
    """Raise `ConfigError` for an override that sweeps over Hydra's own keys, which no sweeper takes, and for one of Hydra's folder of
    a run, into which nothing is written.
    """
    for each in read:
        if each.key_or_group == "hydra.run.dir":
            raise ConfigError(f"{brief(str(each.input_line))}: has no effect; runs lie in output_root, so set that")
        if each.is_hydra_override() and each.is_sweep_override():
            raise ConfigError(
                f"{brief(str(each.input_line))}: a sweep varies keys of the experiment, and none of Hydra's own; of a search, "
                "write the key itself, as in unet=choice(small,compact)"
            )


def trial_name(overrides: Sequence[str], axes: Sequence[str]) -> str:
    """What tells one trial of a search, whose sweeper writes a value in its own way, from the others."""
    keys = {axis.partition("=")[0] for axis in axes}
    return " ".join(override for override in overrides if override.partition("=")[0] in keys)


def plan(line: CommandLine) -> Plan:
    """All jobs of a command line, or of the sweep that its config is. Raises `ConfigError` for the first that is wrong."""
    given = [*line.presets, *(text for text in line.overrides if not _is_of_sweep(text))]
    refuse_numbers_for_groups(given)
    with with_folder(line.config_dir), one_line(given), hydra_internals.composing():
        # what a run keeps was not typed now; a preset that is may decide in its place
        stored = () if any(is_preset(each) for each in read_overrides(line.overrides)) else line.presets
        composer = Composer(line.config_name, stored)
        read = read_overrides(given)
        refuse_other_forms(read, SWEEP)
        single = [(text, each) for text, each in zip(given, read, strict=True) if not each.is_sweep_override()]
        of_sweep = [text for text in line.overrides if _is_of_sweep(text)]
        settings, sweep = composer.settings([*(text for text, each in single if chooses(each)), *of_sweep])
        is_sweep = line.multirun or hydra_internals.sweeps(settings)
        _refuse_vain_settings(read)
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
            batches = expanded([*(text for text in own if _key(text) not in in_braces), *given])
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


def _refuse_hidden(composer: Composer, batches: Iterable[Sequence[str]], said: Sequence[str]) -> None:
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


def _is_of_sweep(text: str) -> bool:
    """Whether an override says how jobs run together, which is no part of any of them."""
    return text.startswith(f"{SWEEP}.")
