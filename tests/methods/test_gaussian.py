"""Densities of vectors and of pixels, and those that leave a fold out: against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis

from radar.errors import RunError
from radar.methods.parts import gaussian
from radar.methods.parts.cross_fitting import Moments, cross_fitted, fold_numbers
from radar.methods.parts.gaussian import Gaussian
from radar.methods.parts.neighbourhoods import Square

RIDGE = 1e-3
FIELDS = [torch.randn(1, 3, 6, 5, generator=torch.Generator().manual_seed(index)) + index for index in range(5)]


def pixels_of(fields) -> np.ndarray:
    return np.concatenate([field[0].flatten(1).double().numpy() for field in fields], axis=1)


def squared_by_hand(pixels: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Squared distances of columns from the density of other columns."""
    covariance = np.cov(pixels, bias=True)
    covariance += RIDGE * covariance.diagonal().mean() * np.eye(len(pixels))
    deviation = vectors - pixels.mean(axis=1, keepdims=True)
    return (deviation * np.linalg.solve(covariance, deviation)).sum(axis=0)


def test_distances_are_those_of_scipy_under_the_covariance_of_numpy():
    density, pixels = Moments.of(FIELDS).gaussian(RIDGE), pixels_of(FIELDS)
    probe = torch.randn(2, 3, 4, 4)
    found = density.distance(probe)
    assert found.shape == (2, 1, 4, 4) and found.dtype == torch.float32
    covariance = np.cov(pixels, bias=True)
    inverse = np.linalg.inv(covariance + RIDGE * np.diag(covariance).mean() * np.eye(3))
    for image, row, column in ((0, 0, 0), (1, 3, 2)):
        vector = probe[image, :, row, column].double().numpy()
        expected = mahalanobis(vector, pixels.mean(axis=1), inverse) / 3**0.5
        assert found[image, 0, row, column].item() == pytest.approx(expected, rel=1e-4)
    vectors = torch.from_numpy(pixels[:, :7])
    np.testing.assert_allclose(density.squared(vectors), squared_by_hand(pixels, pixels[:, :7]), rtol=1e-9)
    np.testing.assert_allclose(density(vectors.T), squared_by_hand(pixels, pixels[:, :7]) ** 0.5, rtol=1e-9)


@pytest.mark.parametrize(("side", "spacing", "channels"), [(1, 1, 3), (3, 1, 1), (3, 3, 2), (5, 2, 1)])
def test_squares_lie_as_far_as_their_vectors(side, spacing, channels):
    generator, square = torch.Generator().manual_seed(3), Square(side, spacing)
    fields = [5 + 0.1 * torch.randn(1, channels, 17, 14, generator=generator) for _ in range(4)]
    density = Moments.of(square.vectors(field) for field in fields).gaussian(RIDGE)
    probe = 5 + 0.3 * torch.randn(2, channels, 12, 19, generator=generator)
    vectors = square.vectors(probe.double()).flatten(2)
    expected = density.squared(vectors) / vectors.shape[1]
    found = density.mean_square(probe, square)
    assert found.shape == (2, 1, 12, 19)
    torch.testing.assert_close(found.flatten(1).double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "spacing"), [(1, 1), (3, 1), (5, 3)])
def test_bands_of_rows_are_the_whole(monkeypatch, side, spacing):
    generator, square = torch.Generator().manual_seed(4), Square(side, spacing)
    density = Moments.of(square.vectors(field) for field in FIELDS).gaussian(RIDGE)
    probe = torch.randn(2, 3, 23, 19, generator=generator)
    whole = density.mean_square(probe, square)
    for pixels in (1, 19 * 4, 19 * 22):
        monkeypatch.setattr(gaussian, "_BAND", pixels)
        torch.testing.assert_close(density.mean_square(probe, square), whole)


def test_normal_pixels_lie_at_a_mean_square_distance_of_one():
    density = Moments.of(FIELDS).gaussian(1e-9)
    assert density.distance(torch.cat(FIELDS)).square().mean().item() == pytest.approx(1, abs=1e-3)


def test_a_precision_may_be_singular():
    """A direction that never varies counts for nothing under the pseudo-inverse."""
    density = Gaussian.of_precision(torch.zeros(2), torch.tensor([[0.25, 0.0], [0.0, 0.0]]))
    assert density(torch.tensor([[4.0, 9.0]]).double()).tolist() == pytest.approx([2.0])


def test_stacked_densities_are_each_their_own():
    parts = [Moments.of(FIELDS[:2]).gaussian(RIDGE), Moments.of(FIELDS[2:]).gaussian(RIDGE)]
    stacked, empty = Gaussian.stacked(parts), Gaussian.empty()
    for name, value in stacked.state_dict().items():
        empty.register_buffer(name, torch.empty_like(value))
    empty.load_state_dict(stacked.state_dict())
    for index, part in enumerate(parts):
        assert torch.equal(empty[index].distance(FIELDS[0]), part.distance(FIELDS[0]))


def test_what_does_not_vary_and_nothing_at_all_are_refused():
    with pytest.raises(RunError, match="does not vary"):
        Gaussian.of_moments(10, torch.zeros(2).double(), torch.zeros(2, 2).double(), ridge=RIDGE)
    with pytest.raises(RunError, match="on no image"):
        Moments.of([])


def test_groups_stay_together_and_fill_the_folds_evenly():
    folds = fold_numbers(["b", "a", "b", "c", "d", "e"], 3)
    assert folds[0] == folds[2]
    assert sorted(folds[index] for index in (0, 1, 3, 4, 5)) == [0, 0, 1, 1, 2]
    assert set(fold_numbers(["a", "a", "b"], 10)) == {0, 1}, "no more folds than groups"
    with pytest.raises(RunError, match="one group"):
        fold_numbers(["a", "a"], 10)


def test_each_density_is_that_of_the_other_folds_pixels():
    folds = [0, 1, 0, 2, 1]
    densities, probe = cross_fitted(FIELDS, folds, ridge=RIDGE), torch.randn(1, 3, 2, 2)
    for index, left_out in enumerate((None, 0, 1, 2)):
        kept = pixels_of(field for field, fold in zip(FIELDS, folds, strict=True) if fold != left_out)
        expected = squared_by_hand(kept, probe[0].flatten(1).numpy()) / 3
        np.testing.assert_allclose(densities[index].distance(probe).square().flatten(), expected, rtol=1e-4)
