"""The working size: planted textures are found again, from training normals alone, whatever the noise; sizes are what is asked for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from data_builders import image_config, save
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from radar.config.schema import WorkingSizeConfig
from radar.data.dataset import open_dataset
from radar.data.working_size import chosen_size, factor_for, made_smaller, tried_factors
from radar.errors import ConfigError

WANTED = WorkingSizeConfig(correlation_length=1.5, least_size=24)


def photo(seed, width, noise, shape):
    """Noise smoothed with a Gaussian of `width` px, and a camera's own noise, of so many times its standard deviation, on top."""
    random = np.random.default_rng(seed)
    if width is None:  # plain
        return np.full(shape, 100 + seed, np.uint8)
    smooth = ndimage.gaussian_filter(random.normal(size=shape), width)
    values = smooth / smooth.std() + noise * random.normal(size=shape)
    return np.clip(128 + 25 * values, 0, 255).astype(np.uint8)


@pytest.fixture
def opened(composed, tmp_path):
    """A folder of photos of a texture of that width, opened with some overrides."""

    def open_with(*overrides, width=4.0, noise=0.0, shape=(160, 200), defective=0.5, count=20):
        for number in range(count):
            save(tmp_path / "parts" / "good" / f"{number:02}.png", photo(number, width, noise, shape))
        save(tmp_path / "parts" / "bad" / "0.png", photo(99, defective, 0.0, shape))
        config = composed(
            "dataset=folder", f"dataset.root={tmp_path / 'parts'}", "dataset.folder.normal=good", "dataset.folder.anomalous=bad",
            "dataset.folder.masks=null", "dataset.split=random", "dataset.near_duplicates=ignore", "dataset.image.channels=grey",
            "evaluation.pixel=false", "patch=14x14", *overrides,
        )  # fmt: skip
        return open_dataset(config.dataset)

    return open_with


NATIVE = ("dataset.image.size=null", "dataset.image.aspect=short")


@pytest.mark.parametrize("width", [2.0, 4.0])
def test_a_planted_texture_gets_the_wanted_length(opened, width):
    chosen = chosen_size(opened(*NATIVE, width=width), WANTED, None)
    expected = 1.5 / (2 * width * math.sqrt(math.log(2)))
    # Lanczos keeps what a smaller picture can hold, so that lengths in px grow with the size
    assert chosen.image.resolution == pytest.approx(expected, rel=0.15)
    assert chosen.image.file_resolution == 1.0 and chosen.image.size is None and chosen.image.working_size is None
    assert "13 training images" in chosen.note and f"{chosen.image.resolution:.2f} times" in chosen.note


def test_the_noise_of_a_camera_is_no_texture(opened):
    clean = chosen_size(opened(*NATIVE, width=5.0), WANTED, None)
    noisy = chosen_size(opened(*NATIVE, width=5.0, noise=1.2), WANTED, None)  # whose own length is below 1 px
    assert "is 0." in noisy.note
    assert noisy.image.resolution == pytest.approx(clean.image.resolution, rel=0.25)


def test_what_is_fine_already_stays(opened):
    chosen = chosen_size(opened(*NATIVE, width=0.5), WANTED, None)
    assert chosen.image.resolution is None and "no picture is made smaller" in chosen.note


def test_plain_photos_stay(opened):
    chosen = chosen_size(opened(*NATIVE, width=None), WANTED, None)
    assert chosen.image.resolution is None and "are plain" in chosen.note


def test_no_picture_gets_less_than_the_least_size(opened):
    chosen = chosen_size(opened(*NATIVE, width=12.0), replace(WANTED, least_size=70), None)
    assert round(160 * chosen.image.resolution) == 70


def test_the_smallest_photo_that_is_learnt_from_keeps_the_least_size(opened, tmp_path):
    dataset = opened(*NATIVE, width=12.0, count=60)
    training = dataset.split("train")
    sampled = set(np.linspace(0, len(training) - 1, 16).round().astype(int).tolist())
    other = training[
        next(place for place in range(len(training)) if place not in sampled)
    ]  # its texture is not measured
    save(tmp_path / "parts" / other.path, photo(7, 12.0, 0.0, (90, 150)))
    chosen = chosen_size(dataset, replace(WANTED, least_size=70), None)
    assert round(90 * chosen.image.resolution) == 70


def test_neither_defects_nor_held_out_photos_decide(opened):
    dataset = opened(*NATIVE)
    own = chosen_size(dataset, WANTED, None)
    train = tuple(sample for sample in dataset.samples if sample.split == "train")
    assert chosen_size(replace(dataset, samples=train), WANTED, None) == own
    assert chosen_size(opened(*NATIVE, defective=9.0), WANTED, None) == own


