"""The one table that answers a sweep: a row for each data set, method and value of what was turned."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from radar.evaluation.statistics_paired import holm
from radar.report.cells import Cell, cells, mean
from radar.report.image_sides import image_sides
from radar.report.result import Result
from radar.report.settings import changes, chosen_option, family, key_of, reads, settings
from radar.report.tables import (
    NOTHING,
    Entry,
    Table,
    count,
    learning,
    measured,
    memory_columns,
    memory_notes,
    number,
    of_dataset,
    p_value,
    seeds_of,
    table,
)
from radar.report.tables_statistics import CHANCE_NOTE, DISTANCE_HEADINGS, beside_chance
from radar.report.tables_transfer import Transfers, transfer_table

Columns = Mapping[str, Callable[[Cell], Entry]]
_PAPER_SHARE = (25, 500)  # px: the paper's example, patches of 25 × 25 px of images of 500 × 500 px


@dataclass(frozen=True)
class Axis:
    """A column of what was turned, and the keys and groups of the config that can be read off it where it is no dash."""

    shown: Callable[[Result], Entry]
    tells: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """A table of a sweep: `axes` are what was turned, `section` that of the config which has it; methods without it are left out."""

    title: str
    section: str
    axes: Mapping[str, Axis]
    columns: Callable[[Sequence[Cell]], Columns]
    notes: tuple[str, ...]


def sweep_table(name: str, results: Sequence[Result], seeds: int | None, transfers: Transfers) -> Table:
    """The table `name` of `SweepConfig.table`, of a sweep's results or of any others."""
    shared = _typed_alike(results)
    held = (f"In every row that reads it: {', '.join(shared)}.",) if shared else ()
    if name == "transfer":
        content = transfer_table([_named(cell, shared) for cell in cells(results, seeds)], transfers)
        return replace(content, notes=(*held, *content.notes))
    answer = ANSWERS[name]
    having = [result for result in results if answer.section in result.config]
    members = cells(having, seeds) if having else []
    columns = answer.columns(members)
    rows = []
    for cell, turned in zip(members, _turned(members, shared, answer), strict=True):
        shown = [column(cell) for column in columns.values()]
        rows.append([*turned, seeds_of(cell), *shown])
    rows.sort(key=lambda row: [_place(entry) for entry in row[: 2 + len(answer.axes)]])
    headings = ("data set", "method", *answer.axes, "seeds", *columns)
    return table(f"sweep_{name}", answer.title, headings, rows, *held, *answer.notes, *memory_notes(headings))


def _typed_alike(results: Sequence[Result]) -> list[str]:
    """What was typed for every result that reads it."""
    typed = dict.fromkeys(text for result in results for text in changes(result))
    return [text for text in typed if all(text in changes(each) for each in _readers(results, key_of(text)))]


def _readers(results: Sequence[Result], key: str) -> Sequence[Result]:
    """Those that read a key; all, where no config has it: a group's choice, and what a run has replaced by what came of it."""
    return [result for result in results if reads(result.config, key)] or results


def _named(cell: Cell, shared: Sequence[str]) -> Cell:
    return replace(cell, method=", ".join(part for part in cell.method.split(", ") if part not in shared))


def _place(entry: Entry) -> tuple[float, str]:
    return (math.inf if entry.value is None else entry.value), entry.text


def _turned(members: Sequence[Cell], shared: Sequence[str], answer: Answer) -> list[list[Entry]]:
    """Of each row the data set, the method and the axes. Rows that would look equal have all that tells their methods apart."""
    axes = [[axis.shown(cell.one) for axis in answer.axes.values()] for cell in members]
    methods = _least_typed(
        members, [_method(cell.one, shared, answer, row) for cell, row in zip(members, axes, strict=True)], answer
    )
    looks = [
        (cell.dataset, method, *(entry.text for entry in row))
        for cell, method, row in zip(members, methods, axes, strict=True)
    ]
    repeated = {look for look, count in Counter(looks).items() if count > 1}
    return [
        [of_dataset(cell.dataset), Entry(_named(cell, shared).method if look in repeated else method), *row]
        for cell, method, row, look in zip(members, methods, axes, looks, strict=True)
    ]


