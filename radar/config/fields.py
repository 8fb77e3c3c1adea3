"""Fields of the schema: required values and their bounds."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from omegaconf import MISSING


def number(
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A required number with closed (`minimum`, `maximum`) or open (`above`, `below`) bounds."""
    return field(default=MISSING, metadata={"minimum": minimum, "maximum": maximum, "above": above, "below": below})


def choice(*options: str) -> Any:
    """A required string out of `options`."""
    return field(default=MISSING, metadata={"choices": options})


def section(kind: type) -> Any:
    """A required section of keys."""
    return field(default_factory=kind)
