"""Which runs stand in which column of the pages: a name, and what a run must be."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from radar.evaluation.statistics_ranks import mean_ranks
from radar.methods.registry import METHODS as REGISTERED
from radar.report.cells import Cell, chosen_cells
from radar.report.recipes import told_by
from radar.report.result import Result
from radar.report.settings import Settings, changes, flat, key_of, method_label
from radar.report.tables import Entry, over_seeds
from scripts.pages.committed import METHODS, STUDY, recorded
from scripts.pages.sets import SHORT

SIDE = 100  # px, of the paper
NOT_RUN = Entry("not run")
FILTERS = ("mean_brightness", "raw_sobel")
WITHOUT_NETWORK, UNTRAINED = "same_without_network", "same_untrained"
PUBLISHED, RECOMMENDED, NOISE_ALONE, PATCHCORE = "RADAR as published", "recommended", "noise parts alone", "PatchCore"
PRETRAINED = "recommended_pretrained"
PATCHCORE_LARGE = "PatchCore at its own size"
STATISTICAL = "lof_texture"  # the method without a network that was chosen on the development sets; `statistical_ranks` shows by what
_SIZE = "dataset.image.size="  # typed where a data set's own preset has another

_OF_RECIPE = ("method.name", "method.fused_densities", "unet", "training")  # sections and keys that make it what it is

Cells = dict[str, dict[str, Cell]]
"""By choice, then by data set."""
BySet = dict[str, list[Result]]


def _preset(result: Result, name: str) -> bool:
    """Whether it is this preset as it stands, on the pixels of the set's comparison."""
    typed = [text for text in changes(result) if not text.startswith(_SIZE)]
    return result.command.preset == name and not typed and same_pixels(result)


def same_pixels(result: Result) -> bool:
    """Whether a method saw images of the size that the recipe reads on that set."""
    return _side(result) == _sides().get(result.dataset, SIDE)


def comparable(result: Result) -> bool:
    """Whether a run of the comparison of methods still says what its command gives today: on the pixels that the recipe reads, and
    not older than the present version of its method."""
    current = REGISTERED.get(str(result.config["method"]["name"])).version
    return same_pixels(result) and not (result.is_older and current > 1)


def _side(result: Result) -> int:
    return int(result.config["dataset"]["image"]["size"] or 0)


@cache
def _sides() -> dict[str, int]:
    return {each.dataset: _side(each) for each in recorded(STUDY) if each.command.preset == "recommended"}


def _as_published(result: Result) -> bool:
    return method_label(result.config["method"]) == "radar" and _preset(result, "paper")


@cache
def recipe(preset: str = RECOMMENDED) -> Settings:
    """What the recipe of a preset is today, by key: its method, its network and how that is trained."""
    return {key: value for key, value in flat(told_by(f"experiment={preset}")).items() if key.startswith(_OF_RECIPE)}


def is_recipe(result: Result, preset: str = RECOMMENDED) -> bool:
    """Whether a run was of a preset's recipe as it is today: a preset may have changed since."""
    return recipe_of(result) == {key: value for key, value in recipe(preset).items() if value is not None}


def differs_as_typed(result: Result, preset: str) -> bool:
    """Whether a run's recipe is that of a preset as it is today but for what was typed; what a run does not read is not recorded."""
    own, today = recipe_of(result), recipe(preset)
    typed, sections = tuple(key_of(text) for text in result.command.overrides), {key.partition(".")[0] for key in own}
    keys = {key for key in own.keys() | today.keys() if own.get(key) != today.get(key)}
    keys = {key for key in keys if key.partition(".")[0] in sections}
    return all(any(f"{key}.".startswith(f"{each}.") for each in typed) for key in keys)


def recipe_of(result: Result) -> Settings:
    """What the recipe of a run was, by key, without what it leaves out."""
    own = flat(result.config)
    return {key: value for key, value in own.items() if key.startswith(_OF_RECIPE) and value is not None}


def _recommended(result: Result) -> bool:
    return _preset(result, RECOMMENDED) and is_recipe(result)


