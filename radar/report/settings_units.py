"""What a study turned: series of results that are equal in everything but one setting, or one config group's option."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from radar.report.result import Result
from radar.report.settings import MISSING, Settings, chosen_option, key_of, settings, varying_keys

_GROUPS = ("patch", "unet", "diffusion", "timestep", "scoring", "contamination", "detector")
REFERENCE = "reference"  # the option that a preset or the config itself has, where a command chose none


@dataclass(frozen=True, eq=False)
class Point:
    """One value of what was turned, and the results that have it: one for each seed, or several of a seed."""

    value: object
    shown: str
    results: tuple[Result, ...]


@dataclass(frozen=True, eq=False)
class Series:
    """Results that differ in `name` alone, a key or a config group, and in what is read because of its value alone."""

    name: str
    fixed: str  # what else varies in the study, and is held here
    reference: str  # of a group: the settings that REFERENCE stands for; empty where no point has it
    points: tuple[Point, ...]

    @property
    def results(self) -> list[Result]:
        """Of all points."""
        return [result for point in self.points for result in point.results]


def series(results: Sequence[Result]) -> list[Series]:
    """All series of two or more values among results of one family and data set, by what was turned; the longest first."""
    data = _data(results)
    rows = [{**settings(result), **own} for result, own in zip(results, data, strict=True)]
    varying = varying_keys(results)
    told = [*varying, *(key for key in data[0] if len({row[key] for row in rows}) > 1)]
    found: list[Series] = []
    for group in _GROUPS:
        if len({chosen_option(result, group) for result in results}) > 1:
            found += _of_unit(group, [key for key in varying if key.startswith(f"{group}.")], rows, results, told)
    grouped = [set(map(id, each.results)) for each in found]
    for key in varying:
        for each in _of_unit(key, [key], rows, results, told):
            if not any(set(map(id, each.results)) <= whole for whole in grouped):
                found.append(each)
    return found


def left_out(found: Sequence[Series], results: Sequence[Result], name: str) -> int:
    """How many results had `name` turned but differ elsewhere, too, from all that have another value of it."""
    shown = {id(result) for each in found if each.name == name for result in each.results}
    values = [_value(result, name) for result in results]
    usual = Counter(values).most_common(1)[0][0]
    return sum(value != usual and id(result) not in shown for value, result in zip(values, results, strict=True))


def _of_unit(
    name: str, keys: Sequence[str], rows: Sequence[Settings], results: Sequence[Result], told: Sequence[str]
) -> list[Series]:
    single = keys == [name]
    classes: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, signature in enumerate(_signatures(keys, rows)):
        classes[signature].append(index)
    found = []
    for members in classes.values():
        points: dict[str, list[int]] = defaultdict(list)
        for index in members:
            points[repr([rows[index].get(key) for key in keys])].append(index)
        turned = [key for key in keys if len({repr(rows[index].get(key)) for index in members}) > 1]
        if len(points) < 2 or (not single and len(turned) < 2):  # one key alone is a series of its own
            continue
        firsts = [indices[0] for indices in points.values()]
        shown = _shown(name, turned, [results[index] for index in firsts], [rows[index] for index in firsts])
        others = [key for key in told if key not in keys]
        made = [
            Point(rows[first].get(name) if single else text, text, tuple(results[index] for index in indices))
            for first, text, indices in zip(firsts, shown, points.values(), strict=True)
        ]
        reference = next((row for row, text in zip(firsts, shown, strict=True) if text == REFERENCE), None)
        usual = (
            "" if reference is None else _told(rows[reference], [key.removeprefix(f"{name}.") for key in turned], name)
        )
        fixed = _fixed([results[index] for index in members], [rows[index] for index in members], others)
        found.append(Series(name, fixed, usual, tuple(sorted(made, key=lambda point: place(point.value, point.shown)))))
    return sorted(found, key=lambda each: (-len(each.results), each.fixed))


def _signatures(keys: Sequence[str], rows: Sequence[Settings]) -> list[tuple[str, ...]]:
    """What must be equal within a series, for each row.

    That is every other setting, but for those that some rows do not read: such a one may come and go with the value of what was
    turned, as the constants of a schedule do, if it has one value wherever it is read.
    """
    beside = {"data"} if all(map(chooses_data, keys)) else set()
    others = sorted({key for row in rows for key in row} - set(keys) - beside)
    partial = [key for key in others if not all(key in row for row in rows)]
    common = [tuple(repr(row[key]) for key in others if key not in partial) for row in rows]
    values = [repr([row.get(key) for key in keys]) for row in rows]
    signatures = list(common)
    for key in partial:
        states: dict[tuple[str, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for row, signature, value in zip(rows, common, values, strict=True):
            states[signature][value].add(repr(row[key]) if key in row else MISSING)
        for index, signature in enumerate(common):
            by_value = states[signature].values()
            comes_and_goes = all(len(state) == 1 for state in by_value)
            if not comes_and_goes or len(set().union(*by_value) - {MISSING}) > 1:
                signatures[index] += (f"{key}={rows[index].get(key, MISSING)!r}",)
    return signatures


def chooses_data(key: str) -> bool:
    """Whether a key decides which images are learnt from or tested on, so that its values have different data. How images are made
    ready for a method, and how large a file may be, decide nothing of it: there, other data are another cause."""
    return key.startswith("dataset.") and not key.startswith(("dataset.image.", "dataset.megapixels"))


def _data(results: Sequence[Result]) -> list[Settings]:
    """What data each read; its masks where all of them tell."""
    found: list[Settings] = [{"data": each.data[:12], "test images": each.test_data} for each in results]
    masks = [each.masks for each in results]
    if None not in masks:
        found = [{**own, "masks": str(mask)[:12]} for own, mask in zip(found, masks, strict=True)]
    return found


def _shown(name: str, turned: Sequence[str], results: Sequence[Result], rows: Sequence[Settings]) -> list[str]:
    """What each point is called: the option that its command chose, with what it changed of it; else its value."""
    group = name.partition(".")[0]
    options = [chosen_option(result, group) for result in results]
    if name != group:
        plain = [str(row.get(name, MISSING)) for row in rows]
        named = [option for option in options if option is not None]
        typed = any(key_of(text) == name for result in results for text in result.command.overrides)
        return named if len(set(named)) == len(plain) and not typed else plain
    texts = []
    for result, option in zip(results, options, strict=True):
        leaves = [text for text in result.command.overrides if key_of(text) in turned]
        texts.append(", ".join([option or REFERENCE, *(_as_told(text, group) for text in leaves)]))
    values = [_told(row, [key.removeprefix(f"{name}.") for key in turned], name) for row in rows]
    departs = [option is None and _names_option(result, group) for result, option in zip(results, options, strict=True)]
    known = Counter(texts)
    return [
        value if has_departed else text if known[text] == 1 else f"{text}: {value}"
        for text, value, has_departed in zip(texts, values, departs, strict=True)
    ]


def _names_option(result: Result, group: str) -> bool:
    """Whether the command names an option of the group, though the run may have something else."""
    return any(key_of(text) == group for text in result.command.overrides)


def _as_told(override: str, group: str) -> str:
    key, _, value = override.partition("=")
    return f"{key.removeprefix(f'{group}.')} = {value}"


def _told(row: Settings, keys: Iterable[str], section: str) -> str:
    return ", ".join(f"{key} = {row.get(f'{section}.{key}', MISSING)}" for key in keys)


def _fixed(results: Sequence[Result], rows: Sequence[Settings], others: Sequence[str]) -> str:
    """What else varies in the study, and has one value in a series: the option that all chose tells all of its group. What some rows
    alone read is not held, as it comes and goes with the value of what was turned."""
    texts: dict[str, None] = {}
    typed = {key_of(text) for text in results[0].command.overrides}
    for key in others:
        values = {repr(row.get(key, MISSING)): row.get(key, MISSING) for row in rows}
        if len(values) > 1:
            continue
        option = _common_option(results, key.partition(".")[0])
        if option is not None:
            texts[f"{key.partition('.')[0]} = {option}"] = None
        if option is None or key in typed:
            texts[f"{key} = {next(iter(values.values()))}"] = None
    return ", ".join(texts)


def _common_option(results: Sequence[Result], group: str) -> str | None:
    """The option of a group that all of them chose; None where there is none, or they differ."""
    options = {chosen_option(each, group) for each in results} if group in _GROUPS else {None}
    return next(iter(options)) if len(options) == 1 else None


def _value(result: Result, name: str) -> str:
    row = settings(result)
    return repr([value for key, value in row.items() if key == name or key.startswith(f"{name}.")])


def place(value: object, shown: str) -> tuple[int, float, str]:
    """Where a value that is called `shown` stands among others: numbers by size, then the reference, then the rest by name."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, float(value), ""
    return 1, float(shown != REFERENCE), str(value)
