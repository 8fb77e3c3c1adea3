"""What a model has learnt from is recognised in whole photos and in crops, by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
    found = learnt_images(run)
    assert found is not None
    return found


def test_the_list_is_that_of_the_run_whose_model_it_is(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert learnt_images(tmp_path) is learnt_images(tmp_path / "model") is None
    rows = ["a,AA,train,0,,,", '"b#xywh=1,2,3,4",bb,validation,0,,,', '"c#xywh=1,2,3,4",cc,test,0,,,']
    (tmp_path / "manifest.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    assert learnt_images(tmp_path) == learnt_images(tmp_path / "model")
    assert learnt_images(tmp_path) == LearntImages(frozenset({"aa", "bb"}), {"b": (Crop(1, 2, 3, 4),)})
    assert learnt_images(tmp_path / "copied") is None, "that list is not of this model"


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
