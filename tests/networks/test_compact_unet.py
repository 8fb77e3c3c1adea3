"""The compact U-Net: its parts against NumPy, and that no output depends on more of the map than it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_builders import random_unet

from radar.networks.compact_unet import CompactUNet, WindowAttention
from radar.networks.layers import PositionNorm

COMPACT = {"kind": "compact", "channels": [8, 16], "attention_levels": [1], "fold": 2}
DEEP = {"kind": "compact", "channels": [4, 8, 8], "attention_levels": [1, 2], "fold": 2, "blocks": 2}


def compact(patch_size: int = 28, *, image_channels: int = 1, **changes) -> CompactUNet:
    unet = random_unet(patch_size=patch_size, image_channels=image_channels, **(COMPACT | changes))
    assert isinstance(unet, CompactUNet)
    return unet


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
@pytest.mark.parametrize(
    "size", [(14, 14), (28, 28), (25, 31), (57, 90), (3, 5)], ids=lambda size: f"{size[0]}x{size[1]}"
)
@pytest.mark.parametrize(
    "kind", [COMPACT, DEEP, COMPACT | {"fold": 1}, COMPACT | {"fold": 4}], ids=["two", "three", "fold1", "fold4"]
)
def test_output_has_the_shape_of_the_input(kind, size, channels):
    with torch.inference_mode():
        predicted = compact(image_channels=channels, **kind)(torch.randn(2, channels, *size), torch.tensor([1, 1000]))
    assert predicted.shape == (2, channels, *size)
    assert predicted.isfinite().all() and predicted.std() > 0.01


def test_norm_is_over_the_channels_of_one_position():
    x = torch.randn(2, 6, 3, 4)
    values = x.numpy()
    mean, variance = values.mean(axis=1, keepdims=True), values.var(axis=1, keepdims=True)
    np.testing.assert_allclose(PositionNorm()(x).numpy(), (values - mean) / np.sqrt(variance + 1e-5), atol=1e-5)


def attended_by_hand(attention: WindowAttention, window: np.ndarray) -> np.ndarray:
    """Softmax attention over the positions of one window `(C, n)`, with the layer's own weights, in NumPy."""
    channels = len(window)
    normed = (window - window.mean(axis=0)) / np.sqrt(window.var(axis=0) + 1e-5)
    packed = attention.query_key_value.weight.detach().numpy()[:, :, 0, 0] @ normed
    packed += attention.query_key_value.bias.detach().numpy()[:, None]
    heads_out = []
    for part in np.array_split(np.arange(channels), attention.heads):
        query, key, value = (packed[start + part] for start in (0, channels, 2 * channels))
        logits = query.T @ key / math.sqrt(len(part))
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        heads_out.append(value @ (weights / weights.sum(axis=1, keepdims=True)).T)
    projected = attention.project.weight.detach().numpy()[:, :, 0, 0] @ np.concatenate(heads_out)
    return window + projected + attention.project.bias.detach().numpy()[:, None]


@pytest.mark.parametrize(
    "size", [(4, 4), (3, 4), (8, 4), (9, 10), (2, 11), (12, 8)], ids=lambda size: f"{size[0]}x{size[1]}"
)
def test_attention_stays_in_windows_of_a_fixed_grid(size):
    """Windows of 4 at 0, 4, 8, …; where the side is no multiple, the last one ends at the border and owns what is left."""
    torch.manual_seed(0)
    attention = WindowAttention(8, heads=2, window=4)
    torch.nn.init.normal_(attention.project.weight)
    x = torch.randn(2, 8, *size)
    with torch.no_grad():
        found = attention(x).numpy()
    expected = np.zeros_like(found)
    for image, values in enumerate(x.numpy()):
        for top in range(0, size[0], 4):
            for left in range(0, size[1], 4):
                rows = slice(max(0, min(top, size[0] - 4)), top + 4)
                columns = slice(max(0, min(left, size[1] - 4)), left + 4)
                window = values[:, rows, columns]
                result = attended_by_hand(attention, window.reshape(8, -1)).reshape(window.shape)
                own = result[:, top - rows.start :, left - columns.start :]
                expected[image, :, top : top + 4, left : left + 4] = own
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_side_that_the_fold_does_not_divide_is_continued():
    unet, image = compact(), torch.randn(1, 1, 31, 27)
    padded = torch.nn.functional.pad(image, (0, 1, 0, 1), mode="replicate")
    with torch.inference_mode():
        expected = unet(padded, torch.tensor([10]))[..., :31, :27]
        torch.testing.assert_close(unet(image, torch.tensor([10])), expected)


