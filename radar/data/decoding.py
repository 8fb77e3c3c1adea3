"""Files to arrays: images to float32 in [-1, 1], masks to bool, and maps back to the mask's own pixels."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin

from radar.config.schema import ImageConfig
from radar.errors import DataError

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601, Pillow's own weights
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}
_EIGHT_BIT = {
    "1": "L",
    "L": "L",
    "LA": "L",
    "P": "RGB",
    "PA": "RGB",
    "RGB": "RGB",
    "RGBA": "RGB",
    "RGBX": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
}
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
_BITS_PER_SAMPLE = 258  # TIFF tag


class Pixels(NamedTuple):
    """A decoded file: `values` (H, W) grey or (H, W, 3), uint8 or uint16, of which `full` is white."""

    values: NDArray[np.uint8] | NDArray[np.uint16]
    full: int


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


def file_hash(path: Path) -> str:
    """SHA-256 of the file's bytes: the identity of an image. Raises DataError naming the file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the file") from error


def read_pixels(path: Path) -> Pixels:
    """Decode a PNG, JPEG, BMP or TIFF of 8 or 16 bits; alpha is dropped. Raises DataError naming the file."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; restore it or remove it from the manifest")
    try:
        with Image.open(path) as image:
            return _pixels(image, path)
    except _BROKEN as error:
        raise DataError(f"{path}: not a readable image ({error}); replace or remove the file") from error


def _pixels(image: Image.Image, path: Path) -> Pixels:
    """Pixels of an opened image, by its mode."""
    if getattr(image, "n_frames", 1) > 1:
        raise DataError(f"{path}: holds several pages; save each page as a file of its own")
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.mode in ("RGB", "RGBA") and _tiff_bits(image) == 16:
        return _tiff_pixels(path)
    if image.mode.startswith("I;16"):
        return Pixels(np.asarray(image).astype(np.uint16), 65535)
    if isinstance(image, PngImagePlugin.PngImageFile) and str(image.tile[0].args).endswith(";16B"):
        return _deep_png_pixels(image, path)
    if image.mode not in _EIGHT_BIT:
        raise DataError(f"{path}: pixels of kind {image.mode} have no known range; save it as 8 or 16 bit grey or RGB")
    return Pixels(np.asarray(image.convert(_EIGHT_BIT[image.mode])), 255)


def _tiff_bits(image: TiffImagePlugin.TiffImageFile) -> int:
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, 8)
    return int(bits[0] if isinstance(bits, tuple) else bits)


def _tiff_pixels(path: Path) -> Pixels:
    """16-bit colour, of which Pillow would keep the upper 8 bits only."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        values = page.asarray()
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, -1)
    return Pixels(np.ascontiguousarray(values[..., :3], dtype=np.uint16), 65535)


def _deep_png_pixels(image: Image.Image, path: Path) -> Pixels:
    """16-bit colour PNG: Pillow unpacks one byte of each sample, so it is asked once for either byte."""
    if image.mode not in ("RGB", "RGBA"):
        raise DataError(f"{path}: 16-bit grey with alpha is not supported; save it without alpha")
    upper = np.asarray(image.convert("RGB")).astype(np.uint16)
    with PngImagePlugin.PngImageFile(path) as again:
        again.tile = [tile._replace(args=str(tile.args).replace(";16B", ";16L")) for tile in again.tile]
        lower = np.asarray(again.convert("RGB")).astype(np.uint16)
    return Pixels(upper * 256 + lower, 65535)


def grey(pixels: Pixels) -> FloatArray:
    """Luma (H, W), float32 in [0, 1]."""
    values = pixels.values.astype(np.float32) / np.float32(pixels.full)
    return values if values.ndim == 2 else np.asarray(values @ _LUMA, dtype=np.float32)


def to_model(pixels: Pixels, config: ImageConfig) -> tuple[FloatArray, Frame]:
    """The model's picture, float32 (C, H, W) in [-1, 1], and its frame in the original image."""
    planes = _planes(pixels, config.channels)
    frame = _frame(planes.shape[1], planes.shape[2], config.aspect)
    planes = _window(planes, frame)
    if config.size is not None:
        planes = np.stack([_resize(plane, config.size, config.resize) for plane in planes])
    # Lanczos and bicubic overshoot at edges
    return np.clip(planes * 2 - 1, -1, 1).astype(np.float32), frame


