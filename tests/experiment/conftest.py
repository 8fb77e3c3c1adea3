"""A whole experiment that takes seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tiny_experiment import TINY

from radar.config.schema import Config


@pytest.fixture
def tiny(composed: Callable[..., Config]) -> Callable[..., Config]:
    """Composes the small experiment with further overrides."""
    return lambda *overrides: composed(*TINY, *overrides)
