"""Vectors of pixels: against SciPy's filters and slices by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from radar.methods.parts.pixel_fields import (
    AppearanceConfig,
    ColourConfig,
    NoiseFieldConfig,
    appearance_field,
    colour_field,
    noise_field,
    noise_square,
)


@pytest.fixture
def image():
    return torch.randn(1, 1, 30, 26, generator=torch.Generator().manual_seed(0))


def scipy_blur(values, sigma):
    return gaussian_filter(values, sigma, mode="nearest", radius=int(np.ceil(3 * sigma)))


def test_a_square_has_every_neighbour_at_its_spacing(image):
    settings = NoiseFieldConfig(timestep=1, contrast=0.0, blur=0.0, side=3, spacing=2)
    field = noise_square(settings).vectors(noise_field(image, settings))
    assert field.shape == (1, 9, 30, 26)
    padded = np.pad(image[0, 0].numpy(), 2, mode="edge")
    for index, (row, column) in enumerate(np.ndindex(3, 3)):
        np.testing.assert_array_equal(field[0, index], padded[2 * row : 2 * row + 30, 2 * column : 2 * column + 26])


def test_a_square_of_one_pixel_is_the_blurred_map(image):
    field = noise_field(image, NoiseFieldConfig(timestep=1, contrast=0.0, blur=1.5, side=1, spacing=1))
    np.testing.assert_allclose(field[0, 0], scipy_blur(image[0, 0].numpy(), 1.5), atol=1e-5)


def test_local_contrast_forgets_light_and_contrast(image):
    settings = NoiseFieldConfig(timestep=1, contrast=3.0, blur=0.0, side=1, spacing=1)
    values = image[0, 0].numpy().astype(np.float64)
    deviation = values - scipy_blur(values, 3.0)
    expected = deviation / (np.sqrt(scipy_blur(deviation**2, 3.0)) + 0.02)
    np.testing.assert_allclose(noise_field(image, settings)[0, 0], expected, atol=1e-4)
    np.testing.assert_allclose(noise_field(5 * image + 2, settings)[0, 0], expected, atol=0.1)


def appearance(blurs, contrasts, *, surround=2.0, relative=0.0):
    return AppearanceConfig(blurs=blurs, contrasts=contrasts, surround=surround, relative=relative)


@pytest.mark.parametrize("surround", [1.0, 2.0])
def test_appearance_is_brightness_and_the_log_variance_about_a_wider_mean(image, surround):
    field = appearance_field(image, appearance([1.0, 2.0], [2.0], surround=surround))
    values = image[0, 0].numpy().astype(np.float64)
    variance = scipy_blur((values - scipy_blur(values, 2.0 * surround)) ** 2, 2.0)
    expected = [scipy_blur(values, 1.0), scipy_blur(values, 2.0), np.log(variance)]
    np.testing.assert_allclose(field[0], np.stack(expected), atol=1e-4)


@pytest.mark.parametrize("relative", [0.25, 1.0])
def test_a_share_of_what_a_lamp_does_to_the_whole_image_is_taken_off(image, relative):
    dimmed = 0.5 * image + 0.1
    plain, found = (
        [appearance_field(each, appearance([1.0], [2.0], relative=share))[0].numpy() for each in (image, dimmed)]
        for share in (0.0, relative)
    )
    for before, after in zip(plain, found, strict=True):
        np.testing.assert_allclose(after, before - relative * before.mean(axis=(1, 2), keepdims=True), atol=1e-5)
    np.testing.assert_allclose((found[1] - found[0])[1], (1 - relative) * 2 * np.log(0.5), atol=1e-3)  # of the variance


def test_a_flat_image_has_a_finite_variance():
    field = appearance_field(torch.full((1, 1, 20, 20), 0.7), appearance([1.0], [2.0]))
    assert torch.isfinite(field).all()


def test_colour_keeps_both_planes_apart():
    chroma = torch.randn(1, 2, 20, 20, generator=torch.Generator().manual_seed(1))
    field = colour_field(chroma, ColourConfig(blurs=[0.0, 2.0]))
    torch.testing.assert_close(field[:, :2], chroma)
    np.testing.assert_allclose(field[0, 3], scipy_blur(chroma[0, 1].numpy(), 2.0), atol=1e-5)
