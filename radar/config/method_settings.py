"""Sections of settings that several methods have in common; what one method alone reads stands in its own file."""

from __future__ import annotations

from dataclasses import dataclass

from radar.config.fields import choice, number, sigma


@dataclass
class ReductionConfig:
    """From a method's map `(H, W)` to its pixel map and its image score; RADAR has features instead."""

    smoothing: float = sigma()  # σ in px of the map's smoothing
    statistic: str = choice("max", "mean", "top")  # of the smoothed map
    pixels: int = number(minimum=1, maximum=1_000_000_000)  # whose mean the statistic top is


@dataclass
class SimplexConfig:
    """Octaves of simplex noise (AnoDDPM)."""

    wavelength: float = number(
        minimum=0.1, maximum=16_384.0
    )  # px per lattice cell of the first octave; each further one halves it
    octaves: int = number(minimum=1, maximum=32)
    persistence: float = number(minimum=0.001, maximum=10.0)  # amplitude of an octave over that of the one before
