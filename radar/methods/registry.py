"""Methods by name: NAME stands in `radar/methods/NAME.py`, in an installed package's entry point, or in a `--plugins` module."""

from __future__ import annotations

from typing import Any

from radar.config.schema import Config
from radar.config.typed import typed
from radar.errors import ConfigError
from radar.methods.method import Method
from radar.plugins import Registry

METHODS: Registry[Method] = Registry(
    kind="method", group="radar.methods", package="radar.methods", besides=("method", "registry", "responses")
)
register_method = METHODS.register


def method_of(config: Config) -> Method:
    """The method that `config.method` names, with its settings. Raises `ConfigError` for an unknown name."""
    return METHODS.get(config.method.name)(config)


def typed_config(plain: Any) -> Config:
    """A typed `Config` of plain values; the keys below `method` are those of the method that it names. Raises `ConfigError`."""
    method = plain.get("method") if isinstance(plain, dict) else None
    if not isinstance(method, dict) or not isinstance(method.get("name"), str):
        raise ConfigError("method.name: no value is set; choose a method by its group, method=radar")
    common = {key: method[key] for key in ("name") if key in method}
    own = {key: value for key, value in method.items() if key not in common}
    return typed(Config, {**plain, "method": {**common, "settings": own}}, METHODS.get(method["name"]).Settings)
