"""How a model is asked about new photos."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class PredictSettings:
    """What an export takes along; the defaults are radar's own (`conf/predict`)."""

    decode_ahead: int = field(metadata={"minimum": 0, "maximum": 1024})  # images that are decoded while one is scored
    regions: int = field(metadata={"minimum": 0, "maximum": 1_000_000})  # most flagged regions that a line lists
    # of overlays: where the colour is full, in levels of strong regions
    colour_range: float = field(metadata={"minimum": 1.0, "maximum": 1e6})
    opacity: float = field(metadata={"above": 0.0, "maximum": 1.0})  # of the full colour
    # seconds between two looks at a watched folder
    interval: float = field(metadata={"above": 0.0, "maximum": 86_400.0})
    # seconds that a file which cannot be decoded may still change
    patience: float = field(metadata={"minimum": 0.0, "maximum": 86_400.0})
