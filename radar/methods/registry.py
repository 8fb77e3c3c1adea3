"""Methods by name: NAME stands in `radar/methods/NAME.py`, in an installed package's entry point, or in a `--plugins` module."""

from __future__ import annotations

from radar.config.schema import Config
from radar.methods.method import Method
from radar.plugins import Registry

METHODS: Registry[Method] = Registry(
    kind="method", group="radar.methods", package="radar.methods", besides=("method", "registry", "responses", "controls")
)
register_method = METHODS.register


def method_of(config: Config) -> Method:
    """The method that `config.method` names, with its settings. Raises `ConfigError` for an unknown name."""
    return METHODS.get(config.method.name)(config)