def _least_typed(members: Sequence[Cell], methods: Sequence[str], answer: Answer) -> list[str]:
    """The methods, of rows that differ in the axes alone the shortest: a run that was done before has what was typed then."""
    told = {key for axis in answer.axes.values() for key in axis.tells}
    places = []
    for cell in members:
        others = {key: value for key, value in settings(cell.one).items() if key not in told}
        # what no config keeps, as a working size from which the plain one came
        beside = [text for text in changes(cell.one) if not reads(cell.one.config, key_of(text))]
        places.append((cell.dataset, family(cell.one), repr(sorted(others.items())), repr(beside)))
    least: dict[tuple[str, ...], str] = {}
    for place, method in zip(places, methods, strict=True):
        least[place] = min(least.get(place, method), method, key=lambda name: (len(name), name))
    return [least[place] for place in places]


def _method(result: Result, shared: Sequence[str], answer: Answer, axes: Sequence[Entry]) -> str:
    """The family, and what was typed for this row beside what the axes tell."""
    told = {
        key
        for axis, entry in zip(answer.axes.values(), axes, strict=True)
        if entry.text != NOTHING
        for key in axis.tells
    }
    own = [text for text in changes(result) if text not in shared and key_of(text) not in told]
    return ", ".join([family(result), *own])


def _of(*path: str, digits: int = 3) -> Callable[[Cell], Entry]:
    return lambda cell: measured(cell, *path, digits=digits)


_QUALITY: Columns = {
    "AUROC": _of("image", "auroc"),
    "F1": _of("image", "f1"),
    "F1, all called anomalous": _of("image", "f1_all_anomalous"),
    "pixel AUROC": _of("pixel", "auroc"),
}
_COST: Columns = {"learning, s": learning}
_COST_NOTE = "Learning: the shared network's training and the method's own fitting."


def _memory(members: Sequence[Cell]) -> Columns:
    return {heading: _of(*path, digits=0) for heading, path in memory_columns(members, "training").items()}


def _step(result: Result) -> Entry:
    return Entry(NOTHING) if result.timestep is None else Entry(str(result.timestep), result.timestep)


def _noise_columns(members: Sequence[Cell]) -> Columns:
    pixels = ("noise", "pixels")
    kurtosis = partial(_of, "noise", "moments", "excess_kurtosis", digits=2)
    largest = [max(cell.values(*pixels, "p_value"), default=math.nan) for cell in members]
    p, adjusted = (dict(zip(map(id, members), each, strict=True)) for each in (largest, holm(largest).tolist()))
    return {
        **{heading: partial(_distance, name) for name, heading in DISTANCE_HEADINGS.items()},
        "p": lambda cell: p_value(p[id(cell)]),
        "Holm p": lambda cell: p_value(adjusted[id(cell)]),
        "excess kurtosis, normal": kurtosis("normal"),
        "anomalous": kurtosis("anomalous"),
        "AUROC of the distance from a Gaussian": _of("noise", "normality", "distance_from_gaussian", "auroc"),
        "AUROC of the L2 norm": _of("noise", "l2_norm", "auroc"),
        "AUROC of the score": _of("image", "auroc"),
    }


def _distance(name: str, cell: Cell) -> Entry:
    return beside_chance(cell, ("noise", "pixels"), name)


def _timestep_columns(members: Sequence[Cell]) -> Columns:
    return {
        **_QUALITY,
        "Δ L2 norm": _of("noise", "l2_norm", "difference"),
        "AUROC of the L2 norm": _of("noise", "l2_norm", "auroc"),
        "structure left, normal": _of("noise", "image_correlation", "normal"),
        "anomalous": _of("noise", "image_correlation", "anomalous"),
    }


def _key(result: Result, section: str, name: str) -> Any:
    """None of a key that the method does not read, which is not stored; a method may read a part of a section."""
    return result.config.get(section, {}).get(name)


def _is_whole(result: Result) -> bool:
    size = _key(result, "patch", "size")
    return size is not None and image_sides(result.config) == (size, size)


def _patch(result: Result) -> Entry:
    size = _key(result, "patch", "size")
    if size is None:
        return Entry(NOTHING)
    return Entry(f"{size} × {size}{', the whole image' if _is_whole(result) else ''}", size)


def _pixels(cell: Cell) -> Entry:
    sides, size = image_sides(cell.one.config), _key(cell.one, "patch", "size")
    return Entry(NOTHING) if sides is None or size is None else _share(size**2 / math.prod(sides))


def _beside_patch(cell: Cell) -> tuple[str, str]:
    """What a row has in common with that of the whole image: data set, method and every setting but the patch's size."""
    others = {key: value for key, value in settings(cell.one).items() if key != "patch.size"}
    return cell.dataset, repr(sorted(others.items()))


def _share(value: float) -> Entry:
    return Entry(f"1/{1 / value:.3g}", value) if value < 1 else number(value, 2)


