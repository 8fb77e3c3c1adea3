from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from data_builders import dataset_config, folder_settings, image_config, mvtec_folder, noise, normal_and_anomalous, save

from radar.data.dataset import open_dataset
from radar.data.file_reader import FileReader
from radar.data.images import read_images
from radar.errors import DataError

COLOUR = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
NETWORKS_SEE = {"grey": 1, "rgb": 3, "luma_chroma": 1}


def opened(root, **image):
    return open_dataset(
        dataset_config(
            "folder", normal_and_anomalous(root), settings=folder_settings(), image=image_config(size=16, **image)
        )
    )


@pytest.mark.parametrize("channels", NETWORKS_SEE)
def test_planes_are_named_and_networks_see_the_luma_alone(tmp_path, channels):
    layout = opened(tmp_path, channels=channels).layout
    save(tmp_path / "normal/00.png", COLOUR)
    dataset = open_dataset(layout.config)
    images = dataset.load(dataset.samples)
    assert images.planes.whole.shape == (15, len(images.plane_names), 16, 16)
    seen = images.network_planes.whole
    assert torch.equal(seen, images.planes.whole[:, : NETWORKS_SEE[channels]])
    assert seen.data_ptr() == images.planes.whole.data_ptr()  # a view: no second copy of all images
    layout = opened(tmp_path / "again", channels="grey").layout
    save(tmp_path / "again/normal/00.png", COLOUR)
    grey = open_dataset(layout.config)
    if channels == "luma_chroma":
        assert torch.equal(seen, grey.load(grey.samples).planes.whole)


def test_a_part_keeps_everything_that_belongs_to_its_images(tmp_path):
    dataset = open_dataset(dataset_config("mvtec", mvtec_folder(tmp_path), split="official"))
    images = dataset.load(dataset.samples)
    for part, places in ((images[2:5], [2, 3, 4]), (images[[7, 0]], [7, 0]), (images[10:99], [10, 11])):
        assert len(part) == len(places)
        assert torch.equal(part.planes.whole, images.planes.whole[places])
        for name in ("samples", "frames", "identities", "groups", "defects"):
            assert getattr(part, name) == tuple(getattr(images, name)[place] for place in places)
        assert part.labels.tolist() == images.labels[places].tolist()
    assert images.defects[:3] == ("dent", "dent", "good")
    assert images.labels[:3].tolist() == [1, 1, 0]


@pytest.mark.parametrize("channels", NETWORKS_SEE)
@pytest.mark.parametrize("aspect", ["stretch", "crop", "pad"])
def test_files_of_no_data_set_are_read_as_one_would_read_them(tmp_path, channels, aspect):
    dataset = opened(tmp_path, channels=channels, aspect=aspect)
    save(tmp_path / "normal/00.png", COLOUR[:20])
    paths = [tmp_path / sample.path for sample in dataset.samples]
    files, images = read_images(paths, dataset.layout.files, dataset.image), dataset.load(dataset.samples)
    assert torch.equal(files.planes.whole, images.planes.whole)
    assert (files.plane_names, files.frames) == (images.plane_names, images.frames)
    assert files.identities == tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    assert set(files.labels) == {-1}
    assert set(files.defects) == {"unknown"}
    assert files.groups == tuple(map(str, paths))


@pytest.mark.parametrize(
    ("image", "sizes"),
    [
        ({"size": None}, [(32, 32), (20, 24)]),
        ({"size": 8}, [(8, 8), (8, 8)]),
        ({"size": 8, "width": 12}, [(8, 12), (8, 12)]),
        ({"size": 10, "aspect": "short"}, [(10, 10), (10, 12)]),
        ({"size": 12, "aspect": "long"}, [(12, 12), (10, 12)]),
        ({"size": 8, "width": 24, "aspect": "crop"}, [(8, 24), (8, 24)]),
        ({"size": None, "aspect": "crop"}, [(32, 32), (20, 20)]),
        ({"size": None, "aspect": "short", "resolution": 5.0, "file_resolution": 10.0}, [(16, 16), (10, 12)]),
    ],
)
def test_images_have_the_sizes_that_are_asked_for(tmp_path, image, sizes):
    paths = [save(tmp_path / "a.png", noise(0)), save(tmp_path / "b.png", noise(1, 20, 24))]
    images = read_images(paths, FileReader(), image_config(**image))
    assert images.planes.sizes == tuple(sizes)
    for path, plane in zip(paths, images.planes, strict=True):
        alone = read_images([path], FileReader(), image_config(**image))
        assert torch.equal(plane, alone.planes[0])


def test_a_file_that_is_not_there_and_no_file_are_one_line(tmp_path):
    with pytest.raises(DataError, match=r"none\.png: cannot be read"):
        read_images([tmp_path / "none.png"], FileReader(), image_config())
    with pytest.raises(DataError, match="name at least one file"):
        read_images([], FileReader(), image_config())
