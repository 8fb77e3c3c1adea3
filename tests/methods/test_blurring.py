"""A blur is SciPy's, on small and on large images, in float32 and float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from radar.methods.parts.blurring import blurred


@pytest.mark.parametrize("shape", [(1, 1, 100, 100), (2, 3, 40, 90), (1, 2, 7, 5), (1, 1, 330, 50)], ids=str)
@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.5, 8.0])
def test_a_blur_is_scipys(shape: tuple[int, ...], sigma: float) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    reach = int(np.ceil(3 * sigma))
    expected = gaussian_filter(values, (0, 0, sigma, sigma), mode="nearest", radius=(0, 0, reach, reach))
    maps = torch.from_numpy(values)
    assert torch.allclose(blurred(maps, sigma), torch.from_numpy(expected), atol=1e-6)  # kornia's weights are float32
    assert torch.allclose(blurred(maps.float(), sigma).double(), torch.from_numpy(expected), atol=1e-6)


def test_no_blur_is_the_map_itself() -> None:
    maps = torch.randn(1, 1, 8, 8)
    assert blurred(maps, 0.0) is maps


def test_a_constant_stays_as_it_is() -> None:
    assert torch.allclose(blurred(torch.full((1, 1, 30, 400), 3.0), 4.0), torch.tensor(3.0), atol=1e-6)
