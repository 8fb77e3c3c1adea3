"""Methods by name: NAME stands in `radar/methods/NAME.py`, in an installed package's entry point, or in a `--plugins` module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from radar.config.schema import Config
from radar.config.typed import Settings, typed
from radar.data.layouts import settings_gathered
from radar.errors import ConfigError
from radar.methods.method import Method
from radar.plugins import Registry

METHODS: Registry[Method[Any]] = Registry(
    kind="method",
    group="radar.methods",
    package="radar.methods",
    besides=("controls", "key_rules", "method", "registry", "relevance", "responses"),
)
register_method = METHODS.register


def method_of(config: Config) -> Method[Any]:
    """The method that `config.method` names, with its settings. Raises `ConfigError` for an unknown name."""
    return METHODS.get(config.method.name)(config)


def typed_config(plain: Any) -> Config:
    """A typed `Config` of plain values; the keys below `method` are those of the method that it names.

    Keys that another method reads, as a preset for many has, are left out. Raises `ConfigError`.
    """
    method = plain.get("method") if isinstance(plain, dict) else None
    if not isinstance(method, dict) or not isinstance(method.get("name"), str):
        raise ConfigError("method.name: no value is set; choose a method by its group, method=radar")
    common = {key: method[key] for key in ("name", "controls") if key in method}
    settings = METHODS.get(method["name"]).Settings
    own = _without_others({key: value for key, value in method.items() if key not in common}, settings, ())
    dataset, layout_settings = settings_gathered(plain.get("dataset", {}))
    nodes = {
        "method.settings": Settings("method", settings),
        "dataset.settings": Settings(f"dataset.{dataset['layout']}", layout_settings),
    }
    return typed(Config, {**plain, "dataset": dataset, "method": {**common, "settings": own}}, nodes)


def has_setting(name: str, path: Sequence[str]) -> bool:
    """Whether `path` below `method` is a key of the method of that name. Raises `ConfigError` for an unknown one."""
    return path[0] in ("name", "controls") or _has(METHODS.get(name).Settings, path)


def _without_others(values: dict[str, Any], settings: Any, path: tuple[str, ...]) -> dict[str, Any]:
    """`values` without the keys that are none of `settings`, but are another method's at the same place."""
    kept = {}
    for key, value in values.items():
        kind = _section(settings, key)
        if kind is None and any(_has(METHODS.get(name).Settings, (*path, key)) for name in METHODS.names()):
            continue
        kept[key] = (
            _without_others(value, kind, (*path, key)) if isinstance(value, dict) and is_dataclass(kind) else value
        )
    return kept


def _has(settings: Any, path: Sequence[str]) -> bool:
    for key in path:
        settings = _section(settings, key)
    return settings is not None


def _section(settings: Any, key: str) -> Any:
    """The type of a field of a dataclass, without None; None where there is no such field."""
    hints = get_type_hints(settings) if is_dataclass(settings) else {}
    kinds = [kind for kind in get_args(hints.get(key)) or (hints.get(key),) if kind is not type(None)]
    return kinds[0] if kinds else None
