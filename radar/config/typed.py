"""Plain values to the typed schema: every key known, set and in range."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, cast

from omegaconf import MISSING, Container, DictConfig, FloatNode, IntegerNode, ListConfig, OmegaConf, StringNode
from omegaconf.errors import (
    ConfigKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from radar.errors import ConfigError
from radar.runtime.entries import expected as _expected
from radar.runtime.numbers import is_plain
from radar.runtime.terminal import brief

Schema = TypeVar("Schema")

_BITS = 127  # of a whole number: no key has a use for more, and a float cannot hold all of them
_BEYOND = 2**_BITS
_DEEPEST = 8  # lists in lists: polygons are three deep
_ANY = (Any, "Any")  # types of fields whose values are checked where they are read


class Settings(NamedTuple):
    """A node of the schema whose type depends on what was chosen."""

    written: str  # below which key a user writes it
    kind: type | None  # its dataclass; None: there is nothing


def typed(schema: type[Schema], plain: Mapping[str, Any], settings: Mapping[str, Settings] | None = None) -> Schema:
    """A typed `schema` of plain values, all set and in range, without rules between keys. Raises `ConfigError`.

    `settings` are the nodes of the schema that are typed here.
    """
    structured, nodes = _structured(schema), settings or {}
    for node, (_, kind) in nodes.items():
        OmegaConf.update(structured, node, None if kind is None else _structured(kind))
    with one_line(nodes):
        _refuse_other_shapes(structured, plain, nodes)
        # made anew of plain values: a typed tree lets Hydra's +key=value add what the schema does not know
        config = OmegaConf.to_object(OmegaConf.merge(structured, OmegaConf.create(dict(plain))))
    if not isinstance(config, schema):
        raise ConfigError(f"{schema.__name__}: needs keys and values, not {plain!r}")
    for problem in _range_problems(config, "", nodes):
        raise ConfigError(problem)
    return config


def _structured(kind: type) -> DictConfig:
    """The nodes of a dataclass: a copy, which takes a fifteenth of making them."""
    return copy.deepcopy(_made_of(cast(Hashable, kind)))


@lru_cache(maxsize=256)
def _made_of(kind: Any) -> DictConfig:
    nodes: DictConfig = OmegaConf.structured(kind)
    return nodes


def _refuse_other_shapes(
    structured: DictConfig, plain: Mapping[Any, Any], settings: Mapping[str, Settings], prefix: str = ""
) -> None:
    """Raise `ConfigError` for what is no section or no list where one belongs; OmegaConf's message names no key."""
    for name, value in plain.items():
        if not isinstance(name, str):
            raise ConfigError(f"{_written(prefix, settings)}{brief(name)}: no such key; keys are text")
        node = structured._get_node(name, validate_access=False)
        _refuse_depth(node, value, _written(prefix + name, settings))
        if any(isinstance(each, str) and "${" in each for each in _leaves(value)):
            written = _written(prefix + name, settings)
            raise ConfigError(
                f"{written}={brief(value)}: holds ${{…}}, which config files alone resolve; write what it is"
            )
        if any(isinstance(each, int) and abs(each) >= _BEYOND for each in _leaves(value)):
            raise ConfigError(
                f"{_written(prefix + name, settings)}={brief(value)}: has more than {_BITS} bits; give a smaller one"
            )
        refuse_odd_digits(node, value, _written(prefix + name, settings))
        _refuse_numbers_for_text(node, value, _written(prefix + name, settings))
        key, said = prefix + name, f"{_written(prefix + name, settings)}={brief(value)}"
        if name not in (known := [str(each) for each in structured.keys()]):  # noqa: SIM118 - `in` passes over what is unset
            near = difflib.get_close_matches(name, known, 1)
            advice = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
            raise ConfigError(f"{brief(_written(key, settings))}: no such key; {advice}")
        if value is None and node is not None and not isinstance(node, Container) and not node._is_optional():
            raise _unset(_written(key, settings))
        if not isinstance(node, Container) or (value is None and node._is_optional()) or value == MISSING:
            continue
        if isinstance(node, ListConfig):
            if not isinstance(value, list):
                raise ConfigError(f"{said}: must be a list, as in [a,b]")
        elif isinstance(value, Mapping) and isinstance(node, DictConfig):
            if node._is_none() or node._is_missing():  # then its type alone knows the keys
                node = _structured(node._metadata.ref_type)
            _refuse_other_shapes(node, value, settings, f"{key}.")
        else:
            raise ConfigError(f"{said}: is a section; give values to the keys below it")


