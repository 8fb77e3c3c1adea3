"""AITEX fabrics (Silvestre-Blanes et al. 2019): strips of cloth that become square crops side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter

from radar.config.fields import choice, number
from radar.data.decoding import BoolArray, Pixels
from radar.data.layouts.files import FilesLayout, MaskFiles, image_files, relative, subfolders
from radar.data.layouts.layout import Entry, PublicSource
from radar.data.masks import read_mask
from radar.data.sample import NORMAL_DEFECT
from radar.data.threads import in_threads
from radar.errors import DataError
from radar.runtime.crops import Crop
from radar.runtime.preprocessing import grey

_STRIP = re.compile(r"\d{4}_(?P<defect>\d{3})_(?P<fabric>\d{2})")
_DEFECTS = {
    "002": "broken_end", "006": "broken_yarn", "010": "broken_pick", "016": "weft_curling", "019": "fuzzyball",
    "022": "cut_selvage", "023": "crease", "025": "warp_ball", "027": "knots", "029": "contamination", "030": "nep",
    "036": "weft_crack",
}  # fmt: skip
_NEIGHBOURHOOD = 15  # px; wider than the weave, whose bright points are no table


@dataclass
class AitexSettings:
    """Which fabric, how strips are cut, and which crops count."""

    fabric: str = choice("00", "01", "02", "03", "04", "05", "06")
    crop_size: int = number(minimum=8, maximum=16_384)  # side of a crop in px
    table_level: float = number(
        above=1.0, maximum=1e6
    )  # brightness from which a pixel is table, in medians of its strip
    table_share: float = number(minimum=0.0, maximum=1.0)  # of a crop's pixels; a crop with more table is left out
    defect_pixels: int = number(
        minimum=1, maximum=1_000_000_000
    )  # of the mask, from which a crop is anomalous; else it is left out


class AitexLayout(FilesLayout):
    """`NODefect_images/<lot>/nnnn_000_ff.png`, `Defect_images/nnnn_ddd_ff.png`, `Mask_images/nnnn_ddd_ff_mask.png`.

    A strip is a group. Crops of strips without a defect are for training; those of the others are test, normal where their
    mask is empty: the two were photographed in different light, which would tell them apart. Masks have grey edges, about one
    marked pixel in 25 at or below half of the range on fabric 00; a pixel is defective above half of it, as in every layout.

    A pixel is table where it and the mean around it are `table_level` times as bright as the strip's median, which is cloth
    wherever the table covers less than half of a strip; what a mask marks is not. On fabric 00, where one strip has a table in
    grey streaks, levels from 1.15 to 1.45 leave out the same crops, those with table that an eye finds.
    Files that are named otherwise are passed over.
    """

    name = "aitex"
    Settings = AitexSettings
    settings: AitexSettings
    official_split = True
    public = PublicSource(
        name="aitex",
        page="https://www.aitex.es/afid/",
        url=None,
        sha256=None,
        landmark="",
        terms="public for research, without a licence file; to be cited (Silvestre-Blanes et al. 2019)",
    )

    @property
    def side(self) -> int:
        """That of all its images."""
        return self.settings.crop_size

    def find(self, folder: Path) -> Iterator[Entry]:
        """Decodes every strip of the fabric and its mask."""
        lots = [folder / "NODefect_images", *subfolders(folder / "NODefect_images")]
        strips = [path for parent in (*lots, folder / "Defect_images") for path in image_files(parent)]
        fabrics = {path: match["fabric"] for path in strips if (match := _STRIP.fullmatch(path.stem))}
        asked = [path for path, fabric in fabrics.items() if fabric == self.settings.fabric]
        if not asked:
            there = ", ".join(sorted(set(fabrics.values()))) or "none"
            raise DataError(f"{folder}: no strips of fabric {self.settings.fabric}; choose one that is there ({there})")
        masks, defective = MaskFiles(), folder / "Defect_images"
        files = {strip: masks.needed(strip, folder / "Mask_images") for strip in asked if strip.parent == defective}
        for entries in in_threads(lambda strip: self._crops(strip, files.get(strip), folder), asked, "cutting", None):
            yield from entries

    def _crops(self, strip: Path, file: Path | None, folder: Path) -> list[Entry]:
        pixels, settings = self.decode(strip), self.settings
        height, width = pixels.values.shape[:2]
        mask, marked = None, np.zeros((height, width), dtype=np.bool_)
        if file is not None:
            mask = relative(file, folder)
            marked = read_mask(
                file, (height, width), inverted=self.dark_masks, megapixels=self.config.megapixels
            ).marked
        table = _table(pixels, settings.table_level) & ~marked
        entries = []
        for crop in _side_by_side(height, width, settings.crop_size):
            defect_pixels = int(crop.of(marked).sum())
            if crop.of(table).mean() <= settings.table_share and not 0 < defect_pixels < settings.defect_pixels:
                entries.append(_entry(relative(strip, folder), crop, mask, anomalous=defect_pixels > 0))
        return entries


def _entry(strip: str, crop: Crop, mask: str | None, *, anomalous: bool) -> Entry:
    code = strip.split("_")[-2]
    defect = _DEFECTS.get(code, code) if anomalous else NORMAL_DEFECT
    shown = mask if anomalous else None
    return Entry(crop.named(strip), int(anomalous), defect, shown, strip, "train" if mask is None else "test")


def _side_by_side(height: int, width: int, side: int) -> list[Crop]:
    """Square crops that do not overlap, from the upper left; what is left at the right and below is in none."""
    return [
        Crop(left, top, side, side)
        for top, left in product(range(0, height - side + 1, side), range(0, width - side + 1, side))
    ]


def _table(pixels: Pixels, level: float) -> BoolArray:
    """Where a strip shows the table, (H, W)."""
    values = grey(pixels)
    table: BoolArray = np.minimum(values, uniform_filter(values, _NEIGHBOURHOOD)) >= level * np.median(values)
    return table
