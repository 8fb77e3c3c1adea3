"""What the page shows of a photo: itself, its map and what is flagged, as layers that a browser lays over each other."""

from __future__ import annotations

from io import BytesIO

import matplotlib
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from radar.config.verbs import PredictConfig
from radar.runtime.examination import Examined
from radar.runtime.overlays import flagged_layer, overlay, rgb
from radar.runtime.own_pictures import SOFTWARE, software

LAYERS = {"photo": "image/jpeg", "map": "image/jpeg", "flagged": "image/png", "thumbnail": "image/jpeg"}
_THUMBNAIL = 240  # px, its longer side
_QUALITY = 92
_COLOURS = (matplotlib.colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def layers(examined: Examined, settings: PredictConfig, side: int) -> dict[str, bytes]:
    """Files by the names of `LAYERS`, none larger than `side` px; none at all of an unreadable photo.

    Colours depend on the map's values alone, by one range for the model: pictures compare.
    """
    picture, drawable = examined.photo.picture, examined.drawable
    if picture is None or drawable is None:
        return {}
    full = max(settings.colour_range * drawable.levels.strong, float(np.finfo(np.float32).tiny))
    shades = np.clip(drawable.anomaly_map / full * 255, 0, 255).astype(np.uint8)
    drawn = overlay(picture.pixels, drawable, settings)
    return {
        "photo": _file(rgb(picture.pixels), side),
        "map": _file(_COLOURS[shades], side, software("map")),
        "flagged": _file(flagged_layer(drawable, settings), side, software("flagged")),
        "thumbnail": _file(drawn, _THUMBNAIL, software("thumbnail")),
    }


def _file(values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], side: int, maker: str = "") -> bytes:
    """A JPEG, or a PNG of what has an alpha channel, which tells its `maker` where radar drew it: a person may save it."""
    image, buffer = Image.fromarray(values), BytesIO()
    image.thumbnail((side, side), Image.Resampling.BOX)
    if image.mode == "RGBA":
        told = PngInfo()
        told.add_text(SOFTWARE, maker)
        image.save(buffer, "PNG", pnginfo=told)
    else:
        image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, comment=maker)
    return buffer.getvalue()