def test_of_a_fixed_size_height_and_width_are_made_smaller(opened):
    dataset = opened("dataset.image.size=128", "dataset.image.width=160")
    chosen = chosen_size(dataset, WANTED, None).image
    assert chosen.size / chosen.width == pytest.approx(128 / 160, rel=0.02) and 24 <= chosen.size < 128
    assert chosen.resolution is None


def test_ways_of_reading_are_made_smaller_alike():
    image = image_config()
    assert made_smaller(replace(image, size=200, width=None), 0.5).size == 100
    assert made_smaller(replace(image, size=200, width=300), 0.5).width == 150
    by_mm = made_smaller(replace(image, size=None, resolution=8.0, file_resolution=20.0), 0.5)
    assert (by_mm.resolution, by_mm.file_resolution) == (4.0, 20.0)


POLYGON = "[[[0.55,0.1],[0.95,0.1],[0.95,0.9],[0.55,0.9]]]"  # 128 x 80 px of 160 x 200
REGION = (
    "experiment=recommended", "method.fused_densities.colour=null", "region_of_interest=polygons",
    f"dataset.image.region_of_interest.polygons={POLYGON}",
)  # fmt: skip


def on_a_table(path, seed, width):
    """A part of one texture in that polygon, on a table of a much finer one."""
    part, table = photo(seed, width, 0.0, (160, 200)), photo(seed + 500, 0.5, 0.0, (160, 200))
    table[16:144, 110:190] = part[16:144, 110:190]
    save(path, table)


def test_of_a_region_its_own_texture_decides(opened, tmp_path):
    dataset = opened(*NATIVE, *REGION)
    for number in range(20):
        on_a_table(tmp_path / "parts" / "good" / f"{number:02}.png", number, 2.5)
    chosen = chosen_size(open_dataset(dataset.layout.config), WANTED, None)
    assert chosen.image.resolution == pytest.approx(1.5 / (2 * 2.5 * math.sqrt(math.log(2))), rel=0.2)
    assert "regions of interest" in chosen.note and chosen.image.region_of_interest is not None
    whole = chosen_size(opened(*NATIVE, width=0.5), WANTED, None)  # the table's
    assert whole.image.resolution is None


def test_the_extent_of_a_region_keeps_the_least_size(opened):
    chosen = chosen_size(opened(*NATIVE, *REGION, width=12.0), replace(WANTED, least_size=60), None)
    assert chosen.image.resolution == pytest.approx(60 / 80, rel=0.02)


@pytest.mark.parametrize("thickness", [4, 30])
def test_a_thin_region_is_not_brought_to_where_it_cannot_be_measured(opened, tmp_path, thickness):
    """Of a frame of a few px: the texture decides, not that nothing is left of the region in small pictures."""
    rows, columns = np.ogrid[:160, :200]
    away = np.minimum(np.minimum(rows, 159 - rows), np.minimum(columns, 199 - columns))
    save(tmp_path / "frame.png", np.where((away >= 10) & (away < 10 + thickness), 255, 0).astype(np.uint8))
    mask = ("region_of_interest=mask", f"dataset.image.region_of_interest.mask={tmp_path / 'frame.png'}")
    dataset = opened(*NATIVE, *REGION[:2], *mask, width=0.6)
    chosen = chosen_size(dataset, replace(WANTED, least_size=16), None)
    assert chosen.image.resolution is None, chosen.note


def test_a_window_of_no_size_is_refused(composed):
    for aspect in ("crop", "pad"):
        with pytest.raises(ConfigError, match=r"dataset\.image\.working_size"):
            composed("working_size=texture", "dataset.image.size=null", f"dataset.image.aspect={aspect}")


@given(st.integers(1, 20_000), st.integers(8, 400))
def test_factors_ascend_to_one_and_keep_the_least_size(shorter, least):
    factors = tried_factors(shorter, least)
    assert factors == sorted(set(factors)) and factors[-1] == 1
    assert factors[0] * shorter >= min(least, shorter) * (1 - 1e-9)
    assert factors[0] * shorter <= max(least, shorter) * (1 + 1e-9)


@given(st.floats(0.01, 20.0), st.integers(120, 5_000))
def test_between_the_tried_sizes_the_factor_is_that_of_a_length_that_grows_with_the_size(full, shorter):
    factors = tried_factors(shorter, 100)
    lengths = [full * factor for factor in factors]
    expected = min(max(1.5 / full, factors[0]), 1.0)
    assert factor_for(factors, lengths, 1.5) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("width", "wanted", "is_bounded"), [(20.0, 0.8, True), (3.0, 8.0, False)])
def test_a_length_beyond_what_is_looked_at_is_told_as_a_bound(opened, width, wanted, is_bounded):
    chosen = chosen_size(
        opened(*NATIVE, width=width), WorkingSizeConfig(correlation_length=wanted, least_size=24), None
    )
    told = chosen.note.partition(";")[0]
    assert told.endswith(" or more px") == is_bounded
