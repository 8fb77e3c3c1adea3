from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from data_builders import dataset_config, folder_settings, image_config, mvtec_folder, noise, normal_and_anomalous, save

from radar.config.schema import RegionConfig
from radar.data.dataset import open_dataset
from radar.data.synthetic.drawing import SyntheticSettings
from radar.errors import ConfigError, DataError
from radar.runtime.placement import place_map
from radar.runtime.preprocessing import resized


def official(root, **changes):
    return dataset_config("mvtec", root, split="official", **changes)


def test_a_folder_becomes_tensors_with_identities_and_frames(tmp_path):
    dataset = open_dataset(official(mvtec_folder(tmp_path)))
    assert Counter((sample.split, sample.label) for sample in dataset.samples) == {
        ("train", 0): 6,
        ("validation", 0): 2,
        ("test", 0): 2,
        ("test", 1): 2,
    }
    test = dataset.split("test")
    loaded = dataset.load(test)
    assert loaded.planes.whole.shape == (4, 1, 16, 16)
    assert loaded.planes.whole.dtype == torch.float32
    assert loaded.identities == tuple(sample.content_hash for sample in test)
    assert loaded.labels.tolist() == [1, 1, 0, 0]
    assert (
        place_map(loaded.planes.whole[0, 0].numpy(), loaded.frames[0]).shape == dataset.mask(test[0]).shape == (32, 32)
    )
    assert dataset.mask(test[0]).sum() == 16
    assert not dataset.mask(test[2]).any()


def test_what_is_loaded_depends_on_no_order(tmp_path):
    dataset = open_dataset(official(mvtec_folder(tmp_path)))
    forward, backward = dataset.load(dataset.samples), dataset.load(dataset.samples[::-1])
    assert torch.equal(forward.planes.whole, backward.planes.whole.flip(0))


def test_the_manifest_hash_follows_the_bytes(tmp_path):
    before = open_dataset(official(mvtec_folder(tmp_path))).manifest_hash
    assert open_dataset(official(tmp_path)).manifest_hash == before
    save(tmp_path / "train/good/000.png", noise(999))
    assert open_dataset(official(tmp_path)).manifest_hash != before


