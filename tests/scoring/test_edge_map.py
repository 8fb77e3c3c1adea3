"""The edge map, against filters written out in NumPy and SciPy; it pins Kornia's conventions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from radar.config.schema import BlurConfig
from radar.scoring.edge_map import anomaly_map
from radar.scoring.edge_map import edge_map as edge_map_of

SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8  # a ramp of slope 1 has magnitude 1
KORNIA_FLOOR = 1e-6  # added under the root, so that the gradient of the root is finite


def edge_map(maps: torch.Tensor, kernel: int = 3, sigma: float = 1.0, edge: str = "sobel") -> torch.Tensor:
    return edge_map_of(maps, BlurConfig(kernel, sigma), edge)


def noise_map(channels: int = 1, height: int = 13, width: int = 17) -> torch.Tensor:
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(0))


def blurred(image: np.ndarray, kernel: int, sigma: float) -> np.ndarray:
    """A normalised Gaussian of `kernel` px, the image mirrored about its outermost pixels."""
    offsets = np.arange(kernel) - kernel // 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    margin = kernel // 2
    padded = np.pad(image.astype(np.float64), margin, mode="reflect")
    result = np.zeros(image.shape)
    for row, row_weight in enumerate(weights):
        for column, column_weight in enumerate(weights):
            result += row_weight * column_weight * padded[row : row + image.shape[0], column : column + image.shape[1]]
    return result


def sobel(image: np.ndarray) -> np.ndarray:
    """Magnitude of the normalised Sobel gradient, border pixels repeated."""
    gradients = [ndimage.correlate(image.astype(np.float64), kernel, mode="nearest") for kernel in (SOBEL, SOBEL.T)]
    return np.sqrt(gradients[0] ** 2 + gradients[1] ** 2 + KORNIA_FLOOR)


@pytest.mark.parametrize(("kernel", "sigma"), [(3, 0.5), (7, 1.0), (5, 3.0)], ids=["3px", "7px", "5px-wide"])
def test_blur_is_a_gaussian_with_mirrored_border(kernel, sigma):
    maps = noise_map()
    edges = edge_map(maps, kernel=kernel, sigma=sigma, edge="none")
    expected = np.stack([np.abs(blurred(image[0].numpy(), kernel, sigma)) for image in maps])
    np.testing.assert_allclose(edges.numpy(), expected, atol=1e-6)


def test_sobel_is_the_normalised_magnitude_with_repeated_border():
    maps = noise_map()
    edges = edge_map(maps, kernel=1)
    np.testing.assert_allclose(edges.numpy(), np.stack([sobel(image[0].numpy()) for image in maps]), atol=1e-6)


def test_blur_comes_before_sobel():
    maps = noise_map()
    edges = edge_map(maps, kernel=7, sigma=1.0)
    expected = np.stack([sobel(blurred(image[0].numpy(), 7, 1.0)) for image in maps])
    np.testing.assert_allclose(edges.numpy(), expected, atol=1e-6)


def test_planted_edges_have_the_known_magnitude():
    ramp = torch.arange(9.0).expand(1, 1, 6, 9)
    inside = edge_map(ramp, kernel=1)[0, 1:-1, 1:-1]
    torch.testing.assert_close(inside, torch.ones(4, 7))
    step = (torch.arange(8) >= 4).float().expand(1, 1, 6, 8)
    profile = edge_map(step, kernel=1)[0, 3]
    torch.testing.assert_close(profile, torch.tensor([0.0, 0, 0, 0.5, 0.5, 0, 0, 0]), atol=1.1e-3, rtol=0)
    torch.testing.assert_close(edge_map(torch.ones(1, 1, 5, 5)), torch.full((1, 5, 5), 1e-3))


def test_without_blur_and_edges_it_is_the_absolute_value():
    maps = noise_map()
    torch.testing.assert_close(edge_map(maps, kernel=1, edge="none"), maps[:, 0].abs())


@pytest.mark.parametrize("edge", ["sobel", "none"])
def test_colour_is_the_norm_over_channels(edge):
    maps = noise_map(channels=3)
    single = torch.stack([edge_map(maps[:, [channel]], edge=edge) for channel in range(3)]).numpy()
    np.testing.assert_allclose(edge_map(maps, edge=edge).numpy(), np.sqrt((single**2).sum(axis=0)), rtol=1e-5)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_smoothing_is_the_root_of_the_energy_under_a_gaussian(sigma):
    """SciPy's Gaussian, cut at three σ, border pixels repeated."""
    edges = noise_map()[:, 0].abs()
    expected = [
        np.sqrt(
            ndimage.gaussian_filter(edge.double().numpy() ** 2, sigma, mode="nearest", radius=int(np.ceil(3 * sigma)))
        )
        for edge in edges
    ]
    np.testing.assert_allclose(anomaly_map(edges, sigma).numpy(), np.stack(expected), atol=1e-5)


def test_without_smoothing_the_edge_map_is_the_anomaly_map():
    edges = noise_map()[:, 0].abs()
    assert anomaly_map(edges, 0.0) is edges


def test_smoothing_keeps_a_constant_map_and_works_on_maps_smaller_than_its_kernel():
    flat = torch.full((1, 5, 4), 0.7)
    torch.testing.assert_close(anomaly_map(flat, 3.0), flat)
