"""The noise map: the forward step by hand, noise that belongs to an image, and bits that depend on nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from network_builders import diffusion_config, random_unet
from radar.scoring.noise_map import NoiseMapper
from scoring_builders import names, scoring_config

from radar.diffusion.schedule import build_schedule
from radar.seeds import generator

SEED = 11
ALPHA_BAR = {1: 1 - 1e-4, 2: (1 - 1e-4) * (1 - 1e-4 - 0.0199 / 999)}  # of the paper's schedule


class Scaled(torch.nn.Module):
    """Predicts k·x + t and remembers the passes."""

    def __init__(self, k: float = 1.0, *, add_timestep: bool = False) -> None:
        super().__init__()
        self.k = k
        self.add_timestep = add_timestep
        self.passes: list[torch.Size] = []

    def forward(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        assert timestep.shape == (len(x),)
        self.passes.append(x.shape)
        predicted = self.k * x
        return predicted + timestep.view(-1, 1, 1, 1) if self.add_timestep else predicted


def mapper(network=None, *, timestep=1, patch_size=8, seed=SEED, **scoring) -> NoiseMapper:
    return NoiseMapper(
        network or Scaled(),
        build_schedule(diffusion_config()),
        scoring=scoring_config(**scoring),
        timestep=timestep,
        patch_size=patch_size,
        seed=seed,
    )


def pictures(count: int = 3, height: int = 20, width: int = 17, channels: int = 1) -> torch.Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def drawn(identity: str, draw: int, shape: torch.Size, seed: int = SEED) -> torch.Tensor:
    return torch.randn(shape, generator=generator("cpu", seed, "scoring", identity, draw))


def noisy(images: torch.Tensor, draw: int, timestep: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    noise = torch.stack([drawn(name, draw, images.shape[1:]) for name in names(len(images))])
    signal, level = math.sqrt(ALPHA_BAR[timestep]), math.sqrt(1 - ALPHA_BAR[timestep])
    return signal * images + level * noise, noise


FIELDS = pytest.mark.parametrize("field", ["whole", "stitched"])


@FIELDS
@pytest.mark.parametrize("timestep", [1, 2])
def test_without_draws_the_scaled_image_is_scored(field, timestep):
    images = pictures()
    found = mapper(Scaled(0.3), timestep=timestep, draws=0, field=field)(images, names(3))
    expected = 0.3 * math.sqrt(ALPHA_BAR[timestep]) * images
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@FIELDS
@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_one_draw_is_one_forward_step(field, channels):
    images = pictures(channels=channels)
    found = mapper(Scaled(0.3), timestep=2, field=field)(images, names(3))
    torch.testing.assert_close(found, 0.3 * noisy(images, 0, 2)[0], atol=1e-6, rtol=1e-5)


@FIELDS
@pytest.mark.parametrize("kind", ["prediction", "residual"])
def test_draws_are_averaged(field, kind):
    images = pictures()
    found = mapper(Scaled(0.3), draws=3, field=field, map=kind)(images, names(3))
    singles = []
    for draw in range(3):
        x, noise = noisy(images, draw)
        singles.append(0.3 * x - (noise if kind == "residual" else 0))
    torch.testing.assert_close(found, torch.stack(singles).mean(dim=0), atol=2e-6, rtol=1e-5)


def test_the_network_is_told_the_timestep():
    images = pictures()
    found = mapper(Scaled(0.0, add_timestep=True), timestep=37)(images, names(3))
    torch.testing.assert_close(found, torch.full_like(images, 37.0))


def test_noise_is_a_function_of_seed_and_identity():
    images = pictures(1).expand(4, -1, -1, -1)
    under_test = mapper(field="whole")
    a, b, again, c = under_test(images, ["a", "b", "a", "c"])
    assert torch.equal(a, again)
    assert not torch.equal(a, b) and not torch.equal(b, c)
    assert not torch.equal(a, mapper(seed=SEED + 1, field="whole")(images[:1], ["a"])[0])


def test_without_draws_neither_seed_nor_identity_matters():
    images = pictures(1)
    assert torch.equal(mapper(draws=0)(images, ["a"]), mapper(draws=0, seed=99)(images, ["b"]))


@pytest.mark.parametrize(
    ("field", "micro_batch", "expected"),
    [
        ("stitched", 5, [5, 5, 2] * 3),  # twelve windows of 8 px on 20 × 14 px: at 0, 4, 8, 12 and at 0, 4, 6
        ("stitched", 64, [12] * 3),
        ("stitched", 1, [1] * 36),
        ("whole", 64, [1] * 3),
    ],
)
def test_a_pass_holds_at_most_the_micro_batch_of_one_image(field, micro_batch, expected):
    network = Scaled()
    mapper(network, field=field, micro_batch=micro_batch)(pictures(3, 20, 14), names(3))
    assert [shape[0] for shape in network.passes] == expected
    assert {shape[2:] for shape in network.passes} == {(8, 8) if field == "stitched" else (20, 14)}


def test_images_and_global_generator_stay_as_they_were():
    images = pictures()
    before, state = images.clone(), torch.random.get_rng_state()
    found = mapper(random_unet(dropout=0.5).train())(images, names(3))
    assert torch.equal(images, before) and torch.equal(state, torch.random.get_rng_state())
    assert found.shape == images.shape and found.dtype == torch.float32


@pytest.fixture(params=[1, 3], ids=["one-thread", "three-threads"])
def _threads(request) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize(
    ("field", "side", "patch", "micro_batch"),
    [
        ("stitched", 22, 14, 64),
        ("stitched", 22, 14, 5),
        ("stitched", 44, 33, 3),  # large maps: GroupNorm then splits one map among threads
        ("whole", 17, 14, 64),
        ("whole", 40, 28, 12),
    ],
    ids=["stitched", "stitched-odd", "stitched-large", "whole", "whole-large"],
)
def test_bits_do_not_depend_on_the_other_images(field, side, patch, micro_batch):
    images = pictures(7, side, side)
    under_test = mapper(
        random_unet(), timestep=10, patch_size=patch, field=field, stride=patch // 2, micro_batch=micro_batch
    )
    together = under_test(images, names(7))
    assert together.std() > 0.05
    for size in (1, 2, 5):
        parts = [under_test(images[i : i + size], names(7)[i : i + size]) for i in range(0, 7, size)]
        assert torch.equal(torch.cat(parts), together), f"batches of {size}"
    order = [4, 0, 6, 2, 5, 1, 3]
    assert torch.equal(under_test(images[order], [names(7)[i] for i in order]), together[order])


@FIELDS
def test_micro_batches_of_any_size_agree(field):
    images = pictures(2, 24, 24)
    unet = random_unet()
    first, *others = (
        mapper(unet, patch_size=12, field=field, micro_batch=size)(images, names(2)) for size in (64, 16, 7, 1)
    )
    for other in others:
        torch.testing.assert_close(other, first, atol=1e-5, rtol=1e-5)


def test_whole_is_stitched_with_one_window():
    images = pictures(3, 16, 16)
    unet = random_unet()
    whole, stitched = (mapper(unet, patch_size=16, field=field)(images, names(3)) for field in ("whole", "stitched"))
    assert torch.equal(whole, stitched)


def test_stitched_is_the_blend_of_windows_scored_alone():
    """Two windows of 8 px at 0 and 4 over 12 px, blended by hand in the middle column."""
    image = pictures(1, 8, 12)
    unet = random_unet()
    found = mapper(unet, draws=0, patch_size=8, stride=4)(image, names(1))[0, 0]
    scaled = math.sqrt(ALPHA_BAR[1]) * image
    with torch.inference_mode():
        left, right = (unet(scaled[..., start : start + 8], torch.tensor([1]))[0, 0] for start in (0, 4))
    torch.testing.assert_close(found[:, :4], left[:, :4], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[:, 8:], right[:, 4:], atol=1e-5, rtol=1e-5)
    weights = [math.sin(math.pi * (place + 0.5) / 8) ** 2 for place in (6, 2)]  # of column 6 in either window
    blended = (weights[0] * left[:, 6] + weights[1] * right[:, 2]) / sum(weights)
    torch.testing.assert_close(found[:, 6], blended, atol=1e-5, rtol=1e-5)


COMPACT = {"kind": "compact", "channels": [8, 16], "attention_levels": [1], "fold": 2}


@pytest.mark.parametrize(("height", "width"), [(130, 97), (64, 300), (40, 44)])
@pytest.mark.parametrize("tile", [28, 60, 100])
def test_tiles_give_the_map_of_one_pass(height, width, tile):
    images, unet = pictures(2, height, width), random_unet(patch_size=14, **COMPACT)
    one_pass, tiled = (
        mapper(unet, patch_size=14, draws=0, field="whole", tile=side)(images, names(2)) for side in (1000, tile)
    )
    assert one_pass.std() > 0.05
    torch.testing.assert_close(tiled, one_pass, atol=1e-5, rtol=1e-5)


def test_tiles_bound_the_pixels_of_a_pass():
    network = random_unet(patch_size=14, **COMPACT)
    sides: list[int] = []
    network.register_forward_pre_hook(lambda module, inputs: sides.extend(inputs[0].shape[-2:]))
    mapper(network, patch_size=14, draws=0, field="whole", tile=64)(pictures(1, 400, 300), names(1))
    assert len(sides) == 2 * 7 * 5
    assert max(sides) <= 64 + 2 * (network.halo + network.grid)


@FIELDS
@pytest.mark.parametrize("size", [2, 3, 16])
def test_images_that_share_a_pass_agree_with_images_alone(field, size):
    images = pictures(5, 24, 20)
    unet = random_unet()
    alone, together = (
        mapper(unet, patch_size=12, field=field, images_per_pass=count)(images, names(5)) for count in (1, size)
    )
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_images_per_pass_are_that_many():
    network = Scaled()
    mapper(network, field="whole", images_per_pass=2)(pictures(5), names(5))
    assert [shape[0] for shape in network.passes] == [2, 2, 1]