def _patch_columns(members: Sequence[Cell]) -> Columns:
    path = ("memory", "training", "host_growth")
    measured_whole = [cell for cell in members if _is_whole(cell.one) and cell.values(*path)]
    whole = {_beside_patch(cell): mean(cell.values(*path)) for cell in measured_whole}

    def ratio(cell: Cell) -> Entry:
        growth, other = cell.values(*path), whole.get(_beside_patch(cell))
        return _share(mean(growth) / other) if growth and other and mean(growth) > 0 else Entry(NOTHING)

    shares = {"pixels of a crop over the image's": _pixels, "growth over the whole image's": ratio}
    return {**_QUALITY, **_COST, **_memory(members), **shares}


def _levels(result: Result) -> Entry:
    widths = _key(result, "unet", "channels")
    return Entry(NOTHING) if widths is None else count(len(widths))


def _widths(result: Result) -> Entry:
    widths = _key(result, "unet", "channels")
    if widths is None:
        return Entry(NOTHING)
    return Entry(", ".join(map(str, widths)), sum(widths))


def _attention(result: Result) -> Entry:
    """Sides of the maps that attend, of a patch of the training size; nothing of a method that does not read all that gives them, as
    one that trains on no patches."""
    size, fold, levels = (
        _key(result, *key) for key in (("patch", "size"), ("unet", "fold"), ("unet", "attention_levels"))
    )
    if None in (size, fold, levels):
        return Entry(NOTHING)
    sides = [math.ceil(size / (fold * 2**level)) for level in levels]
    return Entry(", ".join(f"{side} px" for side in sides) or "none", sum(side**2 for side in sides))


def _network(result: Result) -> Entry:
    """The option that was chosen, where nothing of it was changed."""
    typed = any(key_of(text).startswith("unet.") for text in result.command.overrides)
    option = None if typed else chosen_option(result, "unet")
    return Entry(NOTHING if option is None else option)


def _unet_columns(members: Sequence[Cell]) -> Columns:
    return {**_QUALITY, "parameters": lambda cell: count(cell.one.metrics.parameters), **_COST, **_memory(members)}


_HYPOTHESIS = (
    "KS, Wasserstein, KL and overlap: predicted noise of normal against anomalous images, pixel by pixel. p: permutation of groups of "
    "images between the labels, the largest of the seeds; Holm p: the same, corrected for the number of rows that have one. "
    "Excess kurtosis is 0 for a Gaussian. Distance from a Gaussian: Lilliefors'."
)
_SIGNAL = (
    "Δ L2 norm: mean L2 norm of the noise map of anomalous minus that of normal images. Structure left: size of the correlation "
    "between an image and its noise map, 0 where nothing of it is left."
)
_ARITHMETIC = (
    "The paper: patches of {0} × {0} px of images of {1} × {1} px need 1/{2:.0f} of the memory, which is the share of the pixels, "
    "{0}² / {1}², at equally many crops a step. What is measured has parts that no crop makes smaller: the network, its optimiser, "
    "libraries that training loads. The last column is against the row of the whole image of the same method and settings: "
    "patch=14x14,28x28,56x56,whole; a dash where there is none, as where images are no squares. Pixels of an image are its height × "
    "its width; a dash where images are of several sizes."
).format(*_PAPER_SHARE, (_PAPER_SHARE[1] / _PAPER_SHARE[0]) ** 2)

_STEP = Axis(_step, ("timestep", "timestep.value"))

ANSWERS: Mapping[str, Answer] = {
    "noise": Answer(
        "The noise hypothesis: normal against anomalous images", "timestep", {"t": _STEP}, _noise_columns, (_HYPOTHESIS, CHANCE_NOTE)
    ),
    "timestep": Answer("The timestep: signal and structure left", "timestep", {"t": _STEP}, _timestep_columns, (_SIGNAL,)),
    "patch": Answer(
        "Patch size: quality, time and memory of training", "patch", {"patch, px": Axis(_patch, ("patch", "patch.size"))},
        _patch_columns, (_ARITHMETIC, _COST_NOTE),
    ),
    "unet": Answer(
        "The U-Net: depth, width and attention",
        "unet",
        {
            "levels": Axis(_levels, ()),
            "channels": Axis(_widths, ("unet.channels",)),
            "attention at": Axis(_attention, ("unet.attention_levels",)),
            "option": Axis(_network, ("unet",)),
        },
        _unet_columns,
        ("Attention at: sides of the maps that attend, of a patch of the training size.", _COST_NOTE),
    ),
}  # fmt: skip
