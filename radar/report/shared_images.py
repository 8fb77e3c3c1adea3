"""Data sets that share images, of which one is no witness beside another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from radar.report.cells import Cell
from radar.report.result import NORMAL_HASH_DIGITS, Result

NO_SHARED_IMAGE = (  # of data sets that `without_shared_images` keeps
    "none of them is tested on an image that another is tested on, learns from or sets a threshold by, as far as their records tell"
)


def without_shared_images(grouped: Mapping[str, Sequence[Cell]]) -> dict[str, Sequence[Cell]]:
    """`grouped` without data sets that are tested on images of another one: two splits of the same images are no two witnesses.

    Images of a data set are those that it is tested on, learns from or sets a threshold by, as far as its records tell. Of such data
    sets that with most cells stays, of equal ones the first by name.
    """
    kept: dict[str, tuple[Sequence[Cell], ImagesOfSet]] = {}
    for dataset, members in sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0])):
        images = ImagesOfSet.of(result for cell in members for result in cell.results)
        if not any(images.meets(others) for _, others in kept.values()):
            kept[dataset] = members, images
    return {dataset: members for dataset, (members, _) in sorted(kept.items())}


@dataclass(frozen=True)
class ImagesOfSet:
    """Content hashes of what a data set is tested on; the first digits of these, and of what it learns from or sets a threshold by."""

    tested: frozenset[str]
    starts: frozenset[str]
    normals: frozenset[str]

    @classmethod
    def of(cls, results: Iterable[Result]) -> Self:
        """Of all runs of a data set."""
        runs = list(results)
        tested = frozenset(image.content_hash for result in runs for image in result.images)
        starts = frozenset(each[:NORMAL_HASH_DIGITS] for each in tested)
        normals = {each for result in runs for some in result.normals for each in some.content_hashes}
        unscored = {each for result in runs for each in result.unscored_normals}
        return cls(tested, starts, frozenset(normals | unscored))

    def meets(self, other: Self) -> bool:
        """Whether a test image of either is an image of the other."""
        return bool(self.tested & other.tested or self.starts & other.normals or other.starts & self.normals)
