"""Controls: filters without a network, and the method itself with its network untrained, or with the parts that need none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from radar.config.schema import Config, MethodConfig
from radar.errors import ConfigError
from radar.methods.method import Method
from radar.methods.registry import METHODS, method_of

FILTERS = ("mean_brightness", "raw_sobel")
SAME_UNTRAINED, SAME_WITHOUT_NETWORK = "same_untrained", "same_without_network"
CONTROLS = (*FILTERS, SAME_UNTRAINED, SAME_WITHOUT_NETWORK)


def controls(config: Config) -> list[str]:
    """Those of `method.controls` that the method has. Raises `ConfigError` for an unknown one."""
    for name in config.method.controls:
        if name not in CONTROLS:
            raise ConfigError(f"method.controls={config.method.controls}: {name} is not one of {', '.join(CONTROLS)}")
    return [name for name in config.method.controls if control_of(config, name) is not None]


def control_of(config: Config, name: str) -> Method[Any] | None:
    """The method that runs as the control `name`; None where the experiment's method has no such control.

    `same_untrained` is the experiment's own method, configured as it is: what is left out are its trainings.
    """
    if name in FILTERS:
        kind = METHODS.get(name)
        return kind(replace(config, method=MethodConfig(name, [], kind.Settings())))
    method = method_of(config)
    if name == SAME_UNTRAINED:
        return method if method.uses_network else None
    settings = method.without_network()
    return None if settings is None else type(method)(replace(config, method=replace(config.method, settings=settings)))
