"""Decoded pixels to the planes that a model sees, float32 in [-1, 1], and where they lie in the original."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .background import region_found
from .continuation import continue_outside
from .decoding import Pixels
from .entries import ASPECTS, ONE_SIZE, RESOLUTION, SIDE
from .errors import ImageError
from .pixel_sets import BoolArray
from .region_of_interest import LEAST_PIXELS, PLANE, RegionOfInterest, inside_image

FloatArray = NDArray[np.float32]

PLANE_NAMES = {
    "grey": ("grey",),
    "rgb": ("red", "green", "blue"),
    "luma_chroma": ("luma", "red_green", "yellow_blue"),
}
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601, Pillow's own weights
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}


@dataclass(frozen=True)
class Preprocessing:
    """How decoded pixels become planes."""

    channels: str = field(metadata={"choices": tuple(PLANE_NAMES)})
    size: int | None = field(
        metadata={"minimum": 8, "maximum": SIDE}
    )  # px of the side that `aspect` names; None: as it is
    width: int | None = field(
        metadata={"minimum": 8, "maximum": SIDE}
    )  # px, where it is not as `size`; of ASPECTS_OF_ONE_SIZE
    aspect: str = field(metadata={"choices": ASPECTS})
    resolution: float | None = field(
        metadata=RESOLUTION
    )  # px per mm of the picture, in place of `size`; None: not by mm
    file_resolution: float | None = field(metadata=RESOLUTION)  # px per mm of the files
    resize: str = field(metadata={"choices": tuple(_FILTERS)})  # a filter of Pillow
    # outside it nothing counts; None: the whole image does, as where a file is older than the entry
    region_of_interest: RegionOfInterest | None = field(default=None, kw_only=True)

    @property
    def plane_names(self) -> tuple[str, ...]:
        """Names of a picture's planes: those of `channels` and, where there is a region, its own as the last."""
        return (*PLANE_NAMES[self.channels], *(() if self.region_of_interest is None else (PLANE,)))

    @property
    def fixed(self) -> tuple[int, int] | None:
        """Height and width in px of every picture; None where they follow the images'."""
        return (self.size, self.width or self.size) if self.size is not None and self.aspect in ONE_SIZE else None


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the model's picture sits in the original image.

    The picture covers the window of `height` x `width` original pixels whose first pixel is (`top`, `left`); under
    `aspect: pad` the window is larger than the image, so `top` or `left` is negative.
    """

    image_height: int
    image_width: int
    top: int
    left: int
    height: int
    width: int

    @property
    def visible(self) -> tuple[slice, slice]:
        """Rows and columns of the original image that the window covers."""
        return (
            slice(max(self.top, 0), min(self.top + self.height, self.image_height)),
            slice(max(self.left, 0), min(self.left + self.width, self.image_width)),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, in original pixels, of the visible part: the shape of its mask and placed map."""
        rows, columns = self.visible
        return rows.stop - rows.start, columns.stop - columns.start


def grey(pixels: Pixels) -> FloatArray:
    """Luma (H, W), float32 in [0, 1]."""
    return _luma(_shares(pixels))


def preprocess(pixels: Pixels, way: Preprocessing) -> tuple[FloatArray, Frame]:
    """The model's picture, float32 (P, H, W) in [-1, 1] of `way.plane_names`, and its frame in the original image.

    One plane is made after the other, so that a large image takes little memory beside its own. Raises `ImageError` where a region
    does not fit the image, or leaves too little of it.
    """
    height, width = pixels.values.shape[:2]
    frame = frame_of(height, width, way)
    size = picture_size(frame, way)
    if way.region_of_interest is not None:
        return _with_region(pixels, way, way.region_of_interest, frame, size), frame
    planes = np.zeros((len(PLANE_NAMES[way.channels]), *size), dtype=np.float32)
    for target, plane in zip(planes, _planes(pixels, way.channels), strict=True):
        target[:] = 0.5 if plane is None else resized(_window(plane, frame), size, way.resize)
    # Lanczos and bicubic overshoot at edges
    return np.clip(planes * 2 - 1, -1, 1).astype(np.float32), frame


