"""What a study turned: single settings, or whole config groups whose options change several settings at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from radar.report.result import Result
from radar.report.settings import Settings, axes, settings

_GROUPS = ("patch", "unet", "diffusion", "timestep", "scoring", "contamination", "detector", "method")
REFERENCE = "reference"


@dataclass(frozen=True)
class Unit:
    """What was turned as one: `name` a key, or a config group; the keys that vary with it; and its value in each result."""

    name: str
    keys: tuple[str, ...]
    values: tuple[object, ...]
    reference: str  # of a group: its settings that the value `reference` stands for; empty for a key


def units(results: Sequence[Result]) -> list[Unit]:
    """Units of results of one family and data set.

    A config group whose settings vary independently, or one at a time from a reference, falls into single keys. One whose
    options change several keys at once is one categorical unit.
    """
    rows = [settings(result) for result in results]
    grouped: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for key, together in axes(results).items():
        section = key.split(".")[0]
        grouped[section if section in _GROUPS else key][key] = together
    found: list[Unit] = []
    for section, members in grouped.items():
        if _independent(rows, list(members)):
            found += [Unit(key, tuple(keys), tuple(row.get(key) for row in rows), "") for key, keys in members.items()]
        else:
            found.append(_categorical(section, members, rows))
    return found


def follows(other: Unit, unit: Unit) -> bool:
    """Whether the value of `other` is the same wherever that of `unit` is."""
    values = [repr(value) for value in unit.values]
    return len(set(values)) == len(set(zip(values, map(repr, other.values), strict=True)))


def _independent(rows: Sequence[Settings], keys: Sequence[str]) -> bool:
    points = _points(rows, keys)
    full = prod(len({point[index] for point in points}) for index in range(len(keys)))
    return len(points) == full or all(_distance(point, points[0]) < 2 for point in points)


def _points(rows: Sequence[Settings], keys: Sequence[str]) -> list[tuple[str, ...]]:
    """Values of `keys` that occur, first those that differ least from the others."""
    points = sorted({_point(row, keys) for row in rows})
    return sorted(points, key=lambda point: sum(_distance(point, other) for other in points))


def _point(row: Settings, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(row.get(key)) for key in keys)


def _distance(first: Sequence[str], second: Sequence[str]) -> int:
    return sum(one != other for one, other in zip(first, second, strict=True))


def _categorical(section: str, members: Mapping[str, Sequence[str]], rows: Sequence[Settings]) -> Unit:
    """One unit of the axes of a config group; a value names what differs from the reference."""
    together = [key for keys in members.values() for key in keys]
    own = [key for key in together if key.startswith(f"{section}.")]
    reference = _points(rows, own)[0]
    names = [key.removeprefix(f"{section}.") for key in own]

    def told(row: Settings) -> str:
        changed = zip(names, _point(row, own), reference, strict=True)
        return ", ".join(f"{name} = {value}" for name, value, usual in changed if value != usual) or REFERENCE

    usual = ", ".join(f"{name} = {value}" for name, value in zip(names, reference, strict=True))
    return Unit(section, tuple(together), tuple(told(row) for row in rows), usual)
