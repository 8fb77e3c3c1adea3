"""The patch sampler: every crop is a slice of the stack, all positions are equally frequent, so are the transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from radar.rasters import Rasters
from radar.training.crops import PatchSampler


def unique_stack(count: int, height: int, width: int, channels: int = 1) -> torch.Tensor:
    """Images whose pixels all differ, so that a crop tells where it is from."""
    return torch.arange(count * channels * height * width).view(count, channels, height, width).float()


def sampler(images: torch.Tensor, size: int, *, flips: bool = False, rotations: bool = False) -> PatchSampler:
    return PatchSampler(Rasters.of(images), size=size, flips=flips, rotations=rotations)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


DIHEDRAL = {  # transforms of a square; those of determinant +1 are the rotations
    "identity": lambda crop: crop,
    "turned 90": lambda crop: np.rot90(crop, 1),
    "turned 180": lambda crop: np.rot90(crop, 2),
    "turned 270": lambda crop: np.rot90(crop, 3),
    "up-down": np.flipud,
    "left-right": np.fliplr,
    "transposed": np.transpose,
    "anti-transposed": lambda crop: np.rot90(crop, 2).T,
}


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_crops_are_slices_of_the_stack(channels):
    images = unique_stack(3, 7, 9, channels)
    crops = sampler(images, 4).draw(200, stream())
    assert crops.shape == (200, channels, 4, 4) and crops.dtype == torch.float32
    assert crops.is_contiguous(memory_format=torch.channels_last)
    for crop in crops:
        image, rest = divmod(int(crop[0, 0, 0]), channels * 7 * 9)
        top, left = divmod(rest, 9)
        assert torch.equal(crop, images[image, :, top : top + 4, left : left + 4])


@pytest.mark.parametrize(
    ("count", "height", "width", "size"),
    [(3, 6, 8, 3), (1, 5, 5, 4), (4, 5, 5, 5), (2, 3, 4, 1)],
    ids=["rectangle", "four-places", "whole-image", "single-pixels"],
)
@pytest.mark.parametrize("moves", [False, True], ids=["plain", "flipped-and-turned"])
def test_every_position_of_every_image_is_equally_frequent(count, height, width, size, moves):
    under_test = sampler(unique_stack(count, height, width), size, flips=moves, rotations=moves)
    positions = count * (height - size + 1) * (width - size + 1)
    draws = 300 * positions
    corner = under_test.draw(draws, stream()).amin(dim=(1, 2, 3)).long().numpy()
    frequency = np.bincount(corner, minlength=count * height * width).reshape(count, height, width)
    reachable = frequency[:, : height - size + 1, : width - size + 1]
    assert positions == reachable.size
    assert reachable.sum() == draws and (reachable > 0).all()
    if reachable.size > 1:
        assert stats.chisquare(reachable.ravel()).pvalue > 1e-4


@pytest.mark.parametrize(
    ("flips", "rotations", "expected"),
    [
        (False, False, {"identity"}),
        (True, False, {"identity", "turned 180", "up-down", "left-right"}),
        (False, True, {"identity", "turned 90", "turned 180", "turned 270"}),
        (True, True, set(DIHEDRAL)),
    ],
    ids=["none", "flips", "rotations", "both"],
)
@pytest.mark.parametrize("size", [2, 3], ids=["even", "odd"])
def test_transforms_are_the_named_ones_equally_often(flips, rotations, expected, size):
    original = unique_stack(1, size, size)
    crops = sampler(original, size, flips=flips, rotations=rotations).draw(4000, stream()).numpy()[:, 0]
    frequency = {
        name: int((crops == transform(original[0, 0].numpy())).all(axis=(1, 2)).sum())
        for name, transform in DIHEDRAL.items()
    }
    assert {name for name, times in frequency.items() if times} == expected
    assert sum(frequency.values()) == 4000
    if len(expected) > 1:
        assert stats.chisquare([frequency[name] for name in sorted(expected)]).pvalue > 1e-4


def test_a_transform_moves_all_channels_together():
    images = unique_stack(1, 4, 4, 3)
    for crop in sampler(images, 4, flips=True, rotations=True).draw(20, stream()):
        assert torch.equal(crop[1] - crop[0], torch.full((4, 4), 16.0))
        assert torch.equal(crop[2] - crop[0], torch.full((4, 4), 32.0))


@pytest.mark.parametrize("moves", [False, True], ids=["plain", "flipped-and-turned"])
def test_crops_are_a_function_of_the_generator_seed(moves):
    under_test = sampler(torch.randn(3, 1, 9, 9), 4, flips=moves, rotations=moves)
    first = under_test.draw(16, stream(5))
    torch.manual_seed(99)
    assert torch.equal(first, under_test.draw(16, stream(5)))
    assert not torch.equal(first, under_test.draw(16, stream(6)))


def test_moves_do_not_change_where_crops_lie():
    images = unique_stack(2, 8, 8)
    plain = sampler(images, 3).draw(50, stream(1))
    moved = sampler(images, 3, flips=True, rotations=True).draw(50, stream(1))
    assert torch.equal(plain.flatten(1).sort().values, moved.flatten(1).sort().values)
