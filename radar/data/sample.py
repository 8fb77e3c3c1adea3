"""One image of a data set, as the split manifest names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
NORMAL_DEFECT = "good"
ANOMALOUS_DEFECT = "anomalous"  # where no kind of defect is given
UNKNOWN_LABEL, UNKNOWN_DEFECT = -1, "unknown"  # of an image that belongs to no data set


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a split manifest.

    `path` and `mask` are POSIX paths relative to the data set's root; `content_hash` is the SHA-256 of the
    file's bytes (of shape, dtype and pixels for a drawn image); `label` is 0 for normal, 1 for anomalous and −1 where
    nobody said, which no split holds;
    `defect` is "good" for normals; `group` joins images that must stay in one split (same tile, same sheet).
    """

    path: str
    content_hash: str
    split: Split
    label: int
    defect: str
    mask: str | None
    group: str

    @property
    def masked(self) -> bool:
        """Whether it is anomalous and a mask says where."""
        return self.label == 1 and self.mask is not None


def contradiction(label: int, defect: str, mask: str | None) -> str | None:
    """What does not agree of an image's label, 0 or 1, its defect and its mask, in words; None where all does."""
    if label == 0 and defect != NORMAL_DEFECT:
        return f"is normal, and its defect is {defect!r}, which is {NORMAL_DEFECT!r} for normal images"
    if label == 1 and defect == NORMAL_DEFECT:
        return f"is anomalous, and its defect is {defect!r}, as normal images have it"
    if label == 0 and mask is not None:
        return f"is normal, and has the mask {mask} of a defect"
    return None
