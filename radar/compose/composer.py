"""From the overrides of one job to its typed config, and which of them nothing reads."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from omegaconf import DictConfig, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from radar.compose import hydra_internals
from radar.compose.braces import chooses, keys_set, node_at, without
from radar.compose.composed_config import typed_composed
from radar.compose.config_tree import leaf_values
from radar.compose.consent import refuse_code
from radar.compose.hydra_internals import CONFIG_NAME
from radar.compose.launcher_consent import refuse_commands
from radar.compose.messages import one_line, refuse_unknown_method_key
from radar.compose.overrides import Override, read_overrides
from radar.config.plain import plain, selected
from radar.config.schema import Config
from radar.config.typed import refuse_odd_digits, typed
from radar.config.verbs import SweepConfig
from radar.errors import ConfigError
from radar.methods.key_rules import check, check_extra
from radar.methods.registry import has_setting
from radar.methods.relevance import idle_because, unread_by
from radar.plugins import imported_plugins
from radar.runtime.terminal import brief

SWEEP = "sweep"  # the section that says how jobs run together
_PRESETS = ("experiment",)  # groups whose values are dropped where nothing reads them


@dataclass(frozen=True)
class Job:
    """One composed and checked experiment, and the overrides that make it."""

    said: dict[str, str]  # overrides → what is left of them, where anything is
    config: Config
    keys: frozenset[str]  # that they set
    # those of the keys that were left out, or are idle and change the config → what does not read them
    unread: dict[str, str]
    idle: dict[str, str]  # those that nothing reads as the config is, whatever it has without them

    @property
    def overrides(self) -> tuple[str, ...]:
        """The overrides that make it."""
        return tuple(self.said.values())


class Composer:
    """Composes configs that differ in plain values from one composition, which is what costs time."""

    def __init__(self, name: str, stored: Collection[str] = ()) -> None:
        """`name` is that of the primary config; `stored` are overrides that a run keeps, which nobody typed now."""
        self.name = name
        self._stored = frozenset(stored)
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._options: dict[str, dict[str, object]] = {}  # what options say themselves, by the words that choose them

    def settings(self, overrides: Sequence[str]) -> tuple[DictConfig, SweepConfig]:
        """Hydra's own node, and the section `sweep`."""
        with one_line(overrides):
            settings, sweep = hydra_internals.compose_settings(self.name, overrides)
            refuse_code(settings, imported_plugins())
            refuse_commands(settings, read_overrides(overrides))
        try:
            return settings, typed(SweepConfig, {str(key): value for key, value in sweep.items()})
        except ConfigError as error:
            raise ConfigError(f"{SWEEP}.{error}") from None

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
            self._refuse_lost(given, {key for text, each in given.items() if not chooses(each) for key in sets[text]})
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

    def _refuse_lost(self, given: dict[str, Override], typed_keys: Collection[str]) -> None:
        """Raise `ConfigError` for an option of a group that makes no difference, as a preset or a primary config says otherwise of all
        that it sets: their values come after those of groups. What `typed_keys` say in its place is said by the user.
        """
        presets = [each for each in given.values() if is_preset(each)]
        if not presets and self.name == CONFIG_NAME:
            return
        chosen = [each for each in given.values() if chooses(each)]
        composed = self._chosen(chosen)
        for text, each in given.items():
            option = each.value()
            if each not in chosen or text in self._stored or not _is_checked(each) or not isinstance(option, str):
                continue
            if text not in self._options:
                self._options[text] = hydra_internals.option_values(each.key_or_group, option)
            own = self._options[text]
            if any(_is_said(key, typed_keys) or _has(composed, key, value) for key, value in own.items()) or not own:
                continue
            without = self._composes([other for other in chosen if other is not each])
            if without is None or leaf_values(without) != leaf_values(composed):
                continue
            key, value = next(iter(own.items()))
            if who := self._who_decides(key, value, chosen, presets):
                found, told = (_as_typed(one) for one in (OmegaConf.select(composed, key), value))
                raise ConfigError(
                    f"{brief(text)}: {who} decides {key} in its place, {found}; leave one of both out, or say {key}={told} as well"
                )

    def _who_decides(
        self, key: str, value: object, chosen: Sequence[Override], presets: Sequence[Override]
    ) -> str | None:
        """By whom `key` has not the `value` that an option of a group says: presets, or the primary config; None where by neither."""
        without = [each for each in chosen if each not in presets]
        alone = self._composes(without)
        if presets and (alone is None or _has(alone, key, value)):
            return " ".join(str(each.input_line) for each in presets)
        plain_one = None if self.name == CONFIG_NAME else Composer(CONFIG_NAME)._composes(without)
        return f"config {self.name}" if plain_one is not None and _has(plain_one, key, value) else None

    def _composes(self, overrides: Sequence[Override]) -> DictConfig | None:
        """None where they do not, as what brings a group that others choose from is not among them."""
        try:
            with one_line([str(each.input_line) for each in overrides]):
                return self._chosen(overrides)
        except ConfigError:
            return None

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


def is_preset(override: Override) -> bool:
    """Whether an override chooses values of many sections at once, which come after those of groups."""
    return override.key_or_group in _PRESETS


def _is_said(key: str, keys: Collection[str]) -> bool:
    return any(f"{key}.".startswith(f"{each}.") for each in keys)


def _has(composed: DictConfig, key: str, value: object) -> bool:
    """Whether a config has this value, as it is written or as it resolves."""
    node = node_at(composed, key)
    if not isinstance(node, Node) or node._value() == value:
        return isinstance(node, Node)
    try:
        return bool(OmegaConf.select(composed, key) == value)
    except OmegaConfBaseException:  # whoever reads it says so
        return False


def _as_typed(value: object) -> object:
    """As a command line says it."""
    return "null" if value is None else value


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
