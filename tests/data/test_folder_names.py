from __future__ import annotations

import numpy as np
import pytest
from data_builders import dataset_config, folder_settings, noise, save
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from radar.data.folder_names import recognise
from radar.data.layouts import LAYOUTS
from radar.data.passed_over import passed_over
from radar.errors import DataError
from radar.report.figures import save_figure
from radar.runtime.own_pictures import SOFTWARE, software


def laid_out(root, *names):
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(2):
            save(root / name / f"{index}.png", noise(index, 8, 8))
    return root


@pytest.mark.parametrize(
    ("folders", "normal", "anomalous", "masks"),
    [
        (["."], ".", None, None),
        (["good"], "good", None, None),
        (["Good", "Bad"], "Good", "Bad", None),
        (["normal", "anomalous", "masks"], "normal", "anomalous", "masks"),
        (["OK", "NG"], "OK", "NG", None),
        (["ok", "not-ok"], "ok", "not-ok", None),
        (["IO", "NIO"], "IO", "NIO", None),
        (["NoDefects", "Defects", "Defects/Ground Truth"], "NoDefects", "Defects", "Defects/Ground Truth"),
        (["good", "defective/dent", "defective/scratch"], "good", "defective", None),
        (["good", "dent", "scratch", "ground_truth/dent"], "good", ".", "ground_truth"),
        (["good", "bad", "rejected"], "good", ".", None),
        (["good", "masks"], "good", None, None),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else None,
)
def test_usual_names_are_recognised_and_said(tmp_path, folders, normal, anomalous, masks):
    found = recognise(laid_out(tmp_path, *folders))
    assert found.preset == "folder"
    assert found.values == {
        "root": str(tmp_path), "folder.normal": normal, "folder.anomalous": anomalous, "folder.masks": masks,
    }  # fmt: skip
    assert "\n" not in found.told
    for name in (normal, *([] if anomalous in (None, ".") else [anomalous])):
        assert name == "." or name in found.told


@pytest.mark.parametrize(
    ("folders", "mask", "anomalous"),
    [
        (["good", "bad"], "bad/1_mask.png", "bad"),
        (["good", "bad/dent", "bad/scratch"], "bad/scratch/0_MASK.bmp", "bad"),
        (["good", "dent", "scratch"], "dent/1_Mask.png", "."),
    ],
)
def test_masks_beside_their_photos_are_recognised(tmp_path, folders, mask, anomalous):
    laid_out(tmp_path, *folders)
    save(tmp_path / mask, noise(9, 8, 8))
    found = recognise(tmp_path)
    assert (found.values["folder.anomalous"], found.values["folder.masks"]) == (anomalous, anomalous)
    assert found.told.endswith(", masks beside them")


def test_classes_of_defects_are_named(tmp_path):
    told = recognise(laid_out(tmp_path, "good", "dent", "scratch")).told
    assert told == "good = good, dent, scratch = defective, a class each, no masks"


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (["good", "dent", "archive/2024"], "good = good, dent = defective, a class each, no masks; archive not read"),
        (["good", "archive/2024"], "good = good; no defective ones to test with; archive not read"),
        (["good", "bad/a/b"], "good = good; no defective ones to test with; bad not read"),
        (["good", "bad/a/b", "bad/c"], "good = good, bad = defective, no masks"),
        (["good", "bad", "ng/a"], "good = good, bad = defective, no masks; ng not read"),
        (["good", "bad", "unsorted/a"], "good = good, bad = defective, no masks; unsorted not read"),
        (["good", "bad", "masks/bad"], "good = good, bad = defective, masks = masks"),
        (["train/good", "test/good", "test/dent", "test/a/b"], "in test, dent = defective, no masks; test/a not read"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else None,
)
def test_only_folders_whose_photos_are_read_are_classes(tmp_path, folders, told):
    found = recognise(laid_out(tmp_path, *folders))
    assert told in found.told and found.told.endswith("deep there") == ("not read" in told)
    layout = LAYOUTS.get(found.preset.removesuffix("_folder"))
    if found.preset == "folder":
        changes = {key.partition(".")[2]: value for key, value in found.values.items() if "." in key}
        # each mask is that of another photo here, which is no matter of classes
        settings = folder_settings(**changes | {"masks": None})
        entries = layout(dataset_config("folder", tmp_path, settings=settings)).entries()
    else:
        entries = layout(dataset_config("mvtec", tmp_path)).entries()
    for defect in {entry.defect for entry in entries} - {"good", "anomalous"}:
        assert defect in told or "bad = defective" in told


@pytest.mark.parametrize("place", ["report/figures", "figures", "good", "dent", "outputs/sweep", "day/overlays/good"])
def test_pictures_that_radar_drew_make_no_class_and_no_photo(tmp_path, place):
    laid_out(tmp_path, "good", "dent")
    save_figure(Figure((1, 1)), tmp_path / place / "figure.png")
    found = recognise(tmp_path)
    assert found.told == "good = good, dent = defective, a class each, no masks"
    settings = folder_settings(normal="good", anomalous=".")
    layout = LAYOUTS.get("folder")(dataset_config("folder", tmp_path, settings=settings))
    entries = layout.entries()
    assert len(entries) == 4
    assert passed_over(layout, entries) == (
        f"1 passed over: a picture that radar drew, which is no photo: {place}/figure.png",
    )


@pytest.mark.parametrize("beside", ["", "sub/"])
def test_results_beside_the_photos_make_no_class(tmp_path, beside):
    laid_out(tmp_path, "good", "dent", f"{beside}overlays", f"{beside}masks", "parts-1/figures", "parts-1")
    (tmp_path / beside / "predictions.jsonl").touch()
    for name in ("status.json", "config.yaml", "environment.json", "manifest.csv"):
        (tmp_path / "parts-1" / name).touch()
    assert recognise(tmp_path).told == "good = good, dent = defective, a class each, no masks"


def test_masks_that_radar_flagged_are_masks_where_they_are_named(tmp_path):
    laid_out(tmp_path, "good", "bad")
    told = PngInfo()
    told.add_text(SOFTWARE, software("mask"))
    for index in range(2):
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / f"masks/{index}.png", pnginfo=told)
    assert recognise(tmp_path).values["folder.masks"] is None
    config = dataset_config("folder", tmp_path, settings=folder_settings(normal="good", anomalous="bad", masks="masks"))
    entries = LAYOUTS.get("folder")(config).entries()
    assert {entry.mask for entry in entries if entry.label} == {"masks/0.png", "masks/1.png"}


