"""What the pages say of data sets: which were looked at while choices were made, and which share images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from radar.report import cells
from radar.report.cells import DEVELOPMENT_NOTE
from radar.report.result import Result
from radar.report.shared_images import ImagesOfSet

SHORT = {
    "grid": "grid",
    "wood_quads": "wood",
    "piped_PA_BRG03_TL": "BRG03",
    "magnetic_tile": "magnetic tile",
}
"""The development sets that every method ran on."""
DEVELOPMENT = (*SHORT, "aitex_00")
"""Their test labels were in view when something was chosen."""
CONFIRMATION = ("aitex_01", "aitex_02")
"""Nothing was run on them before the recipe stood, and nothing was chosen in their view after that."""
MARK = cells.DEVELOPMENT

SETS_NOTE = f"{DEVELOPMENT_NOTE} Opened once, after the recipe stood: {', '.join(CONFIRMATION)}."


def named(dataset: str) -> str:
    """With the mark of a development set."""
    return cells.dataset_name(dataset, DEVELOPMENT)


def in_order(datasets: Iterable[str]) -> list[str]:
    """Development sets first, then by name."""
    return sorted(set(datasets), key=lambda name: (name not in DEVELOPMENT, name))


def shared_images(results: Iterable[Result]) -> dict[str, str]:
    """Data sets that are no development set but share images with one that either is tested on: such a row confirms nothing either."""
    by_set: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_set[result.dataset].append(result)
    images = {name: ImagesOfSet.of(members) for name, members in by_set.items()}
    looked_at = [name for name in DEVELOPMENT if name in images]
    pairs = [(name, other) for name in images for other in looked_at if name not in DEVELOPMENT]
    return {name: other for name, other in pairs if images[name].meets(images[other])}


def sharing_notes(results: Iterable[Result]) -> list[str]:
    """A line for each set of `shared_images`."""
    return [f"{name} and {other}, a development set, share images." for name, other in shared_images(results).items()]
