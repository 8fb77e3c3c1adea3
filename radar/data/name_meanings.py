"""What the name of a folder says of the images in it, whatever its case, spaces, '-' and '_'."""

from __future__ import annotations

import re

_GOOD = {"good", "normal", "normals", "ok", "okay", "io", "pass", "passed"}
_GOOD |= {"nodefect", "nodefects", "defectfree", "nondefective"}
_MASKS = {"groundtruth", "groundthruth", "groundtruths", "gt", "mask", "masks"}


def plain_name(name: str) -> str:
    """As names are compared."""
    return re.sub(r"[\s_-]", "", name.lower())


def names_good(name: str) -> bool:
    """Whether a folder is called as one of good parts is, which is never a class of defects."""
    return plain_name(name) in _GOOD


def names_masks(name: str) -> bool:
    """Whether a folder is called as one of masks is, which is never a class of defects."""
    return plain_name(name) in _MASKS
