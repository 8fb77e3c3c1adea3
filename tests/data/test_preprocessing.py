from __future__ import annotations

import numpy as np
import pytest
import torch
from data_builders import image_config, noise, save

from radar.data.decoding import read_pixels
from radar.data.masks import read_mask
from radar.data.preprocessing import frame_of, preprocess, rgb, visible_mask
from radar.runtime.placement import place_map


def test_alpha_is_dropped_not_blended(tmp_path):
    values = np.full((4, 4, 4), 200, np.uint8)
    values[..., 3] = 0
    image, _ = preprocess(read_pixels(save(tmp_path / "a.png", values)), image_config(channels="rgb"))
    np.testing.assert_allclose(image, 200 / 255 * 2 - 1, atol=1e-6)


def test_rgb_from_grey_repeats_the_plane(tmp_path):
    image, _ = preprocess(read_pixels(save(tmp_path / "a.png", noise(0))), image_config(channels="rgb"))
    assert image.shape == (3, 32, 32)
    np.testing.assert_array_equal(image[0], image[2])


def test_luma_and_opponent_colours_by_hand(tmp_path):
    values = np.array([[[255, 0, 0], [0, 0, 255], [80, 80, 80]]], np.uint8)
    image, _ = preprocess(read_pixels(save(tmp_path / "a.png", values)), image_config(channels="luma_chroma"))
    np.testing.assert_allclose((image[0, 0] + 1) / 2, [0.299, 0.114, 80 / 255], atol=1e-6)
    np.testing.assert_allclose(image[1, 0], [1, 0, 0], atol=1e-6)  # red less green
    np.testing.assert_allclose(image[2, 0], [0.5, -1, 0], atol=1e-6)  # yellow less blue


def test_grey_has_luma_and_no_chroma(tmp_path):
    path = save(tmp_path / "a.png", noise(0))
    image, _ = preprocess(read_pixels(path), image_config(channels="luma_chroma"))
    np.testing.assert_array_equal(image[0], preprocess(read_pixels(path), image_config())[0][0])
    np.testing.assert_allclose(image[1:], 0, atol=1e-6)


@pytest.mark.parametrize("channels", ["grey", "rgb", "luma_chroma"])
def test_colours_come_back_from_every_kind_of_planes(tmp_path, channels):
    values = noise(0) if channels == "grey" else np.stack([noise(seed) for seed in range(3)], axis=-1)
    pixels = read_pixels(save(tmp_path / "a.png", values))
    read, expected = (preprocess(pixels, image_config(channels=each))[0] for each in (channels, "rgb"))
    np.testing.assert_allclose(rgb(torch.from_numpy(read)[None], channels)[0].numpy(), expected, atol=1e-6)


def test_resizing_averages_in_float(tmp_path):
    values = np.array([[0, 1], [2, 255]], np.uint8).repeat(4, 0).repeat(4, 1)
    values[0, 0] = 8  # the mean of its 4 x 4 block is 0.5, which eight bits would round
    image, _ = preprocess(read_pixels(save(tmp_path / "a.png", values)), image_config(size=2))
    np.testing.assert_allclose((image[0] + 1) * 127.5, [[0.5, 1], [2, 255]], atol=1e-4)


@pytest.mark.parametrize("resize", ["bilinear", "bicubic", "lanczos", "box"])
def test_shrinking_does_not_alias(tmp_path, resize):
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    image, _ = preprocess(read_pixels(save(tmp_path / "a.png", stripes)), image_config(size=8, resize=resize))
    assert np.abs(image[:, :, 1:-1]).max() < 0.05


def test_overshoot_is_clipped(tmp_path):
    step = np.zeros((32, 32), np.uint8)
    step[:, 16:] = 255
    image, _ = preprocess(read_pixels(save(tmp_path / "a.png", step)), image_config(size=50, resize="lanczos"))
    assert image.min() == -1
    assert image.max() == 1


# One white pixel at row 3, column 9 of a 8 x 12 image, at its own scale.
@pytest.mark.parametrize(
    ("aspect", "shape", "place"),
    [
        pytest.param("stretch", (8, 12), (3, 9), id="stretch"),
        pytest.param("crop", (8, 8), (3, 7), id="crop drops columns 0, 1 and 10, 11"),
        pytest.param("pad", (12, 12), (5, 9), id="pad adds two rows above and two below"),
    ],
)
def test_aspect_puts_a_pixel_where_computed_by_hand(tmp_path, aspect, shape, place):
    values = np.zeros((8, 12), np.uint8)
    values[3, 9] = 255
    image, frame = preprocess(read_pixels(save(tmp_path / "a.png", values)), image_config(aspect=aspect))
    assert image.shape == (1, *shape)
    assert [tuple(int(i) for i in at) for at in np.argwhere(image[0] > 0)] == [place]
    assert frame.shape == ((8, 8) if aspect == "crop" else (8, 12))


def test_padding_repeats_the_edge(tmp_path):
    values = np.full((2, 4), 10, np.uint8)
    values[0], values[1] = 50, 200
    image, _ = preprocess(read_pixels(save(tmp_path / "a.png", values)), image_config(aspect="pad"))
    np.testing.assert_allclose((image[0, :, 0] + 1) * 127.5, [50, 50, 200, 200], atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(40, 40), (40, 90), (91, 40), (33, 50)])
@pytest.mark.parametrize("aspect", ["stretch", "crop", "pad"])
def test_a_map_of_the_mask_comes_back_onto_the_mask(tmp_path, aspect, height, width):
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 3 : width // 2 + 4] = 255
    path = save(tmp_path / "a.png", mask)
    image, frame = preprocess(read_pixels(path), image_config(size=128, aspect=aspect, resize="bilinear"))
    placed = place_map((image[0] + 1) / 2, frame)
    seen = visible_mask(read_mask(path, (height, width), inverted=False).marked, frame)
    assert placed.shape == seen.shape == frame.shape
    assert ((placed > 0.5) == seen).mean() > 0.995


def test_place_map_interpolates_between_pixel_centres():
    placed = place_map(np.array([[0.0, 1.0]], np.float32), frame_of(1, 4, image_config()))
    np.testing.assert_allclose(placed, [[0, 0.25, 0.75, 1]])


@pytest.mark.parametrize(("aspect", "first"), [("crop", 2), ("pad", 0)])
def test_masks_are_cut_never_resized(aspect, first):
    mask = np.arange(5)[:, None] + np.arange(9)[None] > 6
    seen = visible_mask(mask, frame_of(5, 9, image_config(size=64, aspect=aspect)))
    np.testing.assert_array_equal(seen, mask[:, first : 9 - first])
