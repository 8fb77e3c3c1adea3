from __future__ import annotations

import errno
from dataclasses import replace

import numpy as np
import pytest
from data_builders import dataset_config, folder_settings, noise, normal_and_anomalous, save
from test_dataset import synthetic

from radar.data import mvtec_export
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


def anomalous_of(tmp_path, defect):
    """A data set one of whose defects, and an image of it, are named so."""
    normal_and_anomalous(tmp_path / "set")
    dataset = open_dataset(dataset_config("folder", tmp_path / "set", settings=folder_settings()))
    renamed = [replace(sample, defect=defect) if sample.label else sample for sample in dataset.samples]
    return replace(dataset, samples=tuple(renamed))


@pytest.mark.parametrize("defect", ["Thumbs.db", "desktop.ini", "__MACOSX", "@eaDir"])
def test_a_defect_that_no_reader_would_look_at_is_refused(tmp_path, defect):
    with pytest.raises(DataError, match=rf"would be written as test/{defect}/.*another name"):
        write_mvtec(anomalous_of(tmp_path, defect), tmp_path / "out")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["set"]


@pytest.mark.parametrize("defect", [".DS_Store", ".hidden", "thumbs", "con", "a:b"])
def test_any_other_defect_is_read_again(tmp_path, defect):
    write_mvtec(anomalous_of(tmp_path, defect), tmp_path / "out")
    manifest = str(tmp_path / "out/split.csv")
    again = open_dataset(
        dataset_config("mvtec", tmp_path / "out", split="official", manifest=manifest, near_duplicates="ignore")
    )
    bare = open_dataset(dataset_config("mvtec", tmp_path / "out", split="official", near_duplicates="ignore"))
    assert {sample.defect for sample in again.samples if sample.label} == {defect}
    assert len(bare.samples) == len(again.samples)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("place", ["write_atomically", "write_manifest"])
def test_nothing_half_written_stays(tmp_path, monkeypatch, error, place):
    normal_and_anomalous(tmp_path / "set")
    dataset = open_dataset(dataset_config("folder", tmp_path / "set", settings=folder_settings()))
    own, calls = getattr(mvtec_export, place), []

    def full(*arguments):
        calls.append(arguments)
        if place == "write_manifest" or len(calls) == 5:
            raise error
        own(*arguments)

    monkeypatch.setattr(mvtec_export, place, full)
    with pytest.raises(type(error)):
        write_mvtec(dataset, tmp_path / "out")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["set"]


def test_what_cannot_be_removed_is_said(tmp_path, monkeypatch, capsys):
    normal_and_anomalous(tmp_path / "set")
    dataset = open_dataset(dataset_config("folder", tmp_path / "set", settings=folder_settings()))
    monkeypatch.setattr(mvtec_export.shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(mvtec_export, "write_manifest", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_mvtec(dataset, tmp_path / "out")
    assert f"{tmp_path}/.out.part: is half written and cannot be removed" in capsys.readouterr().err
