"""To which height and width a config brings every image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radar.runtime.entries import ONE_SIZE


def image_sides(config: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of every image in px; None where images keep a size or a shape of their own, or nothing is told."""
    image = config["dataset"].get("image", {})
    size, width = image.get("size"), image.get("width")
    if size is None or image.get("aspect", ONE_SIZE[0]) not in ONE_SIZE:  # records from before the key squeezed
        return None
    return int(size), int(size if width is None else width)