def _with_region(
    pixels: Pixels, way: Preprocessing, region: RegionOfInterest, frame: Frame, size: tuple[int, int]
) -> FloatArray:
    """The planes of a picture of that size whose last is its region: 1 inside, −1 outside.

    Resizing weighs the pixels of the image that lie inside alone, so that no other takes part in any pixel of the region; outside,
    what is inside is continued.
    """
    seen = windowed(inside_image(region, frame.image_height, frame.image_width), frame)
    weights = resized(seen.astype(np.float32), size, way.resize)
    inside = weights > 0.5
    planes = np.zeros((len(way.plane_names), *size), dtype=np.float32)
    for target, plane in zip(planes, _planes(pixels, way.channels), strict=False):  # the last is the region's
        if plane is not None:
            values = resized(np.where(seen, _window(plane, frame), np.float32(0)), size, way.resize)
            target[inside] = np.clip(values[inside] / weights[inside] * 2 - 1, -1, 1)
    if region.name == "found":
        inside = _found(planes[:-1], inside, region)
    if (left := int(inside.sum())) < LEAST_PIXELS:
        raise ImageError(
            f"its region of interest has {left} of the {inside.size} px that are looked at, and {LEAST_PIXELS} are needed; check "
            "dataset.image.region_of_interest"
        )
    continue_outside(planes[:-1], inside)
    planes[-1] = np.where(inside, 1, -1)
    return planes


