"""Simplex noise: moments, spectrum, smoothness, and one stream for one draw."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from radar.config.method_settings import SimplexConfig
from radar.diffusion.simplex import simplex_noise
from radar.seeds import uniform


def noise(count=64, side=96, *, wavelength=12.0, octaves=1, persistence=0.8, seed=0, channels=1):
    stream = torch.Generator().manual_seed(seed)
    settings = SimplexConfig(wavelength=wavelength, octaves=octaves, persistence=persistence)
    return simplex_noise((count, channels, side, side), uniform(stream), settings)


def brute_force(draws: list[np.ndarray], side: int, wavelength: float) -> np.ndarray:
    """One octave in float64: at every px the sum over all lattice points, of which only near ones reach it."""
    (offset, angles), unskew = draws, (3 - math.sqrt(3)) / 6
    span = math.isqrt(angles.shape[1])
    lattice = np.stack(np.meshgrid(np.arange(span), np.arange(span), indexing="ij"), axis=-1).reshape(-1, 2)
    points = lattice - lattice.sum(axis=1, keepdims=True) * unskew
    field = np.zeros((len(angles), side, side))
    for index in np.ndindex(field.shape):
        place = np.array(index[1:]) / wavelength + offset[:, index[0], 0, 0]
        away = place - points
        bump = np.clip(0.5 - (away**2).sum(axis=1), 0, None) ** 4
        slope = np.sin(2 * np.pi * angles[index[0]]) * away[:, 0] + np.cos(2 * np.pi * angles[index[0]]) * away[:, 1]
        field[index] = (bump * slope).sum()
    return field


@pytest.mark.parametrize("wavelength", [3.0, 7.5])
def test_an_octave_of_numpys_draws_is_the_sum_over_the_whole_lattice(wavelength):
    """Any source of uniform draws will do: here one that torch has no part in."""
    philox, draws = np.random.Generator(np.random.Philox(4)), []

    def numpy_uniform(shape):
        draws.append(philox.random(shape, dtype=np.float32))
        return torch.from_numpy(draws[-1])

    config = SimplexConfig(wavelength=wavelength, octaves=1, persistence=0.5)
    field = simplex_noise((2, 1, 9, 9), numpy_uniform, config)[:, 0].numpy()
    expected = brute_force([each.astype(np.float64) for each in draws], 9, wavelength)
    scale = (field * expected).sum() / (expected**2).sum()
    np.testing.assert_allclose(field, scale * expected, atol=1e-3)


def radial_spectrum(fields) -> tuple[np.ndarray, np.ndarray]:
    """Total energy by frequency in cycles per px."""
    windowed = fields[:, 0].numpy() * np.outer(np.hanning(fields.shape[-1]), np.hanning(fields.shape[-1]))
    energy = (np.abs(np.fft.fft2(windowed)) ** 2).mean(axis=0)
    frequency = np.fft.fftfreq(fields.shape[-1])
    radius = np.hypot(frequency[:, None], frequency[None, :])
    edges = np.linspace(0, 0.5, 49)
    return (edges[1:] + edges[:-1]) / 2, np.histogram(radius, edges, weights=energy)[0]


@pytest.mark.parametrize("octaves", [1, 5])
@pytest.mark.parametrize("wavelength", [5.0, 24.0])
def test_mean_is_zero_and_variance_one(octaves, wavelength):
    field = noise(400, 32, octaves=octaves, wavelength=wavelength)
    assert field.mean().item() == pytest.approx(0, abs=0.05)
    assert field.var().item() == pytest.approx(1, abs=0.07)


@pytest.mark.parametrize("wavelength", [8.0, 16.0])
def test_one_octave_is_a_band_around_its_frequency(wavelength):
    frequency, energy = radial_spectrum(noise(wavelength=wavelength))
    mean = (frequency * energy).sum() / energy.sum()
    assert 0.6 / wavelength < mean < 1.4 / wavelength
    assert energy[frequency < 2.5 / wavelength].sum() / energy.sum() > 0.95


def test_an_octave_has_persistence_squared_times_the_energy():
    """Two octaves far apart: the energies of their bands are as 1 to persistence²."""
    stream, shape = torch.Generator().manual_seed(0), (64, 1, 96, 96)
    four = simplex_noise(shape, uniform(stream), SimplexConfig(wavelength=32.0, octaves=4, persistence=0.5))
    frequency, energy = radial_spectrum(four)
    share = energy[frequency < 2 / 32].sum() / energy.sum()
    amplitudes = 0.25 ** np.arange(4)
    assert share == pytest.approx(amplitudes[0] / amplitudes.sum(), abs=0.12)


def test_it_falls_off_where_white_noise_does_not():
    frequency, energy = radial_spectrum(noise(wavelength=24.0, octaves=5))
    white = torch.randn(64, 1, 96, 96, generator=torch.Generator().manual_seed(1))
    _, flat = radial_spectrum(white)
    low, high = frequency < 0.08, frequency > 0.3
    assert energy[low].sum() / energy[high].sum() > 20 * flat[low].sum() / flat[high].sum()


def test_it_is_smooth_and_isotropic():
    field = noise(200, 64, wavelength=32.0)[:, 0]
    down, right = field.diff(dim=1), field.diff(dim=2)
    assert max(down.abs().max().item(), right.abs().max().item()) < 0.5
    assert down.std().item() == pytest.approx(right.std().item(), rel=0.1)


def test_every_image_and_channel_is_a_draw_of_its_own():
    field = noise(2, 32, channels=2)
    flat = field.reshape(4, -1)
    assert (torch.corrcoef(flat) - torch.eye(4)).abs().max() < 0.6
    assert torch.equal(noise(2, 32, channels=2), field)
    assert not torch.equal(noise(2, 32, channels=2, seed=1), field)
