"""The blocks of docs/what_diffusion_contributes.md: the recipe beside the same recipe without what diffusion gives it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from radar.report.cells import Cell
from radar.report.tables import Entry, Table, markdown, number, untitled
from scripts.pages.choices import (
    FILTERS,
    NOISE_ALONE,
    NOT_RUN,
    PATCHCORE,
    RECOMMENDED,
    STATISTICAL,
    UNTRAINED,
    WITHOUT_NETWORK,
    chosen,
    entry,
    mean_of,
    records,
)
from scripts.pages.sections import Sections
from scripts.pages.sets import SETS_NOTE, in_order, named, sharing_notes

MEASURES = {"image AUROC": ("image", "auroc"), "pixel AUROC": ("pixel", "auroc"), "AUPRO": ("pixel", "aupro")}
MUCH, LITTLE = 0.1, 0.01  # of a measure
CEILING = 0.995  # from which a control leaves too little room to show a gain
DECISIVE, USEFUL, NOTHING_MORE, OUTDONE = "decisive", "useful", "irrelevant", "outdone"
OPEN, SATURATED = "open", "irrelevant (saturated)"


@dataclass(frozen=True)
class Contribution:
    """What training a denoiser adds to a measure: the whole recipe against the best of all that needs no training."""

    whole: float
    best: float
    name: str  # of that best
    spread: float  # over seeds, the larger of the two
    complete: bool  # whether both controls of the recipe ran

    @property
    def gain(self) -> float:
        """Positive where training helps."""
        return self.whole - self.best

    @property
    def verdict(self) -> str:
        """One word. Where a control is missing the gain may shrink, so nothing is said of it but that there is none."""
        if self.gain <= -max(LITTLE, self.spread):
            return OUTDONE
        if self.gain < max(LITTLE, self.spread):
            return SATURATED if self.best >= CEILING else NOTHING_MORE
        return OPEN if not self.complete else DECISIVE if self.gain >= MUCH else USEFUL


_UNTRAINED_ROWS = {
    **{f"filter alone, `{name}`": ("controls", name) for name in FILTERS},
    "recipe without a network": ("controls", WITHOUT_NETWORK),
    "recipe, network untrained": ("controls", UNTRAINED),
}
"""Where the numbers of what needs no training stand in a run of the recipe."""


def contribution(cell: Cell, *path: str) -> Contribution | None:
    """Of the recipe on one set; None where nothing was measured."""
    own = cell.values(*path)
    values = {name: cell.values(*place, *path) for name, place in _UNTRAINED_ROWS.items()}
    means = {name: statistics.fmean(each) for name, each in values.items() if each}
    if not own or not means:
        return None
    best = max(means, key=lambda name: means[name])
    spread = max(statistics.stdev(each) if len(each) > 1 else 0.0 for each in (own, values[best]))
    return Contribution(statistics.fmean(own), means[best], best, spread, len(means) == len(values))


def set_table(cell: Cell, alone: Cell | None) -> Table:
    """A row per thing that is left of the recipe, the whole last."""
    rows: list[list[Entry | str]] = [
        [name, *(entry(cell, *place, *path) for path in MEASURES.values())] for name, place in _UNTRAINED_ROWS.items()
    ]
    rows.append(["trained noise parts alone", *(entry(alone, *path) for path in MEASURES.values())])
    rows.append(["whole recipe", *(entry(cell, *path) for path in MEASURES.values())])
    return untitled(("", *MEASURES), rows)


def _best_other(cells: Sequence[tuple[str, Cell | None]]) -> str:
    """Of other methods that are not trained on the set, by the mean of image AUROC."""
    means = [(mean_of(cell, "image", "auroc"), name) for name, cell in cells]
    found = max(((mean, name) for mean, name in means if mean is not None), default=None)
    return NOT_RUN.text if found is None else f"{found[0]:.3f} {found[1]}"


def summary(cells: Mapping[str, Cell], others: Mapping[str, Mapping[str, Cell]]) -> Table:
    """A row per set: the recipe's best control, the recipe, the gain and its verdict; the verdicts of the maps beside it; `others`."""
    rows: list[list[Entry | str]] = []
    for name in in_order(cells):
        image, *maps = (contribution(cells[name], *path) for path in MEASURES.values())
        if image is None:
            rows.append([named(name), *(NOT_RUN for _ in range(5 + len(maps)))])
            continue
        verdicts: list[Entry | str] = ["–" if each is None else f"{each.verdict} ({each.gain:+.3f})" for each in maps]
        told: list[Entry | str] = [
            number(image.best),
            image.name,
            number(image.whole),
            f"{image.verdict} ({image.gain:+.3f})",
        ]
        peers = [(label, by_set.get(name)) for label, by_set in others.items()]
        rows.append([named(name), *told, *verdicts, _best_other(peers)])
    headings = (
        "data set",
        "best of the recipe's controls",
        "which is",
        "whole recipe",
        "training is",
        "for pixel AUROC",
        "for AUPRO",
        "other methods, not trained on the set",
    )
    return untitled(headings, rows)


def said(cells: Mapping[str, Cell]) -> Iterator[str]:
    """A sentence for each measure: on which sets training the denoiser is what."""
    for measure, path in MEASURES.items():
        by_verdict: dict[str, list[str]] = defaultdict(list)
        for name in in_order(cells):
            found = contribution(cells[name], *path)
            if found is not None:
                by_verdict[found.verdict].append(named(name))
        words = (DECISIVE, USEFUL, NOTHING_MORE, SATURATED, OUTDONE, OPEN)
        parts = [f"**{word}** on {', '.join(by_verdict[word])}" for word in words if by_verdict[word]]
        yield f"By {measure}, training the denoiser is {'; '.join(parts)}."


def missing(cells: Mapping[str, Cell], alone: Mapping[str, Cell]) -> list[str]:
    """Which rows no record holds yet."""
    lacking = {
        name: [each for each, cell in cells.items() if not cell.values(*place, "image", "auroc")]
        for name, place in _UNTRAINED_ROWS.items()
    } | {"trained noise parts alone": [name for name in cells if name not in alone]}
    return [
        f"Not run yet: *{row}* on {'any set' if len(sets) == len(cells) else ', '.join(in_order(sets))}."
        for row, sets in lacking.items()
        if sets
    ]


def sections() -> Sections:
    """By their names."""
    cells, alone = chosen()[RECOMMENDED], chosen()[NOISE_ALONE]
    notes = [
        f"*Decisive*: at least {MUCH:g} above the best of the recipe's own controls, none of which is trained; *useful*: by at "
        f"least {LITTLE:g} and by the larger standard deviation over seeds of the two; *irrelevant*: within that; "
        f"*saturated*: within that, where a control has {CEILING:g} and leaves no room for more; "
        "*outdone*: a control is better by as much; "
        "*open*: above what ran, while a control has not run.",
        "Means over seeds are compared on the same test images; that these are few, and groups of them fewer, is in no verdict. "
        "Which control is best is chosen with the test labels in view, which favours it.",
        SETS_NOTE,
        *sharing_notes(records()),
        *missing(cells, alone),
    ]
    words = "\n".join(f"- {sentence}" for sentence in said(cells))
    told = "\n".join(f"- {note}" for note in notes)
    tables = [f"### {named(name)}\n\n{markdown(set_table(cells[name], alone.get(name)))}" for name in in_order(cells)]
    others = {name: chosen()[name] for name in (PATCHCORE, STATISTICAL)}
    return {
        "verdicts": f"{words}\n\n{markdown(summary(cells, others))}\n{told}",
        "sets": "\n".join(tables),
    }
