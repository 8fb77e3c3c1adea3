"""PIPED paper impurities (Bianconi et al. 2014): `NoDefects`, `Defects`, and masks in a sub-folder spelt two ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from radar.data.layouts.files import FilesLayout, MaskFiles, image_files, relative
from radar.data.layouts.layout import Entry, PublicSource
from radar.data.sample import NORMAL_DEFECT
from radar.runtime.crops import file_and_crop

_SHEET = re.compile(r"_(?P<kind>ND|D)_(?P<sheet>\d+)_\d+$")


class PipedLayout(FilesLayout):
    """`NoDefects/*_ND_<sheet>_<n>.bmp`, `Defects/*_D_<sheet>_<n>.bmp`, masks `*_GT_*`; a sheet of paper is a group.

    Sheets of normal and of defective images count as different ones even if they bear one number. Where they are the
    same sheet, training on its normals can only make its defective images look more normal, never less.
    """

    name = "piped"
    dark_masks = True
    public = PublicSource(
        name="piped",
        page="https://github.com/bianconif/PIPED",
        url="https://github.com/bianconif/PIPED/archive/HEAD.zip",
        sha256=None,
        landmark="*/data/PA_*",
        terms="CC BY 4.0, to be cited (Bianconi et al. 2014)",
    )

    @classmethod
    def named_groups(cls, paths: Sequence[PurePath]) -> list[str | None]:
        """Sheets."""
        files, others = [file_and_crop(path)[0] for path in paths], super().named_groups(paths)
        return [_sheet(file) if _SHEET.search(file.stem) else other for file, other in zip(files, others, strict=True)]

    def find(self, folder: Path) -> Iterator[Entry]:
        """One class of paper."""
        for path in image_files(folder / "NoDefects"):
            yield Entry(relative(path, folder), 0, NORMAL_DEFECT, None, _sheet(path), None)
        masks = MaskFiles()
        for path in image_files(folder / "Defects"):
            name = path.name.replace("_D_", "_GT_")
            places = (path.parent / spelling / name for spelling in ("GroundTruth", "GroundThruth"))
            mask = masks.known(next(filter(Path.is_file, places), None), path, f"GroundTruth/{name} beside it")
            shown = None if mask is None else relative(mask, folder)
            yield Entry(relative(path, folder), 1, "impurity", shown, _sheet(path), None)
        masks.check()


def _sheet(path: PurePath) -> str:
    match = _SHEET.search(path.stem)
    return f"{match['kind']}_{int(match['sheet']):02d}" if match else path.stem
