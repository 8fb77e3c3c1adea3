"""Means as they are compared with each other."""

from __future__ import annotations

_DIGITS = 12  # behind the point: far more than any measure has, far fewer than the rounding of a sum reaches


def comparable(value: float) -> float:
    """`value` without what the rounding of a sum alone makes of it: the same numbers in another order are equal."""
    return round(float(value), _DIGITS)
