"""Entries of a stored file, plain values of JSON, to typed ones: each of its kind, finite, and within the bounds of its field."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from .terminal import brief

SIDE = 16_384  # px: to no longer side is an image brought
MOST_THREADS = 1024
ONE_SIZE = ("stretch", "crop", "pad")  # aspects of pictures of one size
ASPECTS = (*ONE_SIZE, "short", "long")  # and those that keep the image's own: the side that is brought to a size
RESOLUTION = {"above": 0.0, "maximum": 1e6}  # px per mm
TEXT = {"longest": 1000}  # characters, and how many of them: bounds of what is a name
_KINDS = {int: "a whole number", float: "a finite number", str: "text", list: "a list", dict: "a section of entries"}


def typed(kind: Any, value: Any, name: str = "", bounds: Mapping[str, Any] | None = None) -> Any:
    """`value` as a `kind`: a dataclass or a named tuple of entries, a tuple, an array, a dict, a number, a text; or None.

    `bounds`, of a dataclass the metadata of each field, are those of `expected`, and `shortest` and `longest` of a text or a list (1
    to any length); what a list or a named tuple holds has them, too. Entries that `kind` does not know are passed over; one may be
    missing whose field has a value without it, as in files that are older than the field. Raises `ValueError`, which says which
    entry, called `name`, must be what.
    """
    bounds, arguments = bounds or {}, get_args(kind)
    if NoneType in arguments:
        return None if value is None else typed(arguments[0], value, name, bounds)
    origin = get_origin(kind) or kind
    if origin in (int, float, str):
        return _checked(origin, value, name, bounds)
    if origin is dict:
        names = _checked(dict, value, name, bounds)
        return {each: typed(arguments[1], below, f"{name}.{each}", bounds) for each, below in names.items()}
    if origin is np.ndarray:
        return np.array(typed(tuple[float, ...], value, name, bounds))
    if origin is tuple:
        items = _checked(list, value, name, bounds)
        if arguments[-1] is not ... and len(items) != len(arguments):
            raise _wrong(name, value, f"a list of {len(arguments)}")
        return tuple(typed(arguments[0], each, name, bounds) for each in items)
    return _section(kind, value, name, bounds)


def _section(kind: Any, value: Any, name: str, bounds: Mapping[str, Any]) -> Any:
    own = (
        {each.name: each.metadata for each in fields(kind)}
        if is_dataclass(kind)
        else dict.fromkeys(kind._fields, bounds)
    )
    given, hints, prefix = (
        _checked(dict, value, name, {"shortest": 0}),
        get_type_hints(kind),
        f"{name}." if name else "",
    )
    if missing := own.keys() - given.keys() - _optional(kind):
        raise ValueError(f"{prefix}{min(missing)}: is missing")
    known = {each: its for each, its in own.items() if each in given}
    return kind(**{each: typed(hints[each], given[each], prefix + each, its) for each, its in known.items()})


def _optional(kind: Any) -> set[str]:
    """Names of the fields of a dataclass that have a value where none is given."""
    return {each.name for each in fields(kind) if each.default is not MISSING} if is_dataclass(kind) else set()


def _checked(kind: type, value: Any, name: str, bounds: Mapping[str, Any]) -> Any:
    """`value`, where it is of that kind of JSON, which takes neither true nor a text for a number."""
    fits = type(value) is kind or (kind is float and type(value) is int)
    # a whole number may have more digits than any float
    if not fits or (kind is float and not abs(value) <= sys.float_info.max):
        raise _wrong(name, value, _KINDS[kind])
    if isinstance(value, str | list | dict):
        shortest, longest = bounds.get("shortest", 1), bounds.get("longest", math.inf)
        if not shortest <= len(value) <= longest:
            raise _wrong(name, value, f"{_KINDS[kind]} of a length from {shortest} to {longest}")
    if not isinstance(value, list | dict) and (must := expected(value, **bounds)):
        raise _wrong(name, value, must)
    return float(value) if kind is float else value


def _wrong(name: str, value: Any, must: str) -> ValueError:
    """As the file has the value: a text in quotes."""
    return ValueError(f"{brief(name)}={brief(json.dumps(value, ensure_ascii=False))}: must be {must}")


def expected(
    value: Any,
    *,
    choices: tuple[str, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    zero: bool = False,
    **_: object,
) -> str:
    """What `value` must be, or nothing where it already is; with `zero` it may be 0 beside what the bounds say."""
    if choices is not None:
        return "" if value in choices else "one of " + ", ".join(choices)
    if zero and value == 0:
        return ""
    holds = {
        f"≥ {minimum}": minimum is None or value >= minimum,
        f"≤ {maximum}": maximum is None or value <= maximum,
        f"> {above}": above is None or value > above,
        f"< {below}": below is None or value < below,
    }
    # a number that is none fails every comparison, so it is never let through
    bounds = " and ".join(bound for bound, fulfilled in holds.items() if not fulfilled)
    return f"0 or {bounds}" if bounds and zero else bounds
