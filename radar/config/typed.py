"""Plain values to the typed schema: every key known, set and in range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import (
    ConfigKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from radar.errors import ConfigError

Schema = TypeVar("Schema")


def typed(schema: type[Schema], plain: Mapping[str, Any], settings: type | None = None) -> Schema:
    """A typed `schema` of plain values, all set and in range, without rules between keys. Raises `ConfigError`.

    `settings` is the dataclass of the keys below `method.settings`, where there is such a node.
    """
    structured = OmegaConf.structured(schema)
    if settings is not None:
        structured.method.settings = OmegaConf.structured(settings)
    try:
        # made anew of plain values: a typed tree lets Hydra's +key=value add what the schema does not know
        config = OmegaConf.to_object(OmegaConf.merge(structured, OmegaConf.create(dict(plain))))
    except MissingMandatoryValue as error:
        raise _unset(str(error.full_key)) from None
    except InterpolationToMissingValueError as error:
        raise _unset(str(error).splitlines()[0].rpartition(": ")[2]) from None
    except ConfigKeyError as error:
        raise ConfigError(f"{_written(error.full_key)}: no such key; radar --cfg job lists all keys") from None
    except OmegaConfBaseException as error:
        raise ConfigError(f"{_written(error.full_key)}: {str(error).splitlines()[0]}") from None
    if not isinstance(config, schema):
        raise ConfigError(f"{schema.__name__}: needs keys and values, not {plain!r}")
    for problem in _range_problems(config, ""):
        raise ConfigError(problem)
    return config


def _unset(key: str) -> ConfigError:
    return ConfigError(f"{_written(key)}: no value is set; give one with {_written(key)}=…")


def _written(key: object) -> str:
    """A key as a user writes it: a method's settings stand directly below `method`."""
    return str(key).replace("method.settings.", "method.")


def _range_problems(section: Any, prefix: str) -> Iterator[str]:
    for item in fields(section):
        key, value = _written(prefix + item.name), getattr(section, item.name)
        if is_dataclass(value):
            yield from _range_problems(value, f"{prefix}{item.name}.")
        elif value is not None:
            expected = _expected(value, **item.metadata)
            if expected:
                yield f"{key}={value}: must be {expected}"


def _expected(
    value: Any,
    *,
    choices: tuple[str, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> str:
    """What `value` must be, or nothing where it already is."""
    if choices is not None:
        return "" if value in choices else "one of " + ", ".join(choices)
    holds = {
        f"≥ {minimum}": minimum is None or value >= minimum,
        f"≤ {maximum}": maximum is None or value <= maximum,
        f"> {above}": above is None or value > above,
        f"< {below}": below is None or value < below,
    }
    # a number that is none fails every comparison, so it is never let through
    return " and ".join(bound for bound, fulfilled in holds.items() if not fulfilled)
