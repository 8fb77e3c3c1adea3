"""Feature maps: their distance by hand, and that they lie where the image has what they see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from method_builders import image_set
from network_builders import random_unet

from radar.methods.parts.feature_maps import UNetFeatures, feature_distance


class Rays:
    """Directions 0°, 0° and 0° of a black image, 180°, 45° and 0° of a white one."""

    stride = 1

    def __call__(self, images):
        white = images.mean().item()
        levels = [[1 - 2 * white, 0.0], [1.0, white], [1.0, 0.0]]
        return [torch.tensor(level).view(1, 2, 1, 1) for level in levels]


@pytest.mark.parametrize(("skipped", "expected"), [(0, 3 - 0.5**0.5), (1, 1 - 0.5**0.5), (2, 0.0)])
def test_the_distance_is_the_cosines(skipped, expected):
    distance = feature_distance(Rays(), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4), skipped=skipped)
    torch.testing.assert_close(distance, torch.full((1, 1, 4, 4), expected))


def test_features_are_averaged_over_nine_positions_before_they_are_compared():
    class OnePosition:
        stride = 1

        def __call__(self, images):
            maps = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).repeat(1, 1, 5, 5)
            maps[0, 1, 2, 2] = 9 * images.mean()
            return [maps]

    distance = feature_distance(OnePosition(), torch.zeros(1, 1, 5, 5), torch.ones(1, 1, 5, 5))[0, 0]
    torch.testing.assert_close(distance[1:4, 1:4], torch.full((3, 3), 1 - 0.5**0.5))
    assert distance[0].max() < 1e-6


@pytest.mark.parametrize("kind", ["ddpm", "compact"])
@pytest.mark.parametrize("side", [48, 51, 53])
def test_a_defect_at_the_far_border_is_far_in_features_there(kind, side):
    """Maps of a side that their stride, 8 px, does not divide reach beyond the image, and are not to be squeezed into it."""
    network = random_unet(kind=kind, channels=[8, 8, 8, 8], attention_levels=[])
    features = UNetFeatures(network)
    image = image_set(1, 5, side=side).planes.whole
    defect = image.clone()
    defect[..., side - 6 :, side - 6 :] = 0.95
    continued = [
        torch.from_numpy(np.pad(each, [(0, 0), (0, 0), (0, -side % 8), (0, -side % 8)], "edge"))
        for each in (image, defect)
    ]
    with torch.inference_mode():
        distance = feature_distance(features, image, defect)[0, 0]
        expected = feature_distance(features, *continued)[0, 0, :side, :side]
    torch.testing.assert_close(distance, expected)
    assert min(divmod(int(distance.argmax()), side)) >= side - 8


@pytest.mark.parametrize("kind", ["ddpm", "compact"])
def test_unet_features_are_one_map_per_level_and_equal_for_equal_images(kind):
    network = random_unet(kind=kind)
    features = UNetFeatures(network)
    image = image_set(1, 5).planes.whole
    with torch.inference_mode():
        maps, distance = features(image), feature_distance(features, image, image)
    assert [len(each.shape) for each in maps] == [4, 4]
    assert distance.max() < 1e-5
    assert not any(module._forward_hooks for module in network.modules())
