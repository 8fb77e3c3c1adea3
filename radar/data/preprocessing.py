"""Decoded pixels to the planes that a model sees, float32 in [-1, 1], and maps back to the mask's own pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from radar.config.schema import ImageConfig
from radar.data.decoding import BoolArray, FloatArray, Pixels

_PLANE_NAMES = {
    "grey": ("grey",),
    "rgb": ("red", "green", "blue"),
    "luma_chroma": ("luma", "red_green", "yellow_blue"),
}
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601, Pillow's own weights
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}


def plane_names(config: ImageConfig) -> tuple[str, ...]:
    """Names of the planes that `config.channels` asks for."""
    return _PLANE_NAMES[config.channels]


def network_plane_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the planes `names` that networks see: the luma alone where there is one, else all."""
    return names[:1] if names[0] == "luma" else names


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
    values = pixels.values.astype(np.float32) / np.float32(pixels.full)
    return values if values.ndim == 2 else np.asarray(values @ _LUMA, dtype=np.float32)


def has_colour(pixels: Pixels) -> bool:
    """Whether the channels differ anywhere."""
    values = pixels.values
    return values.ndim == 3 and bool((values != values[..., :1]).any())


def preprocess(pixels: Pixels, config: ImageConfig) -> tuple[FloatArray, Frame]:
    """The model's picture, float32 (C, H, W) in [-1, 1], and its frame in the original image."""
    planes = _planes(pixels, config.channels)
    frame = _frame(planes.shape[1], planes.shape[2], config.aspect)
    planes = _window(planes, frame)
    if config.size is not None:
        planes = np.stack([_resize(plane, config.size, config.resize) for plane in planes])
    # Lanczos and bicubic overshoot at edges
    return np.clip(planes * 2 - 1, -1, 1).astype(np.float32), frame


def luma(planes: FloatArray, names: tuple[str, ...]) -> FloatArray:
    """Luma `(H, W)` in [0, 1] of a model's picture `(P, H, W)` in [−1, 1], whose planes are `names`."""
    values = (planes + 1) / 2
    return np.asarray(np.tensordot(_LUMA, values, 1) if names == _PLANE_NAMES["rgb"] else values[0], dtype=np.float32)


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


def rgb(planes: torch.Tensor, channels: str) -> torch.Tensor:
    """The colours `(N, 3, H, W)` in [−1, 1] of planes `(N, P, H, W)` that were read as `channels`; grey is repeated.

    Luma and opponents are a linear map of red, green and blue, so they lead back to them, but for rounding and for what Lanczos
    and bicubic overshoot where white or black meets an edge.
    """
    if channels != "luma_chroma":
        return planes.expand(-1, 3, -1, -1)
    luma, red_green, yellow_blue = planes.unbind(dim=1)
    _, green, blue = _LUMA.tolist()
    red = 1 - green - blue
    yellow = luma + (green - red) * red_green + 2 * blue * yellow_blue  # the mean of red and green
    colours = [yellow + red_green, yellow - red_green, yellow - 2 * yellow_blue]
    return torch.stack(colours, dim=1).clamp(-1, 1)


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
