"""The two features, against sliding windows written out in NumPy and planted squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radar.scoring.features import FEATURE_NAMES, features, local_energy


@pytest.mark.parametrize(
    ("height", "width", "window"),
    [(9, 12, 1), (9, 12, 4), (12, 9, 9), (5, 5, 5)],
    ids=["pixel", "even", "as-wide-as-the-map", "whole"],
)
def test_features_are_those_of_brute_force(height, width, window):
    maps = np.random.default_rng(0).normal(size=(3, height, width)).astype(np.float32)
    energy = np.array(
        [
            [
                [(image[y : y + window, x : x + window].astype(float) ** 2).sum() for x in range(width - window + 1)]
                for y in range(height - window + 1)
            ]
            for image in maps
        ]
    )
    np.testing.assert_allclose(local_energy(torch.from_numpy(maps), window).numpy(), energy, rtol=1e-5)
    expected = np.stack([np.linalg.norm(maps, axis=(1, 2)), np.sqrt(energy.max(axis=(1, 2)))], axis=1)
    np.testing.assert_allclose(features(torch.from_numpy(maps), window).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("corner", [(0, 0), (3, 6), (15, 15)], ids=["first-corner", "inside", "last-corner"])
def test_a_planted_square_has_its_known_norms(corner):
    top, left = corner
    image = torch.zeros(1, 20, 20)
    image[0, top : top + 5, left : left + 5] = 3.0
    image[0, 10, 2] = 1.0  # far from every square's window
    found = features(image, 5)
    torch.testing.assert_close(found, torch.tensor([[226.0**0.5, 15.0]]))  # √(25·9 + 1); 3·5
    torch.testing.assert_close(features(image, 4)[0, 1], torch.tensor(12.0))


def test_a_window_of_the_whole_map_makes_local_global():
    found = features(torch.rand(4, 8, 8), 8)
    torch.testing.assert_close(found[:, 0], found[:, 1])


def test_local_grows_with_the_window_and_stays_below_global():
    maps = torch.randn(5, 16, 16)
    norms = torch.stack([features(maps, window)[:, 1] for window in (1, 2, 5, 11, 16)])
    assert (norms.diff(dim=0) >= -1e-6).all()
    assert (norms <= features(maps, 1)[:, 0] + 1e-5).all()
    torch.testing.assert_close(norms[0], maps.abs().amax(dim=(1, 2)))


def test_columns_are_named():
    assert FEATURE_NAMES == ("global_norm", "local_norm")
