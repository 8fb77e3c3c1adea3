"""A very large image is scored within a budget of memory."""

from __future__ import annotations

import pytest

from scripts.measuring import peak_memory

BUDGET_MIB = 1024  # above the imports: sixteen float32 maps of the image


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [[], ["unet=compact_wide"]], ids=["compact", "compact_wide"])
def test_sixteen_megapixels_are_scored_in_a_fixed_budget(overrides: list[str]) -> None:
    scoring = ["scoring", "--images", "1", "--side", "4000", *overrides]
    assert peak_memory(*scoring) - peak_memory("nothing") < BUDGET_MIB


@pytest.mark.slow
def test_the_peak_sees_what_is_allocated() -> None:
    small, large = (peak_memory("scoring", "--images", "1", "--side", side) for side in ("100", "2000"))
    assert large - small > 4 * 16  # at least image, noise map, edge map and pixel map of 2,000 × 2,000 float32
