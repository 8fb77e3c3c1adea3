"""Plain values to the typed schema: every key known, set and in range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import (
    ConfigKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from radar.errors import ConfigError

Schema = TypeVar("Schema")


class Settings(NamedTuple):
    """A node of the schema whose type depends on what was chosen."""

    written: str  # below which key a user writes it
    kind: type | None  # its dataclass; None: there is nothing


def typed(schema: type[Schema], plain: Mapping[str, Any], settings: Mapping[str, Settings] | None = None) -> Schema:
    """A typed `schema` of plain values, all set and in range, without rules between keys. Raises `ConfigError`.

    `settings` are the nodes of the schema that are typed here.
    """
    structured, nodes = OmegaConf.structured(schema), settings or {}
    for node, (_, kind) in nodes.items():
        OmegaConf.update(structured, node, None if kind is None else OmegaConf.structured(kind))
    with one_line(nodes):
        # made anew of plain values: a typed tree lets Hydra's +key=value add what the schema does not know
        config = OmegaConf.to_object(OmegaConf.merge(structured, OmegaConf.create(dict(plain))))
    if not isinstance(config, schema):
        raise ConfigError(f"{schema.__name__}: needs keys and values, not {plain!r}")
    for problem in _range_problems(config, "", nodes):
        raise ConfigError(problem)
    return config


@contextmanager
def one_line(settings: Mapping[str, Settings]) -> Iterator[None]:
    """Turn what OmegaConf raises into a `ConfigError` that names the key, as a user writes it, and the fix."""
    try:
        yield
    except MissingMandatoryValue as error:
        raise _unset(_written(error.full_key, settings)) from None
    except InterpolationToMissingValueError as error:
        raise _unset(str(error).splitlines()[0].rpartition(": ")[2]) from None
    except ConfigKeyError as error:
        raise ConfigError(
            f"{_written(error.full_key, settings)}: no such key; radar --cfg job lists all keys"
        ) from None
    except OmegaConfBaseException as error:
        raise ConfigError(f"{_written(error.full_key, settings)}: {str(error).splitlines()[0]}") from None


def _unset(key: str) -> ConfigError:
    return ConfigError(f"{key}: no value is set; give one with {key}=…")


def _written(key: object, settings: Mapping[str, Settings]) -> str:
    text = str(key)
    for node, (written, _) in settings.items():
        if f"{text}.".startswith(f"{node}."):
            return written + text[len(node) :]
    return text


def _range_problems(section: object, prefix: str, settings: Mapping[str, Settings]) -> Iterator[str]:
    for item in fields(section):  # type: ignore[arg-type]  # a dataclass, as `typed` made it
        key, value = prefix + item.name, getattr(section, item.name)
        if is_dataclass(value):
            yield from _range_problems(value, f"{key}.", settings)
        elif value is not None:
            expected = _expected(value, **item.metadata)
            if expected:
                yield f"{_written(key, settings)}={value}: must be {expected}"


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
