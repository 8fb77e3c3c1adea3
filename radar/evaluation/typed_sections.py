"""Dataclasses from plain values, strictly, and paths through them: what is misspelt, missing or of another type is an error."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

Section = TypeVar("Section")
_ROUNDING = 1e-9  # by which what libraries measure may lie beyond its bounds


class Bounds(NamedTuple):
    """Of a number, both included."""

    low: float
    high: float


Share = Annotated[float, Bounds(0, 1)]
Amount = Annotated[float, Bounds(0, math.inf)]


def read_section(kind: type[Section], tree: object, where: str) -> Section:
    """A `kind` from plain values: numbers, texts, null, lists aside, dataclasses and dictionaries of them by name; a field with a
    default may be missing. Whole numbers are counts.

    Raises `ValueError`, which names the place below `where`, for anything missing, unknown, of another type or out of bounds.
    """
    hints = _hints(kind)
    if not isinstance(tree, dict):
        raise ValueError(f"{where}: must hold {', '.join(hints)}, not {tree!r}")
    for name in sorted(hints.keys() ^ (tree.keys() | _optional(kind))):
        raise ValueError(f"{where}/{name}: {'is missing' if name in hints else 'is unknown'}")
    return kind(**{name: _read(hints[name], value, f"{where}/{name}") for name, value in tree.items()})


def read_value(kind: Any, value: object, where: str) -> Any:
    """One value of `kind`, as `read_section` reads it, a list of plain values, too. Raises `ValueError`, which names `where`."""
    return _read(kind, value, where)


def _optional(kind: Any) -> set[str]:
    return {item.name for item in fields(kind) if item.default is not MISSING}


def _read(kind: Any, value: object, where: str) -> Any:
    required, optional = _required(kind)
    kind, bounds = _bounded(required)
    if value is None and optional:
        return None
    if is_dataclass(kind) and isinstance(kind, type):
        return read_section(kind, value, where)
    if get_origin(kind) is dict and isinstance(value, dict):
        return {name: _read(get_args(kind)[1], each, f"{where}/{name}") for name, each in value.items()}
    if get_origin(kind) is list and isinstance(value, list):
        return [_read(get_args(kind)[0], each, f"{where}/{index}") for index, each in enumerate(value)]
    if isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) <= sys.float_info.max:
        raise ValueError(
            f"{where}: is no finite number"
        )  # a whole number may have more digits than any float, which no table shows
    if isinstance(value, int | float) and not bounds.low - _ROUNDING <= value <= bounds.high + _ROUNDING:
        above = "at least" if bounds.high == math.inf else f"at most {bounds.high:g} and at least"
        raise ValueError(f"{where}: must be {above} {bounds.low:g}, not {value!r}")
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{where}: must be {getattr(kind, '__name__', kind)}, not {value!r}")
    return value


def _required(kind: Any) -> tuple[Any, bool]:
    """`kind` without None, and whether None is allowed."""
    if get_origin(kind) not in (Union, UnionType):
        return kind, False
    (required,) = (each for each in get_args(kind) if each is not type(None))
    return required, True


def _bounded(kind: Any) -> tuple[Any, Bounds]:
    """`kind` without its bounds, and these."""
    if get_origin(kind) is Annotated:
        plain, bounds = get_args(kind)
        return plain, bounds
    return kind, Bounds(0 if kind is int else -math.inf, math.inf)


def _uncached_hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {item.name: hints[item.name] for item in fields(kind)}


def _uncached_check(kind: Any, path: tuple[str, ...]) -> None:
    for index, name in enumerate(path):
        kind, _ = _required(kind)
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif is_dataclass(kind) and name in _hints(kind):
            kind = _hints(kind)[name]
        else:
            place = "/".join(path[:index]) or "its root"
            raise ValueError(f"{'/'.join(path)}: no metric has this path; {place} holds no {name}")
    if _bounded(_required(kind)[0])[0] not in (int, float, bool):
        raise ValueError(f"{'/'.join(path)}: is no number")


_hints: Callable[[Any], dict[str, Any]] = cache(_uncached_hints)

check_path: Callable[[Any, tuple[str, ...]], None] = cache(_uncached_check)
"""Raises `ValueError` where no instance of a dataclass can have a number at this path; a dictionary takes any name."""
