"""How far a texture resembles itself: against what is known of smoothed noise, whatever the direction, the light and the contrast."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from radar.data.correlation_length import correlation_length

LIGHT = 81


def texture(seed: int, *, across: float, along: float, angle: float = 0.0, side: int = 200) -> np.ndarray:
    """Noise smoothed with two widths, px, and turned by an angle in degrees; of unit variance."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(2 * side, 2 * side)), (across, along))
    turned = ndimage.rotate(smooth, angle, reshape=False, order=3) if angle else smooth
    middle = turned[side // 2 : side // 2 + side, side // 2 : side // 2 + side]
    return np.asarray((middle - middle.mean()) / middle.std(), np.float32)


@pytest.mark.parametrize("width", [1.0, 1.7, 3.0])
def test_it_is_that_of_smoothed_noise(width):
    # noise smoothed by a Gaussian has the autocorrelation exp(-r² / 4σ²)
    found = [correlation_length(texture(seed, across=width, along=width), LIGHT) for seed in range(5)]
    assert np.median(found) == pytest.approx(2 * width * math.sqrt(math.log(2)), rel=0.1)


@pytest.mark.parametrize("angle", [30.0, 45.0, 80.0, 90.0, 135.0])
def test_the_finest_direction_decides_however_the_camera_is_turned(angle):
    straight = np.median([correlation_length(texture(seed, across=1.5, along=8.0), LIGHT) for seed in range(5)])
    turned = [correlation_length(texture(seed, across=1.5, along=8.0, angle=angle), LIGHT) for seed in range(5)]
    assert straight == pytest.approx(2 * 1.5 * math.sqrt(math.log(2)), rel=0.1)
    assert np.median(turned) == pytest.approx(straight, rel=0.1)


def test_light_level_and_contrast_change_nothing():
    picture = texture(3, across=2.0, along=2.0)
    own = correlation_length(picture, 31)
    lamp = 20 * np.linspace(0, 1, picture.shape[1], dtype=np.float32) ** 2
    assert correlation_length(picture + lamp, 31) == pytest.approx(own, rel=0.1)
    assert correlation_length(0.05 * picture + 0.4, 31) == pytest.approx(own, abs=0.125)
    assert correlation_length(picture.T.copy(), 31) == pytest.approx(own, rel=0.1)


def test_a_plain_picture_has_none():
    assert math.isnan(correlation_length(np.full((40, 60), 0.3, np.float32), 31))
    assert math.isnan(correlation_length(np.zeros((1, 1), np.float32), 31))


def test_of_a_large_picture_the_middle_is_looked_at():
    fine, coarse = (texture(1, across=width, along=width, side=400) for width in (1.0, 4.0))
    framed = coarse.copy()
    framed[40:360, 40:360] = fine[40:360, 40:360]
    assert correlation_length(framed, 31) == pytest.approx(correlation_length(fine, 31), abs=0.125)


def test_what_is_longer_than_is_looked_at_has_the_furthest_distance():
    assert correlation_length(texture(0, across=40.0, along=40.0), 13) == 13 / 4


def ring(height: int, width: int) -> np.ndarray:
    rows, columns = np.ogrid[:height, :width]
    away = np.hypot(rows - height / 2, columns - width / 2)
    return np.asarray((away > height / 5) & (away < height / 2.2))


@pytest.mark.parametrize("width", [1.0, 2.0, 3.0])
@pytest.mark.parametrize(
    "beside", [lambda: texture(9, across=0.4, along=0.4), lambda: np.full((200, 200), 3.0, np.float32)]
)
def test_of_a_region_its_own_texture_counts_whatever_lies_beside_it(width, beside):
    inside = ring(200, 200)
    found = [
        correlation_length(np.where(inside, texture(seed, across=width, along=width), beside()), LIGHT, inside)
        for seed in range(5)
    ]
    assert np.median(found) == pytest.approx(2 * width * math.sqrt(math.log(2)), rel=0.15)


def test_what_lies_beside_a_region_changes_no_bit():
    inside, picture = ring(200, 200), texture(4, across=2.0, along=2.0)
    own = correlation_length(picture, LIGHT, inside)
    assert own == correlation_length(np.where(inside, picture, 1e3).astype(np.float32), LIGHT, inside)
    assert correlation_length(picture, LIGHT, np.ones_like(inside)) == correlation_length(picture, LIGHT)


def test_a_region_in_the_corner_of_a_large_picture_is_found():
    picture, inside = texture(1, across=4.0, along=4.0, side=800), np.zeros((800, 800), dtype=np.bool_)
    picture[560:780, 20:240], inside[560:780, 20:240] = texture(2, across=1.0, along=1.0, side=220), True
    expected = correlation_length(texture(2, across=1.0, along=1.0, side=220), 31)
    assert correlation_length(picture, 31, inside) == pytest.approx(expected, abs=0.125)


def test_a_narrow_region_tells_of_its_length_alone():
    picture, inside = texture(5, across=2.0, along=2.0), np.zeros((200, 200), dtype=np.bool_)
    inside[100:102] = True
    assert correlation_length(picture, LIGHT, inside) == pytest.approx(2 * 2.0 * math.sqrt(math.log(2)), rel=0.4)


def test_a_region_of_nothing_has_none():
    assert math.isnan(
        correlation_length(texture(5, across=2.0, along=2.0), LIGHT, np.zeros((200, 200), dtype=np.bool_))
    )


def thin_ring(side: int, thickness: float) -> np.ndarray:
    rows, columns = np.ogrid[:side, :side]
    away = np.hypot(rows - side / 2, columns - side / 2)
    return np.asarray((away < side * 0.47) & (away >= side * 0.47 - thickness))


def test_a_ring_that_is_too_thin_to_be_measured_has_none() -> None:
    picture = texture(5, across=1.0, along=1.0, side=120)
    assert math.isnan(correlation_length(picture, 31, thin_ring(120, 1.0)))


def test_a_strip_between_the_blocks_of_a_large_picture_is_found() -> None:
    picture, inside = texture(1, across=2.0, along=2.0, side=800), np.zeros((800, 800), dtype=np.bool_)
    inside[401:407] = True
    assert correlation_length(picture, 31, inside) == pytest.approx(2 * 2.0 * math.sqrt(math.log(2)), rel=0.4)
