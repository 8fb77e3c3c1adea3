"""Contrast, area and spectral flatness of pictures whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from radar.evaluation.data_measures import defect_measures, spectral_flatness

RANDOM = np.random.default_rng(0)


def test_area_and_contrast_of_a_planted_square() -> None:
    image, mask = RANDOM.normal(size=(100, 100)), np.zeros((100, 100), dtype=bool)
    mask[:20, :10] = True
    image[mask] = image[~mask].mean() - 3 * image[~mask].std()
    measured = defect_measures(image, mask)
    assert measured is not None
    assert (measured.area, measured.contrast) == (0.02, pytest.approx(3))


def test_without_defect_or_without_spread_there_is_no_contrast() -> None:
    assert defect_measures(np.ones((4, 4)), np.zeros((4, 4), dtype=bool)) is None
    whole = defect_measures(np.ones((4, 4)), np.ones((4, 4), dtype=bool))
    assert whole is not None
    assert (whole.area, whole.contrast) == (1, None)


def test_noise_is_flat_and_a_grating_is_not() -> None:
    noise = RANDOM.normal(size=(200, 64, 64))
    grating = np.tile(np.sin(np.arange(64)), (3, 64, 1))
    assert spectral_flatness(noise) == pytest.approx(1, abs=0.02)
    assert spectral_flatness(grating) < 0.01
    assert 0.01 < spectral_flatness(noise[:50] * 0.1 + grating[:1]) < 0.5
    assert spectral_flatness(np.ones((2, 8, 8))) == 0
