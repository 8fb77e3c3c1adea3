"""MVTec AD, and whatever lies like it: `train/good`, `test/<defect>`, `ground_truth/<defect>/<name>_mask.png`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath

from radar.data.layouts.files import FilesLayout, MaskFiles, image_files, relative, subfolders
from radar.data.layouts.layout import Entry, PublicSource
from radar.data.sample import NORMAL_DEFECT, Split
from radar.runtime.crops import file_and_crop

_QUADRANT = re.compile(r"^(?P<original>.+?)_q\d+$")  # mvtec_quads: part of a larger photograph
_DISTORTED = re.compile(r"^.*_(?=[a-z]+_\d+$)")  # mvtec_quads: how the photograph was distorted


class MvtecLayout(FilesLayout):
    """With its own train and test; without a folder `ground_truth` there are no masks."""

    name = "mvtec"
    official_split = True
    public = PublicSource(
        name="mvtec_ad",
        page="https://www.mvtec.com/company/research/datasets/mvtec-ad",
        url=None,
        sha256=None,
        landmark="",
        terms="CC BY-NC-SA 4.0, not for commercial use; to be accepted on the page",
    )

    @property
    def is_published(self) -> bool:
        """A folder that is no category of a set is anyone's own."""
        return self.config.category is not None

    @classmethod
    def named_groups(cls, paths: Sequence[PurePath]) -> list[str | None]:
        """Quadrants, and distorted copies, of one photograph."""
        others = super().named_groups(paths)
        return [_photograph(file_and_crop(path)[0]) or other for path, other in zip(paths, others, strict=True)]

    def find(self, folder: Path) -> Iterator[Entry]:
        """Test images are anomalous unless their folder is `good`."""
        masks, truth = MaskFiles(), folder / "ground_truth"
        for path in image_files(folder / "train" / NORMAL_DEFECT):
            yield _entry(path, folder, NORMAL_DEFECT, "train", None)
        for defect in subfolders(folder / "test"):
            for path in image_files(defect):
                wanted = defect.name != NORMAL_DEFECT and truth.is_dir()
                mask = masks.of(path, truth / defect.name) if wanted else None
                yield _entry(path, folder, defect.name, "test", mask)
        masks.check()


def _entry(path: Path, folder: Path, defect: str, split: Split, mask: Path | None) -> Entry:
    name = relative(path, folder)
    shown = None if mask is None else relative(mask, folder)
    return Entry(name, int(defect != NORMAL_DEFECT), defect, shown, _photograph(path) or name, split)


def _photograph(file: PurePath) -> str | None:
    """What the photograph is called of which a file is a quadrant; None where it is called as none."""
    quadrant = _QUADRANT.match(file.stem)
    return _DISTORTED.sub("", quadrant["original"]) if quadrant else None


def mvtec_mask_path(path: str) -> str:
    """`test/<defect>/<name>.png` to `ground_truth/<defect>/<name>_mask.png`."""
    name = PurePosixPath(path)
    return f"ground_truth/{name.parent.name}/{name.stem}_mask.png"
