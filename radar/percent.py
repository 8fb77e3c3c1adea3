"""Shares as somebody set them, in percent, and as a promise states them."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

_NOISE = Decimal("1e-12")  # of a sum of floats, which is no part of a share
_PROMISED_DIGITS = 3
_SHARE_STEP = Decimal("0.001")


def percent_as_set(share: float) -> str:
    """The percent of a share that a setting holds, with all its digits: 0.125 is 12.5, 0.0025 is 0.25, 0.05 is 5."""
    return f"{(Decimal(repr(float(share))) * 100).normalize():f}"


def percent_at_most(share: float) -> str:
    """The percent of a share in (0, 1] that is not exceeded, to three digits and rounded up, so that no less is promised than
    holds: 0.0125 is 1.25, 1 / 29 is 3.45.
    """
    percent = Decimal(repr(float(share))).quantize(_NOISE) * 100
    step = Decimal(1).scaleb(percent.adjusted() + 1 - _PROMISED_DIGITS)
    return f"{percent.quantize(step, ROUND_CEILING).normalize():f}"


def share_at_most(share: float) -> str:
    """A share in [0, 1] that is not exceeded, to three digits behind the point and rounded up: 0.0125 is 0.013, 0.05 is 0.050."""
    return f"{Decimal(repr(float(share))).quantize(_NOISE).quantize(_SHARE_STEP, ROUND_CEILING):f}"