def thumbnail(pixels: Pixels, side: int) -> FloatArray:
    """Grey (side, side) in [0, 1], area-averaged and stretched: what near-duplicates are compared by."""
    return _resize(grey(pixels), side, "box")


def _planes(pixels: Pixels, channels: str) -> FloatArray:
    if channels == "grey":
        return grey(pixels)[None]
    values = pixels.values.astype(np.float32) / np.float32(pixels.full)
    colours = np.stack([values] * 3) if values.ndim == 2 else np.ascontiguousarray(np.moveaxis(values, -1, 0))
    return colours if channels == "rgb" else np.stack([grey(pixels), *_opponents(colours)])


def _opponents(colours: FloatArray) -> FloatArray:
    """Red less green, and yellow less blue, of RGB planes `(3, H, W)`, each in [0, 1]; ½ where there is no colour."""
    red, green, blue = colours
    return np.stack([(1 + red - green) / 2, (1 + (red + green) / 2 - blue) / 2])


def _frame(height: int, width: int, aspect: str) -> Frame:
    if aspect == "stretch":
        return Frame(height, width, 0, 0, height, width)
    side = min(height, width) if aspect == "crop" else max(height, width)
    return Frame(height, width, (height - side) // 2, (width - side) // 2, side, side)


def _window(planes: FloatArray, frame: Frame) -> FloatArray:
    """The window's pixels (C, frame.height, frame.width); outside the image its edge is repeated."""
    rows, columns = frame.visible
    above, before = max(-frame.top, 0), max(-frame.left, 0)
    below, after = frame.height - frame.shape[0] - above, frame.width - frame.shape[1] - before
    return np.pad(planes[:, rows, columns], ((0, 0), (above, below), (before, after)), mode="edge")


def _resize(plane: FloatArray, side: int, resize: str) -> FloatArray:
    """Resize (H, W) to (side, side) in float; Pillow's filters widen with the scale, so they do not alias."""
    if plane.shape == (side, side):
        return plane
    return np.asarray(Image.fromarray(plane).resize((side, side), _FILTERS[resize]), dtype=np.float32)


def place_map(anomaly_map: FloatArray, frame: Frame) -> FloatArray:
    """An anomaly map (h, w) of the model's picture at the mask's own pixels: (H, W) = `frame.shape`."""
    tensor = torch.as_tensor(np.asarray(anomaly_map, dtype=np.float32))[None, None]
    full = torch.nn.functional.interpolate(tensor, (frame.height, frame.width), mode="bilinear", align_corners=False)
    rows, columns = frame.visible
    placed: FloatArray = full[
        0, 0, rows.start - frame.top : rows.stop - frame.top, columns.start - frame.left : columns.stop - frame.left
    ].numpy()
    return placed


def visible_mask(mask: BoolArray, frame: Frame) -> BoolArray:
    """The part of a mask (H, W) that the model could see: cut under `aspect: crop`, whole otherwise."""
    return mask[frame.visible]


def frame_of(height: int, width: int, config: ImageConfig) -> Frame:
    """The frame of an image of `height` x `width` px."""
    return _frame(height, width, config.aspect)


def read_mask(path: Path, shape: tuple[int, int], *, inverted: bool) -> BoolArray:
    """A mask, bool (H, W), True on the defect: above half of the range (below, if `inverted`).

    A mask that holds 0 and 1 alone is read as such. Raises DataError if its size is not `shape` (H, W).
    """
    pixels = read_pixels(path)
    values = pixels.values if pixels.values.ndim == 2 else pixels.values.max(axis=2)
    if values.shape != shape:
        raise DataError(
            f"{path}: the mask is {values.shape[1]} x {values.shape[0]} px and its image "
            f"{shape[1]} x {shape[0]} px; give it the image's size"
        )
    marked: BoolArray = values == 1 if values.max(initial=0) == 1 else values > pixels.full // 2
    return ~marked if inverted else marked


def image_shape(path: Path) -> tuple[int, int]:
    """Height and width in px, from the file's header alone."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except _BROKEN as error:
        raise DataError(f"{path}: not a readable image ({error}); replace or remove the file") from error