def _with_features(result: Result) -> bool:
    return _preset(result, PRETRAINED) and is_recipe(result, PRETRAINED)


def _noise_alone(result: Result) -> bool:
    """The recipe whose densities of brightness and colour are left out, and nothing else."""
    parts = result.config["method"].get("fused_densities") or {}
    typed = {text.rpartition(".")[2] for text in changes(result) if not text.startswith(_SIZE)}
    left_out = parts.get("appearance", 0) is None and parts.get("colour", 0) is None
    return (
        result.command.preset == RECOMMENDED
        and left_out
        and typed <= {"appearance=null", "colour=null"}
        and recipe_of(result).items() <= recipe().items()
    )


def as_preset(name: str) -> Callable[[Result], bool]:
    """A preset as it stands, which says the pixels and the colours: `patchcore` and `lof_texture` those of the recipe."""
    return lambda result: result.command.preset == name and not changes(result)


SELECTED: dict[str, Callable[[Result], bool]] = {
    PUBLISHED: _as_published,
    RECOMMENDED: _recommended,
    PRETRAINED: _with_features,
    NOISE_ALONE: _noise_alone,
    PATCHCORE: as_preset("patchcore"),
    PATCHCORE_LARGE: as_preset("patchcore_256"),
    STATISTICAL: as_preset(STATISTICAL),
}
"""What a run must be to stand in a column."""


@cache
def records() -> tuple[Result, ...]:
    """Of the study and of the comparison of methods."""
    return (*recorded(STUDY), *recorded(METHODS))


def by_method(results: Sequence[Result]) -> dict[str, BySet]:
    """Results on the development sets by method and set, of methods at their own settings."""
    found: dict[str, BySet] = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result.dataset in SHORT:
            found[method_label(result.config["method"])][result.dataset].append(result)
    return found


def ranks_by_method(methods: Mapping[str, BySet], *path: str) -> dict[str, float]:
    """Mean ranks over the development sets on which all methods ran, 1 is the best; nothing where there is no such set."""
    shared = [name for name in SHORT if all(by_set.get(name) for by_set in methods.values())]
    means = [
        [statistics.fmean(run.metrics.value(*path) or 0.0 for run in by_set[dataset]) for by_set in methods.values()]
        for dataset in shared
    ]
    return dict(zip(methods, mean_ranks(means).tolist(), strict=True)) if shared and methods else {}


@cache
def statistical_ranks() -> dict[str, float]:
    """Mean ranks by image AUROC of the methods without any network, over the development sets on which all of them ran."""
    plain = [each for each in recorded(METHODS) if each.metrics.parameters == 0 and comparable(each)]
    return ranks_by_method(by_method(plain), "image", "auroc")


@cache
def chosen() -> Cells:
    """The cells of every choice."""
    return chosen_cells(records(), SELECTED)


def entry(cell: Cell | None, *path: str) -> Entry:
    """Mean ± standard deviation and, in brackets, of how many seeds."""
    values = [] if cell is None else cell.values(*path)
    if cell is None or not values:
        return NOT_RUN
    shown = over_seeds(values)
    return Entry(f"{shown.text} ({len(values)}){cell.marks}", shown.value)


def best_filter(cells: Sequence[Cell | None], *path: str) -> tuple[str, Cell] | None:
    """The filter, and the cell whose control it is, that is best by the mean of the measure at `path`."""
    found = [
        (statistics.fmean(values), name, cell)
        for cell in cells
        if cell is not None
        for name in FILTERS
        if (values := cell.values("controls", name, *path))
    ]
    best = max(found, key=lambda each: each[0], default=None)
    return None if best is None else best[1:]


def filter_entry(cells: Sequence[Cell | None], *path: str) -> Entry:
    """Its measure and its name."""
    best = best_filter(cells, *path)
    if best is None:
        return NOT_RUN
    shown = entry(best[1], "controls", best[0], *path)
    return Entry(f"{shown.text} `{best[0]}`", shown.value)


def mean_of(cell: Cell | None, *path: str) -> float | None:
    """Over the seeds."""
    values = [] if cell is None else cell.values(*path)
    return statistics.fmean(values) if values else None
