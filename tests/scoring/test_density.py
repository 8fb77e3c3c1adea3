"""The density of residual fields, against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from network_builders import random_unet
from radar.scoring.density import DensityMapper, GaussianDensity, ResidualField, fit_density
from radar.scoring.noise_map import NoiseMapper
from scipy.spatial.distance import mahalanobis
from scoring_builders import names, scoring_config

from radar.diffusion.schedule import NoiseSchedule, linear_betas
from radar.errors import RunError

SCHEDULE = NoiseSchedule(linear_betas(100, first=1e-4, last=0.02))


def residual_field(timesteps=(1, 20), blurs=(0.0, 1.0)) -> ResidualField:
    scoring, unet = scoring_config(draws=0, field="whole", edge="none"), random_unet()
    mappers = [NoiseMapper(unet, SCHEDULE, scoring=scoring, timestep=t, patch_size=8, seed=0) for t in timesteps]
    return ResidualField(mappers, blurs)


def images(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(seed)) * 0.3


def test_the_field_stacks_the_maps_of_each_timestep_at_each_blur():
    field = residual_field()
    batch = images(2)
    stacked = field(batch, names(2))
    assert stacked.shape == (2, 4, 16, 16)
    for index, mapper in enumerate(field.mappers):
        assert torch.equal(stacked[:, index : index + 1], mapper(batch, names(2)))
    assert (stacked[:, 2:].var(dim=(2, 3)) < stacked[:, :2].var(dim=(2, 3))).all()


def test_the_distance_is_that_of_scipy_under_the_covariance_of_numpy():
    field, batch, ridge = residual_field(), images(5), 1e-3
    density = fit_density(field, batch, names(5), ridge=ridge)
    stacked = field(batch, names(5))
    pixels = stacked.permute(0, 2, 3, 1).reshape(-1, 4).double().numpy()
    covariance = np.cov(pixels.T, bias=True)
    inverse = np.linalg.inv(covariance + ridge * np.diag(covariance).mean() * np.eye(4))
    distance = density.distance(stacked)
    assert distance.shape == (5, 1, 16, 16)
    for image, row, column in ((0, 0, 0), (4, 3, 15), (2, 8, 7)):
        expected = mahalanobis(stacked[image, :, row, column].double().numpy(), pixels.mean(axis=0), inverse) / 2
        assert distance[image, 0, row, column].item() == pytest.approx(expected, rel=1e-4)


def test_normal_pixels_lie_at_a_mean_square_distance_of_one():
    field, batch = residual_field(blurs=(0.0,)), images(6)
    density = fit_density(field, batch, names(6), ridge=1e-9)
    assert density.distance(field(batch, names(6))).square().mean().item() == pytest.approx(1, abs=1e-3)


def test_a_map_does_not_depend_on_the_other_images_of_its_batch():
    field, batch = residual_field(), images(5)
    mapper = DensityMapper(field, fit_density(field, batch, names(5), ridge=1e-3))
    alone = torch.cat([mapper(batch[index : index + 1], [name]) for index, name in enumerate(names(5))])
    assert torch.equal(mapper(batch, names(5)), alone)


def test_a_planted_patch_is_the_least_likely_place():
    field, normal = residual_field(), images(8)
    mapper = DensityMapper(field, fit_density(field, normal, names(8), ridge=1e-3))
    test = images(1, seed=9)
    test[..., 5:9, 6:10] += 3.0
    row, column = divmod(mapper(test, ["planted"]).argmax().item(), 16)
    assert 3 <= row <= 10 and 4 <= column <= 11


def test_arrays_make_the_same_density_again():
    density = fit_density(residual_field(), images(3), names(3), ridge=1e-3)
    field = torch.randn(1, 4, 5, 5)
    assert torch.equal(GaussianDensity.from_arrays(density.arrays()).distance(field), density.distance(field))


@pytest.mark.parametrize(
    "change",
    [{"mean": np.zeros(3)}, {"whitening": np.full((4, 4), np.nan)}, {"mean": np.zeros((4, 1))}],
    ids=["sizes", "nan", "dimensions"],
)
def test_damaged_arrays_are_one_line(change):
    density = fit_density(residual_field(), images(3), names(3), ridge=1e-3)
    with pytest.raises(RunError, match="damaged"):
        GaussianDensity.from_arrays(density.arrays() | change)


def test_maps_that_do_not_vary_are_one_line():
    with pytest.raises(RunError, match="do not vary"):
        GaussianDensity.of_moments(10, torch.zeros(2).double(), torch.zeros(2, 2).double(), ridge=1e-3)
