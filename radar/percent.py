"""Shares in percent, as somebody set them."""

from __future__ import annotations

from decimal import Decimal


def percent_as_set(share: float) -> str:
    """The percent of a share that a setting holds, with all its digits: 0.125 is 12.5, 0.0025 is 0.25, 0.05 is 5."""
    return f"{(Decimal(repr(float(share))) * 100).normalize():f}"