def _found(planes: FloatArray, visible: BoolArray, region: RegionOfInterest) -> BoolArray:
    """What of planes `(P, H, W)` is no background; beyond the image, where they are padded, nothing is."""
    tolerance, thinnest, inset = region.tolerance, region.thinnest, region.inset
    if tolerance is None or thinnest is None or inset is None:
        raise ValueError("a region that is found has a tolerance, a width and an inset")
    inside = np.zeros_like(visible)
    if not visible.any():  # of a photo so long and thin that padding takes its place
        return inside
    rows, columns = (np.flatnonzero(visible.any(axis=axis)) for axis in (1, 0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside[window] = region_found(planes[:, *window], tolerance=tolerance, thinnest=thinnest, inset=inset)
    return inside


def _shares(pixels: Pixels) -> FloatArray:
    """Values in [0, 1], as `pixels.values` lie."""
    values = pixels.values.astype(np.float32)
    values /= np.float32(pixels.full)
    return values


def _luma(values: FloatArray) -> FloatArray:
    return values if values.ndim == 2 else np.asarray(values @ LUMA, dtype=np.float32)


def _planes(pixels: Pixels, channels: str) -> Iterator[FloatArray | None]:
    """Planes `(H, W)` of an image, by the names in `PLANE_NAMES`; None: ½ everywhere, as where a file has no colour."""
    values = _shares(pixels)
    if channels != "rgb":
        yield _luma(values)
    if channels == "grey":
        return
    if channels != "rgb" and values.ndim == 2:
        yield from (None, None)
        return
    red, green, blue = (values,) * 3 if values.ndim == 2 else np.moveaxis(values, -1, 0)
    if channels == "rgb":
        yield from (red, green, blue)
    else:  # ½ where there is no colour
        yield np.asarray((1 + red - green) / 2, dtype=np.float32)
        yield np.asarray((1 + (red + green) / 2 - blue) / 2, dtype=np.float32)


def frame_of(height: int, width: int, way: Preprocessing) -> Frame:
    """The frame of an image of `height` x `width` px."""
    if way.aspect not in ("crop", "pad"):
        return Frame(height, width, 0, 0, height, width)
    tall, wide = (1, 1) if way.size is None else (way.size, way.width or way.size)
    # the largest window of that shape inside the image, or the smallest around it
    bound = min if way.aspect == "crop" else max
    scale = bound(height / tall, width / wide)
    rows, columns = max(1, round(tall * scale)), max(1, round(wide * scale))
    return Frame(height, width, (height - rows) // 2, (width - columns) // 2, rows, columns)


def picture_size(frame: Frame, way: Preprocessing) -> tuple[int, int]:
    """Height and width in px of the model's picture of a frame. Raises `ImageError` where it is enlarged beyond `SIDE` px."""
    if way.fixed is not None:
        return way.fixed
    scale = 1.0
    if way.resolution is not None and way.file_resolution is not None:
        scale = way.resolution / way.file_resolution
    elif way.size is not None:
        scale = way.size / (min if way.aspect == "short" else max)(frame.height, frame.width)
    height, width = max(1, round(frame.height * scale)), max(1, round(frame.width * scale))
    if scale > 1 and max(height, width) > SIDE:
        raise ImageError(
            f"is {frame.width} x {frame.height} px and would be enlarged to {width} x {height}, of at most {SIDE} px a side; lower "
            f"dataset.image.{'size' if way.resolution is None else 'resolution'}"
        )
    return height, width


def _window(plane: FloatArray, frame: Frame) -> FloatArray:
    """The window's pixels `(frame.height, frame.width)`; outside the image its edge is repeated."""
    above, before = max(-frame.top, 0), max(-frame.left, 0)
    below, after = frame.height - frame.shape[0] - above, frame.width - frame.shape[1] - before
    seen = plane[frame.visible]
    return np.pad(seen, ((above, below), (before, after)), mode="edge") if any((above, below, before, after)) else seen


def windowed(pixels: BoolArray, frame: Frame) -> BoolArray:
    """The window's pixels `(frame.height, frame.width)` of a set of the image's; none lies outside the image."""
    window = np.zeros((frame.height, frame.width), dtype=np.bool_)
    rows, columns = frame.visible
    window[rows.start - frame.top : rows.stop - frame.top, columns.start - frame.left : columns.stop - frame.left] = (
        pixels[rows, columns]
    )
    return window


def resized(plane: FloatArray, size: tuple[int, int], resize: str) -> FloatArray:
    """Resize (H, W) to `size`, height and width, in float; Pillow's filters widen with the scale, so they do not alias."""
    if plane.shape == size:
        return plane
    return np.asarray(Image.fromarray(plane).resize(size[::-1], _FILTERS[resize]), dtype=np.float32)


def luma(planes: FloatArray, names: tuple[str, ...]) -> FloatArray:
    """Luma `(H, W)` in [0, 1] of a model's picture `(P, H, W)` in [−1, 1], whose planes are `names`."""
    values = (planes + 1) / 2
    is_rgb = names[:3] == PLANE_NAMES["rgb"]
    return np.asarray(np.tensordot(LUMA, values[:3], 1) if is_rgb else values[0], dtype=np.float32)


def region_of(planes: FloatArray, names: tuple[str, ...]) -> BoolArray | None:
    """Which pixels `(H, W)` of a picture `(P, H, W)`, whose planes are `names`, lie in its region; None: it has none."""
    return np.asarray(planes[-1] > 0) if names[-1] == PLANE else None


def brightness(picture: FloatArray, inside: BoolArray | None) -> float:
    """Mean of a luma `(H, W)`, of its region alone where there is one."""
    return float(picture.mean() if inside is None else picture[inside].mean(dtype=np.float64))


def sharpness(picture: FloatArray, inside: BoolArray | None = None) -> float:
    """Variance of the Laplacian (4 neighbours) of a luma `(H, W)` in [0, 1], of its region alone where there is one; 0 where it has
    no inner pixel.
    """
    inner = 4 * picture[1:-1, 1:-1]
    laplacian = inner - picture[:-2, 1:-1] - picture[2:, 1:-1] - picture[1:-1, :-2] - picture[1:-1, 2:]
    if inside is not None:
        laplacian = laplacian[inside[1:-1, 1:-1]]
    return float(np.var(laplacian, dtype=np.float64)) if laplacian.size else 0.0
