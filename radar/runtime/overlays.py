"""Pictures of what was flagged: overlays in the original's size and colour, on one colour range per model, and masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from .decoding import Pixels
from .examination import Drawable, Examined
from .file_names import output_name
from .files import make_subfolder, write_atomically, writing
from .own_pictures import SOFTWARE, software
from .paths import MASKS, OVERLAYS
from .pixel_sets import widened
from .prediction import Prediction
from .preprocessing import FloatArray
from .settings import PredictSettings

_LOW, _HIGH = np.array([255, 196, 0], dtype=np.float32), np.array([226, 0, 70], dtype=np.float32)  # amber to crimson
_REGION = np.array([0, 150, 255], dtype=np.uint8)  # blue, the outline of a region of interest: no colour of a map
_LEAST = 0.4  # of the full opacity, just above the level: what is flagged can be seen
_OUTLINE_SHARE = 1 / 400  # of the longer side, the outline's width

Rgb = NDArray[np.uint8]


def write_overlay(folder: Path, examined: Examined, settings: PredictSettings) -> Path | None:
    """`overlays/DECISION/NAME_SCORE.png` below `folder`; nothing of an unreadable photo."""
    picture, said, drawable = examined.photo.picture, examined.prediction, examined.drawable
    if picture is None or drawable is None:
        return None
    levels = drawable.levels
    path = make_subfolder(folder, OVERLAYS, said.decision) / _overlay_name(said)
    legend = (
        f"{said.decision}: score {said.score:.6g}, threshold {said.threshold:.6g} ({said.threshold_name}); colours from map level "
        f"{levels.faint:.6g} to {settings.colour_range * levels.strong:.6g}"
    )
    drawn = overlay(picture.pixels, drawable, settings)
    _write(path, Image.fromarray(drawn), "overlay", legend)
    return path


def write_mask(folder: Path, examined: Examined) -> Path | None:
    """`masks/NAME.png` below `folder`: 255 where flagged, else 0; nothing of an unreadable photo."""
    if examined.drawable is None:
        return None
    path = make_subfolder(folder, MASKS) / _mask_name(examined.prediction)
    _write(path, Image.fromarray(examined.drawable.flagged.astype(np.uint8) * 255), "mask", "255 where flagged")
    return path


def remove_pictures(folder: Path, said: Prediction) -> None:
    """Remove what `write_overlay` and `write_mask` wrote of a photo of which that was said, where it is there."""
    pictures = [(folder / MASKS, _mask_name(said))]
    if said.score is not None:
        pictures.append((folder / OVERLAYS / said.decision, _overlay_name(said)))
    for place, name in pictures:
        if not any(each.is_symlink() for each in (place, place.parent)):  # which would lead elsewhere
            with writing(place / name):
                (place / name).unlink(missing_ok=True)


def _overlay_name(said: Prediction) -> str:
    return f"{_photo_name(said)}_{said.score:.4g}.png"


def _mask_name(said: Prediction) -> str:
    return f"{_photo_name(said)}.png"


def _photo_name(said: Prediction) -> str:
    """Another one for every path and content: a camera may write one path again and again."""
    return output_name(Path(said.path), said.content_hash or "")


def overlay(pixels: Pixels, drawable: Drawable, settings: PredictSettings) -> Rgb:
    """The original `(H, W, 3)` in 8 bits, coloured by its map and outlined where it is flagged, untouched elsewhere but for the
    outline of a region of interest.

    The colour depends on the map's value alone, never on the photo's other pixels: pictures of one model compare.
    """
    original, flagged = rgb(pixels), drawable.flagged
    drawn = original.copy()
    if drawable.inside is not None:
        drawn[_outline(drawable.inside)] = _REGION
    if flagged.any():
        colour, share = _colours(drawable, settings)
        opacity = settings.opacity * share
        drawn[flagged] = np.rint((1 - opacity) * original[flagged] + opacity * colour).astype(np.uint8)
        drawn[_outline(flagged)] = _HIGH.astype(np.uint8)
    return drawn


def flagged_layer(drawable: Drawable, settings: PredictSettings) -> Rgb:
    """What `overlay` lays over a photo, at full opacity: `(H, W, 4)`, transparent where nothing is drawn."""
    flagged = drawable.flagged
    layer = np.zeros((*flagged.shape, 4), dtype=np.uint8)
    if drawable.inside is not None:
        layer[_outline(drawable.inside)] = [*_REGION, 255]
    if flagged.any():
        colour, share = _colours(drawable, settings)
        layer[flagged] = np.rint(np.hstack([colour, 255 * share])).astype(np.uint8)
        layer[_outline(flagged)] = [*_HIGH, 255]
    return layer


def _colours(drawable: Drawable, settings: PredictSettings) -> tuple[FloatArray, FloatArray]:
    """Of the flagged pixels the colour `(N, 3)` and the share `(N, 1)` of the full opacity."""
    levels = drawable.levels
    span = settings.colour_range * levels.strong - levels.faint
    above = drawable.anomaly_map[drawable.flagged] - levels.faint
    strength = np.clip(above / span, 0, 1)[:, None] if span > 0 else np.ones((len(above), 1), dtype=np.float32)
    return _LOW + strength * (_HIGH - _LOW), _LEAST + (1 - _LEAST) * strength


def _outline(flagged: NDArray[np.bool_]) -> NDArray[np.bool_]:
    width = max(1, round(max(flagged.shape) * _OUTLINE_SHARE))
    return widened(flagged, width) & ~flagged


def rgb(pixels: Pixels) -> Rgb:
    """Pixels `(H, W, 3)` in 8 bits."""
    values = pixels.values if pixels.full == 255 else pixels.values >> 8
    shown = values.astype(np.uint8)
    return np.stack([shown] * 3, axis=-1) if shown.ndim == 2 else shown


def _write(path: Path, image: Image.Image, kind: str, legend: str) -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text(SOFTWARE, software(kind))
    told.add_text("Description", legend)
    write_atomically(path, lambda file: image.save(file, "PNG", pnginfo=told))
