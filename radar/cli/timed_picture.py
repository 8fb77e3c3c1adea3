"""The size of picture that a dry run takes the time of: what the config says, or else what a file's header does."""

from __future__ import annotations

import math
from dataclasses import dataclass

from radar.config.schema import DatasetConfig
from radar.data.layouts import layout_of
from radar.data.preprocessing import picture_size, preprocessing_of
from radar.errors import DataError
from radar.rasters import Size

_ASSUMED_SIDE = 100  # px, where nothing tells one: the paper's
_LONGEST_SIDE = 256  # px of what is timed of a file's picture, so that an estimate takes seconds


@dataclass(frozen=True)
class TimedPicture:
    """Height and width in px, and where the config alone does not tell them, in one line where they come from."""

    size: Size
    note: str | None


def timed_picture(config: DatasetConfig, longest_extent: float) -> TimedPicture:
    """That of every picture where all have one size, else that of the first normal image, or of a part of it; no image is decoded.

    A part is no smaller than `longest_extent` px, the longest window or crop of the config.

    Raises `ConfigError` for what the layout misses in its config.
    """
    image = config.image
    if (fixed := preprocessing_of(image).fixed) is not None:
        return TimedPicture(fixed, None)
    layout = layout_of(config)
    try:
        if layout.side is not None:
            shape, path = (layout.side, layout.side), "a drawn image"
        else:
            path = next(entry.path for entry in layout.entries() if entry.label == 0)
            shape = layout.shape(path)
        size, whose = picture_size(*shape, image, path), f"that of {path}"
    except (DataError, OSError) as error:
        size, whose = (image.size or _ASSUMED_SIDE,) * 2, f"which is assumed, as no file tells it ({error})"
    longest = max(_LONGEST_SIDE, math.ceil(longest_extent))
    part = (min(size[0], longest), min(size[1], longest))
    if part != size:
        times = math.prod(size) / math.prod(part)
        whose = f"a part of {size[1]} × {size[0]} px, which are {times:.3g} times as many: {whose}"
    later = "" if image.working_size is None else ", before working_size makes pictures smaller"
    return TimedPicture(part, f"{config.name}: timed at {part[1]} × {part[0]} px, {whose}{later}")