@pytest.mark.parametrize(("policy", "raises"), [("error", True), ("warn", False), ("ignore", False)])
def test_near_duplicates_across_the_test_split_follow_the_policy(tmp_path, policy, raises):
    mvtec_folder(tmp_path)
    save(tmp_path / "test/good/000.png", noise(3) // 2 + 20)  # train/good/003.png under another exposure
    config = official(tmp_path, near_duplicates=policy)
    if raises:
        with pytest.raises(DataError, match=r"1 near-duplicate pair\(s\) cross into test, first .*train/good/003"):
            open_dataset(config)
    else:
        assert len(open_dataset(config).notes) == (policy == "warn")


def test_identical_files_across_the_test_split_are_refused_whatever_the_policy(tmp_path):
    mvtec_folder(tmp_path)
    save(tmp_path / "test/good/000.png", noise(3))
    with pytest.raises(DataError, match=r"1 pair\(s\) of identical files cross into test"):
        open_dataset(official(tmp_path, near_duplicates="ignore"))


def test_piped_masks_are_dark_on_the_defect(tmp_path):
    for sheet in range(4):
        save(tmp_path / f"P/NoDefects/P_S_ND_{sheet}_1.bmp", noise(sheet))
    save(tmp_path / "P/Defects/P_S_D_01_1.bmp", noise(9))
    mask = np.full((32, 32, 3), 255, np.uint8)
    mask[5, 6:9] = 0
    save(tmp_path / "P/Defects/GroundThruth/P_S_GT_01_1.bmp", mask)
    dataset = open_dataset(dataset_config("piped", tmp_path, category="P", split="sheets"))
    np.testing.assert_array_equal(np.argwhere(dataset.mask(dataset.samples[0])), [[5, 6], [5, 7], [5, 8]])


@pytest.mark.parametrize(("aspect", "shape"), [("stretch", (20, 40)), ("pad", (20, 40)), ("crop", (20, 20))])
def test_masks_of_normals_have_the_shape_of_placed_maps(tmp_path, aspect, shape):
    for index in range(8):
        save(tmp_path / f"normal/{index}.png", noise(index, 20, 40))
    save(tmp_path / "anomalous/0.png", noise(50, 20, 40))
    save(tmp_path / "masks/0.png", noise(50, 20, 40))
    dataset = open_dataset(
        dataset_config(
            "folder", tmp_path, settings=folder_settings(masks="masks"), image=image_config(size=16, aspect=aspect)
        )
    )
    assert {dataset.mask(sample).shape for sample in dataset.samples} == {shape}
    assert {frame.shape for frame in dataset.load(dataset.samples).frames} == {shape}


def test_an_anomalous_image_without_a_mask_has_none(tmp_path):
    dataset = open_dataset(dataset_config("folder", normal_and_anomalous(tmp_path), settings=folder_settings()))
    with pytest.raises(DataError, match="is anomalous and has no mask"):
        dataset.mask(dataset.samples[0])


def test_images_of_several_sizes_are_loaded_as_they_are(tmp_path):
    normal_and_anomalous(tmp_path)
    save(tmp_path / "normal/00.png", noise(0, 32, 40))
    config = dataset_config("folder", tmp_path, settings=folder_settings(), image=image_config(size=None))
    dataset = open_dataset(config)
    assert Counter(dataset.load(dataset.samples).planes.sizes) == {(32, 32): len(dataset.samples) - 1, (32, 40): 1}


def test_a_broken_image_is_named(tmp_path):
    mvtec_folder(tmp_path)
    (tmp_path / "train/good/004.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    dataset = open_dataset(official(tmp_path, near_duplicates="ignore"))
    with pytest.raises(DataError, match=r"train/good/004\.png: not a readable image"):
        dataset.load(dataset.samples)


def test_a_mask_of_another_size_is_named(tmp_path):
    mvtec_folder(tmp_path)
    save(tmp_path / "ground_truth/dent/000_mask.png", np.zeros((16, 16), np.uint8))
    dataset = open_dataset(official(tmp_path))
    with pytest.raises(DataError, match=r"000_mask\.png: the mask is 16 x 16 px and its image 32 x 32 px"):
        dataset.mask(dataset.split("test")[0])


def synthetic(**changes):
    drawn = SyntheticSettings(
        texture="printed_layers", seed=0, side=32, train=8, test_normal=3, test_defective=4, contrast=1.0
    )
    return dataset_config("synthetic", None, split="official", near_duplicates="ignore", settings=drawn, **changes)


def test_a_drawn_set_is_a_data_set_like_any_other():
    dataset = open_dataset(synthetic())
    assert Counter((sample.split, sample.label) for sample in dataset.samples) == {
        ("train", 0): 6,
        ("validation", 0): 2,
        ("test", 0): 3,
        ("test", 1): 4,
    }
    assert dataset.load(dataset.samples).planes.whole.shape == (15, 1, 16, 16)
    defective = [sample for sample in dataset.samples if sample.label]
    assert all(dataset.mask(sample).any() and dataset.mask(sample).shape == (32, 32) for sample in defective)
    assert len({sample.content_hash for sample in dataset.samples}) == 15
    assert open_dataset(synthetic()).manifest_hash == dataset.manifest_hash


def test_a_drawn_set_takes_no_manifest():
    with pytest.raises(ConfigError, match=r"set dataset\.manifest=null"):
        open_dataset(synthetic(manifest="m.csv"))


def test_progress_counts_every_image(tmp_path):
    seen = []
    open_dataset(official(mvtec_folder(tmp_path)), lambda done, total, what: seen.append((done, total, what)))
    assert seen[:12] == [(done, 12, "hashing") for done in range(1, 13)]
    assert seen[-1] == (12, 12, "comparing")


LEFT = RegionConfig("polygons", [[[0, 0], [0.6, 0], [0.6, 1], [0, 1]]], tolerance=None, thinnest=None, inset=None)


def photos_that_are_their_masks(root: Path, shape: tuple[int, int]) -> Path:
    """Normals of noise, and defective photos that are black but for the white defect which their masks mark."""
    for index in range(8):
        save(root / f"normal/{index}.png", noise(index, *shape))
    for index, (row, column) in enumerate(((0.3, 0.35), (0.45, 0.4), (0.55, 0.3))):
        marked = np.zeros(shape, np.uint8)
        top, left = int(row * shape[0]), int(column * shape[1])
        marked[top : top + 4, left : left + 3 + index] = 255
        for folder in ("anomalous", "masks"):
            save(root / folder / f"{index}.png", marked)
    return root


def centre(shares: np.ndarray) -> list[float]:
    """Row and column of what is marked."""
    return [float(np.average(places, weights=shares)) for places in np.indices(shares.shape)]


@pytest.mark.parametrize("shape", [(20, 40), (44, 21), (32, 32)], ids=["wide", "tall", "square"])
@pytest.mark.parametrize(
    "image",
    [
        {"size": 16, "aspect": "pad"}, {"size": 16, "width": 40, "aspect": "pad"}, {"aspect": "pad"},
        {"size": 16, "aspect": "crop"}, {"size": 32, "width": 12, "aspect": "crop"}, {"size": 24, "aspect": "stretch"},
        {"size": 20, "aspect": "short"}, {"size": 26, "aspect": "long"}, {"aspect": "long"},
    ],
    ids=lambda image: " ".join(map(str, image.values())),
)  # fmt: skip
@pytest.mark.parametrize("region", [None, LEFT], ids=["whole", "region"])
@pytest.mark.parametrize("times", [1, 3], ids=["of the photo's size", "of another size"])
def test_a_mask_of_the_view_marks_what_the_picture_shows(
    tmp_path: Path, shape: tuple[int, int], image: dict[str, Any], region: RegionConfig | None, times: int
) -> None:
    config = image_config(**image, region_of_interest=region)
    root = photos_that_are_their_masks(tmp_path, shape)
    dataset = open_dataset(
        dataset_config("folder", root, settings=folder_settings(masks="masks"), image=config, near_duplicates="ignore")
    )
    read = dataset.layout.mask
    layout = Mock(
        wraps=dataset.layout, mask=lambda path, mask: np.kron(read(path, mask), np.ones((times, times), bool))
    )
    dataset = replace(dataset, layout=layout)
    defective = [sample for sample in dataset.samples if sample.label]
    loaded = dataset.load(defective)
    for index, sample in enumerate(defective):
        picture, inside = (loaded.planes[index][0].numpy() + 1) / 2, loaded.inside(index)
        counts = np.ones_like(picture, bool) if inside is None else inside
        drawn = resized(dataset.mask_of_view(sample).astype(np.float32), picture.shape, "box")
        if times == 1:
            np.testing.assert_allclose(drawn[counts], picture[counts], atol=1e-6)
        np.testing.assert_allclose(
            centre(drawn * counts), centre(picture * counts), atol=0.5
        )  # px of the picture, as box filters round
    normal, frame = next(sample for sample in dataset.samples if not sample.label), loaded.frames[0]
    mask = dataset.mask_of_view(normal)
    assert mask.shape == (frame.height, frame.width) and not mask.any()


@pytest.mark.parametrize("shape", [(20, 40), (44, 21)], ids=["wide", "tall"])
def test_what_padding_adds_is_marked_by_no_mask_that_reaches_the_border(tmp_path: Path, shape: tuple[int, int]) -> None:
    root = photos_that_are_their_masks(tmp_path, shape)
    save(root / "masks/0.png", np.full(shape, 255, np.uint8))
    config = image_config(size=16, aspect="pad")
    dataset = open_dataset(
        dataset_config("folder", root, settings=folder_settings(masks="masks"), image=config, near_duplicates="ignore")
    )
    (whole,) = (each for each in dataset.samples if each.label and each.path.endswith("0.png"))
    mask = dataset.mask_of_view(whole)
    assert mask.shape == (max(shape),) * 2 and mask.sum() == shape[0] * shape[1] == dataset.mask(whole).sum()
    beside = -((min(shape) - max(shape)) // 2)
    across = mask if shape[0] < shape[1] else mask.T
    assert not across[:beside].any() and across[beside : beside + min(shape)].all()
