"""Fields of the schema: required values and their bounds. Every number is bounded on both sides, by what it means."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from omegaconf import MISSING

from radar.runtime.entries import SIDE

_LEAST_SIGMA = 0.01  # px: below it a Gaussian is a single pixel, and its weights leave float32
_LONGEST = 64  # entries of a list of numbers


def number(
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A required number with closed (`minimum`, `maximum`) or open (`above`, `below`) bounds."""
    return field(default=MISSING, metadata={"minimum": minimum, "maximum": maximum, "above": above, "below": below})


def seed() -> Any:
    """A required seed; what draws with it mixes it into 63 bits."""
    return number(minimum=0, maximum=2**63 - 1)


def numbers(*, minimum: float, maximum: float) -> Any:
    """A required list of numbers with closed bounds."""
    return field(default=MISSING, metadata={"minimum": minimum, "maximum": maximum, "longest": _LONGEST})


def extent(*, minimum: int = 1) -> Any:
    """A required number of px over an image, at most its shorter side."""
    return field(default=MISSING, metadata={"minimum": minimum, "maximum": SIDE, "extent": True})


def sigma(*, zero: bool = True) -> Any:
    """The required σ of a Gaussian over an image, in px, at most the image's shorter side; with `zero` it may be 0, which is none."""
    return field(default=MISSING, metadata=_sigma(zero))


def sigmas(*, zero: bool = True) -> Any:
    """A required list of such σ."""
    return field(default=MISSING, metadata={**_sigma(zero), "longest": _LONGEST})


def _sigma(zero: bool) -> dict[str, Any]:
    return {"minimum": _LEAST_SIGMA, "maximum": SIDE, "extent": True, "zero": zero}


def choice(*options: str) -> Any:
    """A required string out of `options`."""
    return field(default=MISSING, metadata={"choices": options})


def section(kind: type) -> Any:
    """A required section of keys."""
    return field(default_factory=kind)