def _refuse_depth(node: object, value: object, written: str) -> None:
    """Raise `ConfigError` for lists in lists deeper than any key takes, which whatever walks through them may not bear."""
    if isinstance(node, DictConfig) and isinstance(value, Mapping):
        return  # a section, whose keys are looked at each
    level = [value]
    for _ in range(_DEEPEST):
        held = [each for each in level if isinstance(each, list | Mapping)]
        level = [inner for each in held for inner in (each.values() if isinstance(each, Mapping) else each)]
    if any(isinstance(each, list | Mapping) for each in level):
        raise ConfigError(f"{brief(written)}: is nested more than {_DEEPEST} deep; give lists as the key takes them")


def _leaves(value: object) -> Iterator[object]:
    """What stands in lists of lists; a value that is no list by itself."""
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def refuse_odd_digits(node: object, value: object, written: str) -> None:
    """Raise `ConfigError` for a text where a node of the schema takes numbers, which OmegaConf would read as Python does."""
    wanted = node._metadata.element_type if isinstance(node, ListConfig) else None
    values = value if isinstance(value, list) else [value]
    if (isinstance(node, IntegerNode) or wanted is int) and any(isinstance(each, float) for each in values):
        raise ConfigError(f"{written}={brief(value)}: must be a whole number, without '.' and 'e'")
    if not isinstance(node, IntegerNode | FloatNode) and wanted not in (int, float):
        return
    if not all(is_plain(each) for each in values if isinstance(each, str)):
        raise ConfigError(f"{written}={brief(value)}: must be a number in the digits 0 to 9")


def _refuse_numbers_for_text(node: object, value: object, written: str) -> None:
    """As `refuse_numbers_for_names`, where a node of the schema takes text."""
    if isinstance(node, StringNode) or (isinstance(node, ListConfig) and node._metadata.element_type is str):
        refuse_numbers_for_names(value, written)


def refuse_numbers_for_names(value: object, written: str) -> None:
    """Raise `ConfigError` for a number, which may be another name than was written, as 1.1 is for 1.10; also for one in a list."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, bool | float):
            kind = "true or false" if isinstance(each, bool) else "a number"
            quoted = '["NAME"]' if isinstance(value, list) else '"NAME"'
            raise ConfigError(
                f"{written}={brief(value)}: is read as {kind}, which can be written in several ways, and names cannot; put quotes "
                f"around the name, as in '{written}={quoted}'"
            )


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
        key = brief(_written(error.full_key, settings))
        raise ConfigError(f"{key}: no such key") from None
    except OmegaConfBaseException as error:
        raise ConfigError(f"{_written(error.full_key, settings)}: {brief(str(error).splitlines()[0])}") from None


def _unset(key: str) -> ConfigError:
    return ConfigError(f"{key}: no value is set; give one with {key}=…")


def _written(key: object, settings: Mapping[str, Settings]) -> str:
    text = str(key)
    for node, (written, _) in settings.items():
        if f"{text}.".startswith(f"{node}."):
            return written + text[len(node) :]
    return text


def extents(section: object, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Keys of a section that are lengths over an image, and their values in px; of a list the largest."""
    for item in fields(section):  # type: ignore[arg-type]  # a dataclass, as `typed` made it
        key, value = prefix + item.name, getattr(section, item.name)
        if is_dataclass(value):
            yield from extents(value, prefix if item.name == "settings" else f"{key}.")
        elif item.metadata.get("extent") and value not in (None, []):
            yield key, max(value) if isinstance(value, list) else value


def _range_problems(section: object, prefix: str, settings: Mapping[str, Settings]) -> Iterator[str]:
    for item in fields(section):  # type: ignore[arg-type]  # a dataclass, as `typed` made it
        key, value = prefix + item.name, getattr(section, item.name)
        if is_dataclass(value):
            yield from _range_problems(value, f"{key}.", settings)
            continue
        shown = f"{_written(key, settings)}={brief(value)}"
        longest = item.metadata.get("longest")
        if longest is not None and len(value) > longest:
            yield f"{shown}: must have at most {longest} entries, and has {len(value)}"
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, (list, dict)) and item.type not in _ANY:
                yield f"{shown}: must be a flat list"
                continue
            if problem := _text_problem(each):
                yield f"{shown}: {problem}"
            if each is not None and (expected := _expected(each, **item.metadata)):
                yield f"{shown}: must be {expected}"


def _text_problem(value: object) -> str:
    """What keeps a string from being stored as text or being a path."""
    if not isinstance(value, str):
        return ""
    if "\0" in value:
        return "holds a character of code 0"
    if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):  # how Python tells other bytes
        return "is no UTF-8; rename it"
    return ""
