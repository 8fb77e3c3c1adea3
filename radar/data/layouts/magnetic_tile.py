"""Magnetic Tile Defects (Huang et al. 2018): `MT_<defect>/Imgs/exp<K>_num_<N>.jpg` with the mask beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from radar.data.layouts.files import FilesLayout, MaskFiles, image_files, relative, subfolders
from radar.data.layouts.layout import Entry, PublicSource
from radar.data.sample import NORMAL_DEFECT
from radar.runtime.crops import file_and_crop

_TILE = re.compile(r"^exp(?P<exposure>\d+)_num_(?P<number>\d+)$")
_SERIES_GAP = 150  # largest step of `num` inside one exposure series; nine of ten steps are below 55


class MagneticTileLayout(FilesLayout):
    """`MT_Free` is normal; exposures of one tile are a group."""

    name = "magnetic_tile"
    public = PublicSource(
        name="magnetic_tile",
        page="https://github.com/abin24/Magnetic-tile-defect-datasets.",
        url="https://github.com/abin24/Magnetic-tile-defect-datasets./archive/HEAD.zip",
        sha256=None,
        landmark="*/MT_Free",
        terms="free to use, to be cited (Huang et al. 2018)",
    )

    @classmethod
    def named_groups(cls, paths: Sequence[PurePath]) -> list[str | None]:
        """Tiles, as far as the numbers of these exposures tell."""
        stems, others = [file_and_crop(path)[0].stem for path in paths], super().named_groups(paths)
        series = exposure_series(stems)
        return [series[stem] if _TILE.match(stem) else other for stem, other in zip(stems, others, strict=True)]

    def groups_of(self, paths: Sequence[Path]) -> list[str | None]:
        """The same in whatever folders they lie: exposures of a tile lie in those of several defects."""
        return self.named_groups(paths)

    def find(self, folder: Path) -> Iterator[Entry]:
        """Images are JPEG; a PNG is a mask."""
        found = [
            (path, defect.name.removeprefix("MT_").lower())
            for defect in subfolders(folder)
            if defect.name.startswith("MT_")
            for path in image_files(defect / "Imgs")
            if path.suffix.lower() != ".png"
        ]
        series, masks = exposure_series([path.stem for path, _ in found]), MaskFiles()
        for path, name in found:
            normal = name == "free"
            mask = None if normal else masks.of(path, path.parent)
            shown = None if mask is None else relative(mask, folder)
            defect = NORMAL_DEFECT if normal else name
            yield Entry(relative(path, folder), int(not normal), defect, shown, series[path.stem], None)
        masks.check()


def exposure_series(stems: Sequence[str]) -> dict[str, str]:
    """Name `exp<K>_num_<N>` to the first name of its series: one tile, photographed under rising exposures K.

    `N` is unique and counts up while K runs through 1…6, but the series of neighbouring tiles interleave: an image,
    taken in the order of N, joins the open series with the nearest lower exposure.
    """
    keys = sorted(
        (int(match["number"]), int(match["exposure"]), stem)
        for stem in stems
        if (match := _TILE.match(stem)) is not None
    )
    last: dict[str, tuple[int, int]] = {}  # first name of a series → its last number and exposure
    series = {stem: stem for stem in stems}
    for number, exposure, stem in keys:
        is_open = [first for first, (seen, below) in last.items() if below < exposure and number - seen <= _SERIES_GAP]
        first = max(is_open, key=lambda first: (last[first][1], last[first][0]), default=stem)
        series[stem] = first
        last[first] = (number, exposure)
    return series
