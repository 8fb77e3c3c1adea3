"""How a model is asked about new photos."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class PredictSettings:
    """What an export takes along; the defaults and the ranges are radar's own (`conf/predict`)."""

    decode_ahead: int  # images that are decoded while one is scored
    regions: int  # most flagged regions that a line lists
    colour_range: float  # of overlays: where the colour is full, in levels of strong regions
    opacity: float  # of the full colour
    interval: float  # seconds between two looks at a watched folder
    patience: float  # seconds that a file which cannot be decoded may still change
