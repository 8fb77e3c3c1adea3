"""The U-Net: its parts against NumPy, its shapes, presets and initial weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_builders import random_unet, unet_config

from radar.networks.build import build_unet
from radar.networks.cost import parameter_count
from radar.networks.layers import timestep_embedding
from radar.networks.unet import SelfAttention, UNet

SIZES = [(14, 14), (28, 28), (56, 56), (25, 25), (17, 17), (31, 19)]


def attentions(unet: UNet) -> int:
    return sum(isinstance(part, SelfAttention) for part in unet.modules())


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_output_has_the_shape_of_the_input(size, channels):
    unet = random_unet(channels=[4, 8, 8], attention_levels=[2], image_channels=channels)
    with torch.inference_mode():
        predicted = unet(torch.randn(2, channels, *size), torch.tensor([1, 1000]))
    assert predicted.shape == (2, channels, *size)
    assert predicted.isfinite().all() and predicted.std() > 0.01


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_any_number_of_blocks_and_levels_fits_together(blocks):
    for levels in ([4], [4, 8], [8, 4, 8, 4]):
        unet = random_unet(channels=levels, blocks=blocks, attention_levels=[0, len(levels) - 1])
        assert unet(torch.randn(1, 1, 9, 11), torch.tensor([3])).shape == (1, 1, 9, 11)


def test_timestep_embedding_against_the_formula():
    embedding = timestep_embedding(torch.tensor([1, 10, 999]), 6).numpy()
    for row, t in zip(embedding, (1, 10, 999), strict=True):
        angles = [t / 10000 ** (k / 3) for k in range(3)]
        expected = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        np.testing.assert_allclose(row, expected, atol=1e-4)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_softmax_of_query_key_times_value(heads):
    torch.manual_seed(0)
    attention = SelfAttention(8, heads=heads, groups=2)
    torch.nn.init.normal_(attention.project.weight)
    x = torch.randn(2, 8, 3, 4)
    with torch.no_grad():
        normed = attention.norm(x).numpy().reshape(2, 8, 12)
        result = attention(x).numpy()
    weight, bias = attention.query_key_value.weight.detach().numpy()[:, :, 0, 0], attention.query_key_value.bias
    project, project_bias = attention.project.weight.detach().numpy()[:, :, 0, 0], attention.project.bias
    expected = []
    for image in normed:
        packed = weight @ image + bias.detach().numpy()[:, None]
        query, key, value = packed[:8], packed[8:16], packed[16:]
        heads_out = []
        for part in np.array_split(np.arange(8), heads):
            logits = query[part].T @ key[part] / math.sqrt(len(part))
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            heads_out.append(value[part] @ weights.T)
        expected.append(project @ np.concatenate(heads_out) + project_bias.detach().numpy()[:, None])
    np.testing.assert_allclose(result, x.numpy() + np.stack(expected).reshape(2, 8, 3, 4), atol=1e-5)


def reach(unet: UNet) -> int:
    """How far to the right, in px, an impulse at the left border moves the output; norms see all and are left out."""
    for name, part in list(unet.named_modules()):
        if isinstance(part, torch.nn.GroupNorm):
            parent, _, child = name.rpartition(".")
            setattr(unet.get_submodule(parent), child, torch.nn.Identity())
    image = torch.zeros(1, 1, 4, 96)
    image[..., 0] = 1
    with torch.inference_mode():
        changed = unet(image, torch.tensor([5])) != unet(torch.zeros_like(image), torch.tensor([5]))
    return int(changed[0, 0].any(dim=0).nonzero().max())


def test_only_attention_reaches_beyond_the_convolutions():
    near = reach(random_unet(attention_levels=[]))
    assert near < 40
    assert reach(random_unet(attention_levels=[1])) == 95


def test_presets_have_their_attention_and_are_ordered_by_size(composed):
    presets = {
        name: build_unet(composed(f"unet={name}").unet, patch_size=28, image_channels=1, seed=0)
        for name in ("small", "attention", "large", "no_attention")
    }
    # per level: one for each block down and up; and the middle
    assert [attentions(unet) for unet in presets.values()] == [3, 3, 9, 0]
    small, attention, large, _ = (parameter_count(unet) for unet in presets.values())
    assert small < 0.4 * attention and attention < large
    assert attention <= 1_000_000


def test_parameter_count_counts_by_hand():
    assert parameter_count(torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.Linear(4, 5))) == 2 * 3 * 9 + 3 + 25


def weights(seed) -> torch.Tensor:
    unet = build_unet(unet_config(), patch_size=28, image_channels=1, seed=seed)
    return torch.cat([parameter.flatten() for parameter in unet.parameters()])


def test_weights_are_a_function_of_the_seed():
    torch.manual_seed(1)
    first = weights(3)
    torch.manual_seed(2)
    assert torch.equal(first, weights(3))
    assert not torch.equal(first, weights(4))


def test_building_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    build_unet(unet_config(), patch_size=28, image_channels=1, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())
