"""Which names say that a file, or a folder, shows where defects are, and no part."""

from __future__ import annotations

import re

MASK = "_mask"  # ends the stem of a mask's name, behind that of its photo
_FOLDERS = {"groundtruth", "groundthruth", "groundtruths", "gt", "mask", "masks"}


def plain_name(name: str) -> str:
    """As names of folders are compared, whatever their case, spaces, '-' and '_'."""
    return re.sub(r"[\s_-]", "", name.lower())


def names_masks(folder: str) -> bool:
    """Whether a folder is called as one of masks is, which is never one of photos."""
    return plain_name(folder) in _FOLDERS


def photo_of_mask(stem: str) -> str | None:
    """The stem of the photo whose mask a file of this stem is by its name, as `07_mask` or `07_MASK` of `07`; None for no mask."""
    name, ending = stem[: -len(MASK)], stem[-len(MASK) :]
    return name if name and ending.lower() == MASK else None