@pytest.mark.parametrize("folders", [["train/good", "test/good", "test/dent"], ["train/good", "test/dent"]])
def test_train_and_test_of_mvtec(tmp_path, folders):
    found = recognise(laid_out(tmp_path, *folders, "ground_truth/dent"))
    assert (found.preset, found.values) == ("mvtec_folder", {"root": str(tmp_path)})
    assert "dent = defective, ground_truth = masks" in found.told


def test_empty_and_hidden_folders_say_nothing(tmp_path):
    (tmp_path / "notes").mkdir()
    laid_out(tmp_path, "good", "bad", ".thumbnails")
    assert recognise(tmp_path).values["folder.anomalous"] == "bad"


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (["good", "ok"], "good, ok could each be the good ones"),
        (["a", "b"], "none of a, b says good"),
        (["bad", "b"], "none of b, bad says good"),
        (["good", "bad", "line2"], "line2 is neither good nor defective"),
        (["good", "unsorted"], "unsorted is neither good nor defective"),
        (["good", "test"], "test is neither good nor defective"),
        (["good", "bad", "gt", "masks"], "gt, masks could each hold the masks"),
        ([".", "good", "bad"], "2 photos lie beside its sub-folders bad, good"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else None,
)
def test_what_names_cannot_tell_is_an_error_that_names_the_keys(tmp_path, folders, said):
    with pytest.raises(DataError) as raised:
        recognise(laid_out(tmp_path, *folders))
    assert said in str(raised.value)
    for key in ("dataset.folder.normal=", "dataset.folder.anomalous=", "dataset.folder.masks="):
        assert key in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "folders", [["train/ok", "test/ng"], ["train/good", "test/ok", "test/dent"], ["train/good"], ["train"]]
)
def test_other_names_than_mvtecs_are_to_be_renamed(tmp_path, folders):
    with pytest.raises(DataError, match=r"rename them so, or name yours with dataset\.folder\.normal="):
        recognise(laid_out(tmp_path, *folders))


@pytest.mark.parametrize("folders", [["bad"], ["NG", "rejects"], ["Not OK"]], ids=str)
def test_defects_alone_are_nothing_to_learn_from(tmp_path, folders):
    with pytest.raises(DataError, match="alone, and radar learns from good photos; put such into a folder good"):
        recognise(laid_out(tmp_path, *folders))


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        recognise(tmp_path / "gone")
    (tmp_path / "photo.png").touch()
    with pytest.raises(DataError, match=r"photo\.png: is a file; name the folder that holds the photos"):
        recognise(tmp_path / "photo.png")
    (tmp_path / "photo.png").unlink()
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(DataError, match=r"holds no images \(read are \.png"):
        recognise(tmp_path)
