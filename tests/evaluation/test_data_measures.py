"""Contrast, area and spectral flatness of pictures whose values are known."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

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


def test_flatness_of_several_sizes_is_that_of_each_size_as_often_as_it_is_there() -> None:
    small, large = RANDOM.normal(size=(3, 16, 20)), RANDOM.normal(size=(1, 40, 24)).cumsum(axis=2)
    alone = [spectral_flatness(images) for images in (small, large)]
    mixed = [small[0], large[0], small[1], small[2]]
    assert spectral_flatness(mixed) == pytest.approx((3 * alone[0] + alone[1]) / 4)


def test_flatness_is_that_of_the_mean_spectrum_of_all_images() -> None:
    images = RANDOM.normal(size=(5, 12, 18)).cumsum(axis=1)
    spectra = [
        np.abs(np.fft.fft2((image - image.mean()) * np.hanning(12)[:, None] * np.hanning(18)[None])) ** 2
        for image in images
    ]
    mean = np.mean(spectra, axis=0).flatten()[1:]
    assert spectral_flatness(images) == pytest.approx(np.prod(mean ** (1 / mean.size)) / np.mean(mean))


def test_flatness_holds_one_image_at_a_time() -> None:
    given: list[weakref.ref[NDArray[np.float64]]] = []

    def images() -> Iterator[NDArray[np.float64]]:
        for _ in range(20):
            image = RANDOM.normal(size=(8, 8))
            given.append(weakref.ref(image))
            assert sum(each() is not None for each in given) <= 2
            yield image

    assert spectral_flatness(images()) > 0
    assert len(given) == 20
