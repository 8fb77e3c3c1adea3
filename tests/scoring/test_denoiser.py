"""The network over whole images: the forward step by hand, windows, tiles, and passes of bounded size."""

from __future__ import annotations

import math

import pytest
import torch
from network_builders import diffusion_config, random_unet

from radar.diffusion.schedule import build_schedule
from radar.scoring.denoiser import Denoiser, Windows

ALPHA_BAR = {1: 1 - 1e-4, 2: (1 - 1e-4) * (1 - 1e-4 - 0.0199 / 999)}  # of the paper's schedule
FIELDS = pytest.mark.parametrize("field", ["whole", "stitched"])
COMPACT = {"kind": "compact", "channels": [8, 16], "attention_levels": [1], "fold": 2}


class Shifted(torch.nn.Module):
    """Predicts x + t and remembers the passes."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[torch.Size] = []

    def forward(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        assert timestep.shape == (len(x),)
        self.passes.append(x.shape)
        return x + timestep.view(-1, 1, 1, 1)


def denoiser(network: torch.nn.Module, *, patch_size: int = 8, **changes) -> Denoiser:
    windows = {"field": "whole", "stride": 4, "micro_batch": 4, "tile": 64} | changes
    return Denoiser(network, build_schedule(diffusion_config()), Windows(patch_size=patch_size, **windows))


@torch.inference_mode()
def predicted(network: torch.nn.Module, images: torch.Tensor, *, timestep: int = 1, **changes) -> torch.Tensor:
    return denoiser(network, **changes)(images, timestep)


def pictures(count: int = 3, height: int = 20, width: int = 17, channels: int = 1) -> torch.Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("timestep", [1, 2])
def test_the_forward_step_by_hand(timestep):
    images, noise, under_test = pictures(), torch.randn(3, 1, 20, 17), denoiser(Shifted())
    scaled = math.sqrt(ALPHA_BAR[timestep]) * images
    torch.testing.assert_close(under_test.scaled(images, timestep), scaled)
    expected = scaled + math.sqrt(1 - ALPHA_BAR[timestep]) * noise
    torch.testing.assert_close(under_test.noised(images, noise, timestep), expected, atol=1e-6, rtol=1e-5)


@FIELDS
@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_windows_of_what_a_pixel_tells_alone_make_the_whole(field, channels):
    images = pictures(channels=channels)
    torch.testing.assert_close(predicted(Shifted(), images, timestep=37, field=field), images + 37)


@pytest.mark.parametrize(
    ("field", "micro_batch", "images", "expected"),
    [
        ("stitched", 5, 1, [5, 5, 2]),  # twelve windows of 8 px on 20 × 14 px: at 0, 4, 8, 12 and at 0, 4, 6
        ("stitched", 64, 1, [12]),
        ("stitched", 1, 1, [1] * 12),
        ("stitched", 8, 3, [6] * 6),  # two windows of each image
        ("stitched", 2, 3, [3] * 12),  # never less than one of each
        ("whole", 64, 3, [3]),
    ],
)
def test_a_pass_holds_at_most_the_micro_batch(field, micro_batch, images, expected):
    network = Shifted()
    predicted(network, pictures(images, 20, 14), field=field, micro_batch=micro_batch)
    assert [shape[0] for shape in network.passes] == expected
    assert {shape[2:] for shape in network.passes} == {(8, 8) if field == "stitched" else (20, 14)}


@FIELDS
def test_neither_micro_batches_nor_images_that_share_a_pass_change_more_than_the_last_bits(field):
    images, unet = pictures(5, 24, 20), random_unet()
    expected = torch.cat([predicted(unet, image[None], patch_size=12, field=field, micro_batch=64) for image in images])
    assert expected.std() > 0.05
    for size in (16, 7, 1):
        found = predicted(unet, images, patch_size=12, field=field, micro_batch=size)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_images_and_global_generator_stay_as_they_were_and_nothing_drops_out():
    images, unet = pictures(1), random_unet(dropout=0.5).train()
    before, state = images.clone(), torch.random.get_rng_state()
    first, again = (predicted(unet, images) for _ in range(2))
    assert torch.equal(images, before) and torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(first, again) and first.dtype == torch.float32


def test_whole_is_stitched_with_one_window():
    images, unet = pictures(1, 16, 16), random_unet()
    whole, stitched = (predicted(unet, images, patch_size=16, field=field) for field in ("whole", "stitched"))
    assert torch.equal(whole, stitched)


def test_stitched_is_the_blend_of_windows_scored_alone():
    """Two windows of 8 px at 0 and 4 over 12 px, blended by hand in the middle column."""
    image, unet = pictures(1, 8, 12), random_unet()
    found = predicted(unet, image, field="stitched")[0, 0]
    with torch.inference_mode():
        left, right = (unet(image[..., start : start + 8], torch.tensor([1]))[0, 0] for start in (0, 4))
    torch.testing.assert_close(found[:, :4], left[:, :4], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[:, 8:], right[:, 4:], atol=1e-5, rtol=1e-5)
    weights = [math.sin(math.pi * (place + 0.5) / 8) ** 2 for place in (6, 2)]  # of column 6 in either window
    blended = (weights[0] * left[:, 6] + weights[1] * right[:, 2]) / sum(weights)
    torch.testing.assert_close(found[:, 6], blended, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(130, 97), (64, 150), (40, 44)])
def test_tiles_give_the_map_of_one_pass(height, width):
    images, unet = pictures(2, height, width), random_unet(patch_size=14, **COMPACT)
    one_pass = predicted(unet, images, patch_size=14, tile=1000)
    assert one_pass.std() > 0.05
    for tile in (28, 60):
        torch.testing.assert_close(predicted(unet, images, patch_size=14, tile=tile), one_pass, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("fold", "blocks", "attention_levels", "patch_size", "height"),
    [(4, 1, [], 24, 97), (2, 2, [], 20, 121), (4, 2, [0], 20, 121)],
)
def test_a_tile_that_is_less_than_a_fold_gives_the_map_of_one_pass(fold, blocks, attention_levels, patch_size, height):
    changes = {"channels": [16], "fold": fold, "blocks": blocks, "attention_levels": attention_levels}
    images, unet = pictures(1, height, height + 2), random_unet(patch_size=patch_size, **COMPACT | changes)
    one_pass, tiled = (predicted(unet, images, patch_size=patch_size, tile=tile) for tile in (1000, 60))
    assert one_pass.std() > 0.05
    torch.testing.assert_close(tiled, one_pass, atol=1e-5, rtol=1e-5)


def test_tiles_bound_the_pixels_of_a_pass():
    network, sides = random_unet(patch_size=14, **COMPACT), list[int]()
    network.register_forward_pre_hook(lambda module, inputs: sides.extend(inputs[0].shape[-2:]))
    predicted(network, pictures(1, 200, 150), patch_size=14, tile=64)
    assert len(sides) == 2 * 4 * 3
    assert max(sides) <= 64 + 2 * (network.halo + network.grid)