@pytest.mark.parametrize("shape", [(3, 40), (40, 1), (2, 3)])
def test_a_whole_image_of_less_than_a_fold_is_seen_as_a_patch_is(shape):
    unet, image = compact(fold=4, channels=[8, 8], attention_levels=[1]), torch.randn(1, 1, *shape)
    with torch.inference_mode():
        found = unet.whole(image, torch.tensor([10]))
        kept = image[..., : shape[0] // 4 * 4 or shape[0], : shape[1] // 4 * 4 or shape[1]]
        torch.testing.assert_close(
            found[..., : kept.shape[2], : kept.shape[3]], unet(kept.contiguous(), torch.tensor([10]))
        )
    assert found.shape == image.shape


def test_a_whole_image_is_not_continued():
    unet, image = compact(fold=4, channels=[8, 8], attention_levels=[1]), torch.randn(2, 1, 34, 31)
    steps = torch.tensor([10, 300])
    with torch.inference_mode():
        found, own = unet.whole(image, steps), unet(image[..., :32, :28].contiguous(), steps)
        even = image[..., :32, :28].contiguous()
        torch.testing.assert_close(unet.whole(even, steps), unet(even, steps), rtol=0, atol=0)
    torch.testing.assert_close(found[..., :32, :28], own)
    assert found.shape == image.shape
    assert (found[..., 32:, :28] == found[..., 31:32, :28]).all() and (found[..., 28:] == found[..., 27:28]).all()


@pytest.mark.parametrize("changes", [{}, DEEP])
@pytest.mark.parametrize("shape", [(30, 28), (28, 30), (30, 54), (26, 34), (32, 32)])
def test_a_level_of_an_odd_side_goes_on_with_zeros(changes, shape):
    unet = compact(**changes)
    before, after = [], []
    for level, layer in enumerate(unet.shrink):
        unet.attention[level].register_forward_hook(lambda _, given, left: before.append(left))
        layer.register_forward_pre_hook(lambda _, given: after.append(given[0]))
    with torch.inference_mode():
        unet(torch.randn(1, 1, *shape), torch.tensor([10]))
    assert len(before) == len(after) == len(unet.shrink)
    for own, halved in zip(before, after, strict=True):
        height, width = own.shape[-2:]
        assert halved.shape[-2:] == (height + height % 2, width + width % 2)
        torch.testing.assert_close(halved[..., :height, :width], own, rtol=0, atol=0)
        assert (halved[..., height:, :] == 0).all() and (halved[..., width:] == 0).all()


KINDS = pytest.mark.parametrize(
    "changes",
    [{}, {"attention_levels": []}, {"fold": 1}, {"fold": 4, "channels": [8]}, {"blocks": 2}, DEEP],
    ids=["default", "no_attention", "fold1", "one_level", "two_blocks", "three_levels"],
)


@KINDS
def test_output_beyond_the_halo_does_not_change(changes):
    unet = compact(**changes)
    image = torch.randn(1, 1, 64, 16 * 28)
    first = 8 * 28  # from this column on the image changes; the columns before are squares on the grid
    other = image.clone()
    other[..., first:] += 1
    with torch.inference_mode():
        changed = (unet(image, torch.tensor([10])) - unet(other, torch.tensor([10]))).abs().amax(dim=(0, 1, 2)) > 1e-6
    reach = first - int(changed.nonzero()[0])
    assert 0 < reach <= unet.halo
    assert unet.halo - reach < unet.grid  # it is no idle bound either


@KINDS
def test_a_tile_with_its_halo_is_the_same_part_of_the_whole(changes):
    unet = compact(**changes)
    image = torch.randn(1, 1, 100, 20 * 28 + 13)
    margin = -(-unet.halo // unet.grid) * unet.grid
    start, stop = margin + unet.grid, margin + 3 * unet.grid
    with torch.inference_mode():
        whole = unet(image, torch.tensor([10]))
        tile = unet(image[..., start - margin : stop + margin].contiguous(), torch.tensor([10]))
    torch.testing.assert_close(tile[..., margin:-margin], whole[..., start:stop], atol=1e-5, rtol=1e-5)
