from __future__ import annotations

import numpy as np
import pytest
from data_builders import dataset_config, folder_settings, noise, normal_and_anomalous, save
from test_dataset import synthetic

from radar.data.dataset import open_dataset
from radar.data.mvtec_export import write_mvtec
from radar.errors import DataError


def test_an_exported_set_is_the_same_set(tmp_path):
    drawn = open_dataset(synthetic())
    assert write_mvtec(drawn, tmp_path / "out") == 15
    config = dataset_config(
        "mvtec", tmp_path / "out", split="official", manifest=str(tmp_path / "out/split.csv"), near_duplicates="ignore"
    )
    written = open_dataset(config)
    assert [sample.split for sample in written.samples] == [sample.split for sample in drawn.samples]
    np.testing.assert_array_equal(written.load(written.samples).planes.whole, drawn.load(drawn.samples).planes.whole)
    for before, after in zip(drawn.samples, written.samples, strict=True):
        np.testing.assert_array_equal(drawn.mask(before), written.mask(after))


def test_an_export_keeps_images_of_one_name_apart_and_other_files_alone(tmp_path):
    normal_and_anomalous(tmp_path / "set")
    save(tmp_path / "set/normal/00.bmp", noise(77))
    save(tmp_path / "set/normal/00.tif", noise(78))
    dataset = open_dataset(dataset_config("folder", tmp_path / "set", settings=folder_settings()))
    assert write_mvtec(dataset, tmp_path / "out") == 17
    assert len([*(tmp_path / "out").rglob("*.png")]) == 17
    with pytest.raises(DataError, match="is not empty"):
        write_mvtec(dataset, tmp_path / "out")
