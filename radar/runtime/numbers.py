"""Numbers in texts: what a person wrote, a cell of a table holds, an option was given."""

from __future__ import annotations

from argparse import ArgumentTypeError


def number(text: str) -> float:
    """The number that `text` says. Raises `ValueError`, also for what Python alone takes for one: 1_000, digits of other scripts."""
    if not is_plain(text):
        raise ValueError(f"{text!r} is no plain number; write it with the digits 0 to 9, and nothing between them")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None


def number_option(text: str) -> float:
    """As `number`, for argparse."""
    try:
        return number(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def whole(text: str) -> int:
    """As `number`, one that is written with digits alone."""
    number(text)
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not written as a whole number; use digits alone") from None


def is_plain(text: str) -> bool:
    """Whether a number in `text` would be written as everybody reads it; whether one stands in it, is not looked at."""
    return text.isascii() and "_" not in text
