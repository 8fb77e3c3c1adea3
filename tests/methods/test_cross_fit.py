"""Densities without one fold: against NumPy on the pixels that are left."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from radar.methods.cross_fit import CrossFit, fold_numbers

from radar.errors import RunError


def test_groups_stay_together_and_fill_the_folds_evenly():
    folds = fold_numbers(["b", "a", "b", "c", "d", "e"], 3)
    assert folds[0] == folds[2]
    assert sorted(folds[index] for index in (0, 1, 3, 4, 5)) == [0, 0, 1, 1, 2]


def test_no_more_folds_than_groups():
    assert set(fold_numbers(["a", "a", "b"], 10)) == {0, 1}


def test_one_group_alone_is_refused():
    with pytest.raises(RunError, match="one group"):
        fold_numbers(["a", "a"], 10)


def test_each_density_is_that_of_the_other_folds_pixels():
    fields = [torch.randn(1, 3, 6, 5, generator=torch.Generator().manual_seed(index)) + index for index in range(5)]
    folds, ridge = [0, 1, 0, 2, 1], 1e-3
    fit = CrossFit.of(fields, folds, ridge=ridge)
    fit = CrossFit.from_arrays(fit.arrays())
    probe = torch.randn(1, 3, 2, 2)
    for left_out in (None, 0, 1, 2):
        kept = [field[0].flatten(1).numpy() for field, fold in zip(fields, folds, strict=True) if fold != left_out]
        pixels = np.concatenate(kept, axis=1).astype(np.float64)
        covariance = np.cov(pixels, bias=True)
        covariance += ridge * covariance.diagonal().mean() * np.eye(3)
        deviation = probe[0].flatten(1).numpy() - pixels.mean(axis=1, keepdims=True)
        squared = (deviation * np.linalg.solve(covariance, deviation)).sum(axis=0) / 3
        np.testing.assert_allclose(fit.density(left_out).distance(probe).square().flatten(), squared, rtol=1e-4)
