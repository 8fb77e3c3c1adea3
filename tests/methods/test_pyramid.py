"""Pyramids by hand: means of squares, maps brought back as torch interpolates them, and sizes that cannot be halved."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from radar.methods.parts.pyramid import at_all_levels, continued, doubled, enlarged, level_count, pyramid, size_at
from radar.rasters import Rasters

SIZES = ((24, 36), (25, 31), (64, 9), (4, 4))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("sizes", "least_side", "levels"),
    [
        (((100, 100),), 48, 2), (((100, 100),), 51, 1), (((100, 100),), 25, 3), (((256, 4096),), 48, 3), (((200, 300),), 50, 3),
        (((256, 256), (96, 500)), 48, 2), (((256, 256), (95, 500)), 48, 1), (((20, 20),), 48, 1), (((256, 256),), None, 1),
    ],
)  # fmt: skip
def test_scales_are_all_at_which_the_shortest_side_is_long_enough(sizes, least_side, levels):
    assert level_count(sizes, least_side) == levels


@pytest.mark.parametrize("size", SIZES)
def test_each_pixel_is_the_mean_of_a_square_of_what_can_be_halved(size):
    images, levels = noise(2, 3, *size), 3
    scales = pyramid(images, levels)
    assert [tuple(scale.shape[2:]) for scale in scales] == [size_at(size, level, levels) for level in range(levels)]
    assert scales[0] is images
    height, width = (side - side % 4 for side in size)
    for level, scale in enumerate(scales[1:], start=1):
        side = 2**level
        blocks = images[..., :height, :width].unfold(2, side, side).unfold(3, side, side)
        torch.testing.assert_close(scale, blocks.mean(dim=(-2, -1)))


@pytest.mark.parametrize("size", [(3, 40), (40, 2), (1, 1)])
def test_a_side_too_short_to_be_halved_is_continued(size):
    images = noise(1, 2, *size)
    scales = pyramid(images, 3)
    assert scales[0] is images and [tuple(each.shape[2:]) for each in scales] == [
        size_at(size, each, 3) for each in range(3)
    ]
    reached = continued(images, [max(side, 4) for side in size])[
        ..., : max(4, size[0] // 4 * 4), : max(4, size[1] // 4 * 4)
    ]
    torch.testing.assert_close(scales[2], F.avg_pool2d(reached, 4))
    assert enlarged(scales[2][:, :1], 2, size).shape == (1, 1, *size)


def test_a_map_goes_on_as_it_ends():
    maps = noise(2, 1, 4, 6)
    found = continued(maps, (5, 9))
    assert torch.equal(found[..., :4, :6], maps) and found.shape == (2, 1, 5, 9)
    assert torch.equal(found[..., 4:, :6], maps[..., 3:, :])
    assert torch.equal(found[..., 6:], found[..., 5:6].expand(-1, -1, -1, 3))
    assert torch.equal(continued(maps, (4, 6)), maps)


def test_one_scale_is_the_image_itself():
    images = noise(1, 1, 7, 5)
    (scale,) = pyramid(images, 1)
    assert scale is images


@pytest.mark.parametrize("size", [(6, 9), (1, 5), (2, 2)])
def test_a_map_is_doubled_as_torch_interpolates_it(size):
    maps = noise(2, 1, *size)
    expected = F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(doubled(maps), expected)


@pytest.mark.parametrize("size", SIZES)
def test_a_ramp_of_a_coarse_scale_lies_where_it_lay(size):
    rows, columns = torch.meshgrid(*(torch.arange(side, dtype=torch.float32) for side in size), indexing="ij")
    ramp, levels = (rows + 0.5 * columns)[None, None], 2
    found = enlarged(pyramid(ramp, levels)[1], 1, size)
    assert found.shape == ramp.shape
    inside = (..., slice(1, size[0] - 3), slice(1, size[1] - 3))  # a ramp ends at the border
    torch.testing.assert_close(found[inside], ramp[inside])


def test_images_of_any_sizes_at_all_scales_follow_each_other():
    images = [noise(2, *size) for size in SIZES]
    found = at_all_levels(Rasters.joined(images), 2)
    expected = [scale[0] for image in images for scale in pyramid(image[None], 2)]
    assert len(found) == 2 * len(SIZES) and all(map(torch.equal, found, expected))
    whole = Rasters.joined(images)
    assert at_all_levels(whole, 1) is whole
