"""The drawn data sets: reproducible, honest masks, and not solved by a filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage, stats

from radar.data.synthetic.defects import DEFECTS
from radar.data.synthetic.drawing import DrawnImage, SyntheticSettings, draw_image, draw_synthetic

Control = Callable[[NDArray[np.float64], float], float]
TEXTURES = ("printed_layers", "stochastic_tile")


def _config(texture: str, seed: int = 3, side: int = 100, train: int = 4, contrast: float = 1.0) -> SyntheticSettings:
    return SyntheticSettings(
        texture=texture, seed=seed, side=side, train=train, test_normal=30, test_defective=60, contrast=contrast
    )


@pytest.fixture(scope="module", params=TEXTURES)
def drawn(request: pytest.FixtureRequest) -> tuple[SyntheticSettings, list[DrawnImage]]:
    config = _config(request.param)
    return config, draw_synthetic(config)


def _defective(images: list[DrawnImage]) -> list[DrawnImage]:
    return [image for image in images if image.label == 1]


def _flawless(config: SyntheticSettings, index: int) -> NDArray[np.uint8]:
    """The surface of a defective image in the same light, its defect at no contrast."""
    return draw_image(replace(config, contrast=0.0), "defective", index).image


def _difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.abs(first.astype(np.int64) - second.astype(np.int64))


def test_every_image_is_its_own(drawn: tuple[SyntheticSettings, list[DrawnImage]]) -> None:
    config, images = drawn
    assert len({image.image.tobytes() for image in images}) == len(images)
    other = draw_image(_config(config.texture, seed=4), "train", 0)
    assert not np.array_equal(images[0].image, other.image)


def test_a_smaller_set_of_the_same_seed_has_the_same_bytes(drawn: tuple[SyntheticSettings, list[DrawnImage]]) -> None:
    config, images = drawn
    by_path = {image.path: image for image in images}
    smaller = draw_synthetic(replace(config, train=2, test_normal=1, test_defective=7))
    assert len(smaller) == 10
    for image in smaller:
        np.testing.assert_array_equal(image.image, by_path[image.path].image)
        np.testing.assert_array_equal(image.mask, by_path[image.path].mask)


def test_contract_of_the_fields(drawn: tuple[SyntheticSettings, list[DrawnImage]]) -> None:
    config, images = drawn
    assert len(images) == 94
    assert len({image.path for image in images}) == len(images)
    for image in images:
        assert image.image.dtype == np.uint8
        assert image.image.shape == (100, 100)
        assert image.path.startswith(f"{image.split}/{image.defect}/")
        assert (image.mask is None) == (image.label == 0) == (image.defect == "good")
        assert image.split == "test" or image.label == 0
    counts = Counter(image.defect for image in _defective(images))
    assert counts == dict.fromkeys(DEFECTS[config.texture], 12)


def test_masks_are_what_was_altered(drawn: tuple[SyntheticSettings, list[DrawnImage]]) -> None:
    config, images = drawn
    for index, image in enumerate(images[-60:-30]):  # six of each kind
        assert image.mask is not None
        change = _difference(image.image, _flawless(config, index))
        assert change[~image.mask].max() == 0
        assert change[image.mask].mean() > 6.0, image.path
        assert 20 <= image.mask.sum() <= 0.15 * image.mask.size, image.path


def test_contrast_scales_the_defect_alone(drawn: tuple[SyntheticSettings, list[DrawnImage]]) -> None:
    config, _ = drawn
    for index in range(5):  # one of each kind
        twin = _flawless(config, index)
        weak, designed, strong = (
            draw_image(_config(config.texture, contrast=contrast), "defective", index) for contrast in (0.4, 1.0, 1.6)
        )
        changes = [_difference(image.image, twin).sum() for image in (weak, designed, strong)]
        assert 0 < changes[0] < changes[1] < changes[2]
        np.testing.assert_array_equal(weak.mask, designed.mask)


@pytest.mark.parametrize("texture", TEXTURES)
@pytest.mark.parametrize(("side", "count"), [(32, 25), (57, 25), (200, 5)])
def test_other_sides(texture: str, side: int, count: int) -> None:
    for index in range(count):
        image = draw_image(_config(texture, seed=0, side=side), "defective", index)
        assert image.image.shape == (side, side)
        assert image.mask is not None
        assert 0 < image.mask.sum() <= 0.15 * image.mask.size, image.path


def test_exposure_varies_and_nothing_is_blown_out(drawn: tuple[SyntheticSettings, list[DrawnImage]]) -> None:
    _, images = drawn
    normal = [image.image for image in images if image.label == 0]
    assert np.std([image.mean() for image in normal]) > 8.0
    assert np.mean([(image == 255).mean() for image in normal]) < 0.02
    assert np.mean([(image == 0).mean() for image in normal]) < 0.02


def _largest_local_norm(field: NDArray[np.float64]) -> float:
    return float(np.sqrt(ndimage.uniform_filter(field**2, 11)[5:-5, 5:-5].max()))


def _deviation(image: NDArray[np.float64], mean: float) -> float:
    return _largest_local_norm(ndimage.gaussian_filter(image - mean, 1.0))


def _edges(image: NDArray[np.float64], mean: float) -> float:
    blurred = ndimage.gaussian_filter(image, 1.0)
    return _largest_local_norm(np.hypot(ndimage.sobel(blurred, 0), ndimage.sobel(blurred, 1)))


@pytest.mark.parametrize("control", [_deviation, _edges])
def test_no_filter_solves_the_set(drawn: tuple[SyntheticSettings, list[DrawnImage]], control: Control) -> None:
    _, images = drawn
    mean = float(np.mean([image.image for image in images if image.label == 0])) / 255.0
    scores: dict[int, list[float]] = {0: [], 1: []}
    for image in images:
        if image.split == "test":
            scores[image.label].append(control(image.image / 255.0, mean))
    result = stats.mannwhitneyu(scores[1], scores[0])
    assert 0.4 < result.statistic / (len(scores[0]) * len(scores[1])) < 0.9
