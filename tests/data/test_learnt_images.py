"""What a model has learnt from is recognised in whole photos and in crops, by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radar.compose import experiment
from radar.data.dataset import open_dataset
from radar.data.file_reader import FileReader
from radar.data.learnt_images import LearntImages
from radar.deploy.calibration import learnt_images
from radar.runtime.crops import Crop

HEADER = "path,content_hash,split,label,defect,mask,group"


def photo(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 255, (40, 60), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def learnt_from(run: Path, *images: Path) -> LearntImages:
    files = FileReader()
    rows = [f'"{each.name}",{files.content_hash(each)},train,0,,,' for each in images]
    (run / "manifest.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    found = learnt_images(run, "folder")
    assert found is not None
    return found


def test_the_list_is_that_of_the_run_whose_model_it_is(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert learnt_images(tmp_path, "folder") is learnt_images(tmp_path / "model", "folder") is None
    rows = ["a,AA,train,0,,,", '"b#xywh=1,2,3,4",bb,validation,0,,,', '"c#xywh=1,2,3,4",cc,test,0,,,']
    (tmp_path / "manifest.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    wanted = LearntImages(frozenset({"aa", "bb"}), {"b": (Crop(1, 2, 3, 4),)}, are_drawn=False)
    assert learnt_images(tmp_path, "folder") == learnt_images(tmp_path / "model", "folder") == wanted
    assert learnt_images(tmp_path / "copied", "folder") is None, "that list is not of this model"


@pytest.mark.parametrize(
    ("learnt", "shown"),
    [  # the learnt image of a.png, and which photos show it, in whatever folder they lie
        ("a.png", {"a.png#xywh=0,0,9,9": True, "b.png": False, "b.png#xywh=0,0,9,9": False}),
        (
            "a.png#xywh=10,10,20,20",
            {
                "a.png": True,
                "a.png#xywh=29,29,9,9": True,
                "a.png#xywh=0,0,60,40": True,
                "a.png#xywh=30,10,9,9": False,
                "b.png": False,
            },
        ),
    ],
)
def test_parts_of_a_photo_and_the_whole_of_them_are_recognised(
    tmp_path: Path, learnt: str, shown: dict[str, bool]
) -> None:
    photo(tmp_path / "run" / "a.png", 0)
    found = learnt_from(tmp_path / "run", tmp_path / "run" / learnt)
    for folder, seed in (("again", 0), ("other", 5)):
        photo(tmp_path / folder / "a.png", seed)
        photo(tmp_path / folder / "b.png", 1)
        for name, same in shown.items():
            assert found.shown_in(tmp_path / folder / name, FileReader()) == (same and seed == 0)
    for nowhere in ("gone", "a\0", "x" * 300):  # as a review may name it
        assert not any(found.shown_in(tmp_path / nowhere / name, FileReader()) for name in shown)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif"])
def test_what_a_crop_showed_is_recognised_as_a_file_of_its_own(tmp_path: Path, ending: str) -> None:
    found = learnt_from(tmp_path, photo(tmp_path / "strip.png", 0).with_name("strip.png#xywh=10,10,20,20"))
    with Image.open(tmp_path / "strip.png") as strip:
        for left in (10, 11):
            strip.crop((left, 10, left + 20, 30)).save(tmp_path / f"{left}.{ending}")
    assert found.shown_in(tmp_path / f"10.{ending}", FileReader())
    assert not found.shown_in(tmp_path / f"11.{ending}", FileReader())


@pytest.mark.parametrize("ending", ["png", "bmp"])
def test_a_drawn_image_is_recognised_where_it_was_written(tmp_path: Path, ending: str) -> None:
    config = experiment(["experiment=debug", "dataset=printed_layers"]).dataset
    dataset = open_dataset(config)
    found = LearntImages.of(dataset.samples, config.layout)
    for split, learnt in (("train", True), ("validation", True), ("test", False)):
        sample = dataset.split(split)[0]
        file = tmp_path / f"{split}.{ending}"
        Image.fromarray(dataset.layout.pixels(sample.path).values).save(file)
        assert found.shown_in(file, FileReader()) == learnt
