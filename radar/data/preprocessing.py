"""Decoded pixels to the planes that a model sees, float32 in [-1, 1], as a config says."""

from __future__ import annotations

from dataclasses import asdict

import torch

from radar.config.schema import ImageConfig
from radar.data.decoding import BoolArray, FloatArray, Pixels
from radar.data.region_of_interest import region_of_interest
from radar.errors import DataError
from radar.runtime import preprocessing
from radar.runtime.errors import ImageError
from radar.runtime.placement import placed_region
from radar.runtime.preprocessing import LUMA, Frame, Preprocessing, grey, resized
from radar.runtime.region_of_interest import PLANE

__all__ = ["Frame"]  # which whoever places maps reads here


def preprocessing_of(config: ImageConfig) -> Preprocessing:
    """How an image is read as `config` says; a working size that is still to be found does not count."""
    values = asdict(config)
    del values["working_size"]
    return Preprocessing(**{**values, "region_of_interest": region_of_interest(config)})


def preprocess(pixels: Pixels, config: ImageConfig) -> tuple[FloatArray, Frame]:
    """The model's picture, float32 (C, H, W) in [-1, 1], and its frame in the original image."""
    return preprocessing.preprocess(pixels, preprocessing_of(config))


def plane_names(config: ImageConfig) -> tuple[str, ...]:
    """Names of the planes that `config.channels` asks for and, where there is a region, of its own as the last."""
    return preprocessing_of(config).plane_names


def network_plane_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the planes `names` that networks see: the luma alone where there is one, else all but the region's."""
    return names[:1] if names[0] == "luma" else tuple(name for name in names if name != PLANE)


def has_colour(pixels: Pixels) -> bool:
    """Whether the channels differ anywhere."""
    values = pixels.values
    return values.ndim == 3 and bool((values != values[..., :1]).any())


def thumbnail(pixels: Pixels, side: int) -> FloatArray:
    """Grey (side, side) in [0, 1], area-averaged and stretched: what near-duplicates are compared by."""
    return resized(grey(pixels), (side, side), "box")


def rgb(planes: torch.Tensor, channels: str) -> torch.Tensor:
    """The colours `(N, 3, H, W)` in [−1, 1] of planes `(N, P, H, W)` that were read as `channels`; grey is repeated.

    Luma and opponents are a linear map of red, green and blue, so they lead back to them, but for rounding and for what Lanczos
    and bicubic overshoot where white or black meets an edge.
    """
    if channels != "luma_chroma":
        return planes.expand(-1, 3, -1, -1)
    luma, red_green, yellow_blue = planes.unbind(dim=1)
    _, green, blue = LUMA.tolist()
    red = 1 - green - blue
    yellow = luma + (green - red) * red_green + 2 * blue * yellow_blue  # the mean of red and green
    colours = [yellow + red_green, yellow - red_green, yellow - 2 * yellow_blue]
    return torch.stack(colours, dim=1).clamp(-1, 1)


def visible_mask(mask: BoolArray, frame: Frame) -> BoolArray:
    """The part of a mask (H, W) that the model could see: cut under `aspect: crop`, whole otherwise."""
    return mask[frame.visible]


def mask_of_view(mask: BoolArray, frame: Frame) -> BoolArray:
    """A mask (H, W) over the field of the model's picture, (`frame.height`, `frame.width`): what `aspect: pad` adds marks nothing."""
    return preprocessing.windowed(mask, frame)


def looked_at(config: ImageConfig) -> str:
    """What of a photo a model looks at, in words, where that is not all of it."""
    crop = "what dataset.image.aspect=crop leaves of their photo"
    if config.region_of_interest is None:
        return crop
    return f"the region of interest, or {crop}" if config.aspect == "crop" else "the region of interest"


def is_outside(mask: BoolArray, inside: BoolArray | None, frame: Frame) -> bool:
    """Whether the mask of a whole photo (H, W) marks something, and nothing of what the model's picture shows, nor of its region
    `(h, w)` where it has one."""
    seen = visible_mask(mask, frame)
    if inside is not None:
        seen = seen & placed_region(inside, frame)
    return bool(mask.any()) and not seen.any()


def frame_of(height: int, width: int, config: ImageConfig) -> Frame:
    """The frame of an image of `height` x `width` px."""
    return preprocessing.frame_of(height, width, preprocessing_of(config))


def picture_size(height: int, width: int, config: ImageConfig, path: str) -> tuple[int, int]:
    """Height and width in px of the model's picture of an image of `height` x `width` px, the file at `path`. Raises DataError."""
    way = preprocessing_of(config)
    try:
        return preprocessing.picture_size(preprocessing.frame_of(height, width, way), way)
    except ImageError as error:
        raise DataError(f"{path}: {error}") from error
