"""A blur is SciPy's, on small and on large images, in float32 and float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from radar.methods.parts import blurring
from radar.methods.parts.blurring import blurred


@pytest.mark.parametrize("shape", [(1, 1, 100, 100), (2, 3, 40, 90), (1, 2, 7, 5), (1, 1, 330, 50)], ids=str)
@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.5, 8.0])
def test_a_blur_is_scipys(shape: tuple[int, ...], sigma: float) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    reach = int(np.ceil(3 * sigma))
    expected = gaussian_filter(values, (0, 0, sigma, sigma), mode="nearest", radius=(0, 0, reach, reach))
    maps = torch.from_numpy(values)
    torch.testing.assert_close(blurred(maps, sigma), torch.from_numpy(expected))
    assert torch.allclose(blurred(maps.float(), sigma).double(), torch.from_numpy(expected), atol=1e-6)


@pytest.mark.parametrize("rows", [1, 7, 100, 329, 400])
@pytest.mark.parametrize("sigma", [1.0, 8.0])
def test_a_blur_in_bands_of_rows_is_scipys(monkeypatch: pytest.MonkeyPatch, rows: int, sigma: float) -> None:
    monkeypatch.setattr(blurring, "_BAND", rows * 50)
    values = np.random.default_rng(1).normal(size=(330, 50))
    expected = gaussian_filter(values, sigma, mode="nearest", radius=int(3 * sigma))
    torch.testing.assert_close(blurred(torch.from_numpy(values)[None, None], sigma)[0, 0], torch.from_numpy(expected))


def test_no_blur_is_the_map_itself() -> None:
    maps = torch.randn(1, 1, 8, 8)
    assert blurred(maps, 0.0) is maps


def test_a_constant_stays_as_it_is() -> None:
    assert torch.allclose(blurred(torch.full((1, 1, 30, 400), 3.0), 4.0), torch.tensor(3.0), atol=1e-6)
