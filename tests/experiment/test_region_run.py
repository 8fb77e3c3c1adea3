"""Whole experiments with a region of interest: what lies outside changes no score, and a model is complete without the mask file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from tiny_experiment import run, scores_of

from radar.cli.main import main
from radar.config.schema import BorderConfig, Config
from radar.deploy.scorer import ModelScorer
from radar.errors import ConfigError
from radar.experiment.run_directory import RunDirectory
from radar.methods.relevance import effective
from radar.model_folder import load
from radar.report.run_figures import read_panels
from radar.runtime.examination import examine
from radar.runtime.overlays import overlay
from radar.runtime.photo import read_photo
from radar.runtime.region_of_interest import mask_of, mask_text
from radar.runtime.settings import PredictSettings
from radar.scoring.border import Border, leaves_nothing

CORNERS = "[[[0.25,0.25],[0.8,0.25],[0.8,0.85],[0.25,0.85]]]"
POLYGON = ("region_of_interest=polygons", f"dataset.image.region_of_interest.polygons={CORNERS}")
QUICK = (
    "experiment=recommended", "dataset=folder", "dataset.image.size=48", "logger=csv", "trainer=cpu", "evaluation.figures=false",
    *(f"method.fused_densities.{part}=null" for part in ("energy", "detail", "context", "colour", "least_side")),
    "method.reduction.pixels=20", "evaluation.panels=1", "dataset.near_duplicates=ignore", "scoring.window=5",
    "method.controls=[raw_sobel,mean_brightness]",
)  # fmt: skip


def photo(seed: int, *, beside: int = 0, spot: tuple[int, int] | None = None, height: int = 80, width: int = 100):
    """Texture on a white table, on which lies what `beside` draws; a defect at `spot`, shares of a hundred."""
    stream = np.random.default_rng(seed)
    values = 240 + stream.normal(0, 1, (height, width))
    values[:, :9] = np.random.default_rng(1000 + beside).integers(
        0, 256, (height, 9)
    )  # a hand, a label: outside of all regions
    part = np.s_[round(0.2 * height) : round(0.9 * height), round(0.2 * width) : round(0.85 * width)]
    values[part] = (110 + 60 * ndimage.gaussian_filter(stream.standard_normal((height, width)), 1))[part]
    if spot is not None:
        y, x = round(spot[0] * height / 100), round(spot[1] * width / 100)
        values[y : y + 8, x : x + 8] = 20
    return np.clip(values, 0, 255).astype(np.uint8)


def save(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Normals, four defects inside the polygon and two outside of it, with masks."""
    root = tmp_path / "photos"
    for seed in range(30):
        save(root / "normal" / f"{seed}.png", photo(seed, beside=seed))
    for seed, spot in enumerate(((40, 40), (50, 60), (60, 35), (35, 60), (5, 50), (92, 50)), start=100):
        values = photo(seed, beside=seed, spot=spot)
        save(root / "anomalous" / "hole" / f"{seed}.png", values)
        mask = (values != photo(seed, beside=seed)).astype(np.uint8) * 255
        save(root / "masks" / "hole" / f"{seed}.png", mask)
    return root


@pytest.fixture
def quick(composed: Callable[..., Config]) -> Callable[..., Config]:
    return lambda root, *overrides: composed(*QUICK, f"dataset.root={root}", "dataset.folder.masks=masks", *overrides)


def test_a_run_and_its_model_with_a_polygon(quick, folder, tmp_path):
    outcome = run(quick(folder, *POLYGON))
    told = [note for note in outcome.notes if "outside the region of interest" in note]
    assert told == [
        "2 defects lie wholly outside the region of interest, first anomalous/hole/104.png: these images count as defective"
    ]
    defects = {row["path"]: row for row in scores_of(outcome) if row["label"] == "1"}
    highest = max(float(row["score"]) for row in scores_of(outcome) if row["label"] == "0")
    for name, row in defects.items():
        assert (float(row["score"]) > highest) == (Path(name).stem < "104"), name
    pixel = outcome.metrics.pixel
    assert pixel.images == 6 + sum(row["split"] == "test" and row["label"] == "0" for row in scores_of(outcome))
    assert (
        pixel.regions == 4 and pixel.auroc > 0.95 and set(outcome.metrics.controls) == {"raw_sobel", "mean_brightness"}
    )
    for panel in read_panels(RunDirectory(outcome.directory).panels):
        assert panel.region is not None and (panel.anomaly_map[~panel.region] == 0).all()
        assert (panel.image[~panel.region] == 1).all()

    model = load(outcome.directory)
    assert model.config.dataset.image.region_of_interest.name == "polygons"
    files = [save(tmp_path / f"{beside}.png", photo(7, beside=beside, spot=(45, 45))) for beside in (1, 2, 3)]
    scores = model.score(files)
    for place in (1, 2):
        assert scores.scores[place] == scores.scores[0]
        np.testing.assert_array_equal(scores.anomaly_maps[place], scores.anomaly_maps[0])
    judged(model, files[0], save(tmp_path / "other.png", photo(7, beside=1, spot=(2, 45))))


def judged(model, defect: Path, beside: Path) -> None:
    """What is said of two photos, one with its defect outside the region."""
    scorer = ModelScorer(model)
    settings = PredictSettings(1, 5, 2.0, 0.5, 1.0, 1.0)
    polygon = np.zeros((80, 100), dtype=bool)
    polygon[20:68, 25:80] = True
    (found,), (none,) = (examine(scorer, [read_photo(path, scorer)], 5) for path in (defect, beside))
    assert found.prediction.decision == "defective" and found.prediction.region_count == 1
    assert none.prediction.region_count == 0
    inside = found.drawable.inside  # of pixels of the picture, which has half as many a side
    sure = ndimage.binary_erosion(polygon, np.ones((3, 3)))
    assert inside[sure].all() and not inside[~ndimage.binary_dilation(polygon, np.ones((3, 3)))].any()
    assert not found.drawable.flagged[~inside].any() and (found.drawable.anomaly_map[~inside] == 0).all()
    assert found.prediction.flagged_share == found.drawable.flagged.sum() / inside.sum()
    drawn = overlay(read_photo(beside, scorer).picture.pixels, none.drawable, settings)
    changed = (drawn != photo(7, beside=1, spot=(2, 45))[..., None]).any(axis=-1)
    np.testing.assert_array_equal(
        changed, ndimage.binary_dilation(inside, np.ones((3, 3))) & ~inside
    )  # its outline, and no more


def test_a_model_is_complete_without_its_mask(quick, folder, tmp_path):
    mask = np.zeros((80, 100), dtype=np.uint8)
    mask[20:68, 25:80] = 1  # any value above 0 is inside
    path, again = save(tmp_path / "a.png", mask), save(tmp_path / "moved" / "b.png", mask)
    chosen = "dataset.image.region_of_interest.mask"
    outcome = run(quick(folder, "region_of_interest=mask", f"{chosen}={path}"))
    by_polygon = run(quick(folder, *POLYGON))
    assert [row["score"] for row in scores_of(outcome)] == [row["score"] for row in scores_of(by_polygon)]
    assert run(
        quick(folder, "region_of_interest=mask", f"{chosen}={again}")
    ).reused  # what it marks counts, not where it lies
    mask[20:40] = 0
    other = run(quick(folder, "region_of_interest=mask", f"{chosen}={save(tmp_path / 'c.png', mask)}"))
    assert not other.reused and other.directory != outcome.directory
    before = load(outcome.directory).score(folder / "normal" / "3.png").scores
    path.unlink()
    again.unlink()
    assert str(tmp_path / "a.png") not in (outcome.directory / "model" / "model.json").read_text()
    np.testing.assert_array_equal(load(outcome.directory).score(folder / "normal" / "3.png").scores, before)


def test_photos_of_several_sizes_and_a_region_that_is_found(quick, tmp_path):
    root = tmp_path / "photos"
    for seed in range(24):
        size = ((80, 100), (96, 90), (72, 130))[seed % 3]
        save(root / "normal" / f"{seed}.png", photo(seed, height=size[0], width=size[1]))
    for seed, spot in enumerate(((40, 40), (50, 60)), start=100):
        save(root / "anomalous" / "hole" / f"{seed}.png", photo(seed, spot=spot, height=88, width=96))
    own = ("dataset.image.aspect=short", "dataset.folder.masks=null", "scoring.border={name: margin, width: 2}")
    outcome = run(quick(root, "region_of_interest=found", "dataset.image.region_of_interest.inset=3", *own))
    assert outcome.metrics.image.auroc == 1.0
    for panel in read_panels(RunDirectory(outcome.directory).panels):
        assert 0.3 < panel.region.mean() < 0.6  # the part, without its rim


def test_a_mask_of_another_aspect_ratio_is_refused_before_anything_is_learnt(quick, folder, tmp_path, capsys):
    square = np.full((50, 50), 255, dtype=np.uint8)
    square[0] = 0
    path = save(tmp_path / "square.png", square)
    words = [
        *QUICK,
        f"dataset.root={folder}",
        "region_of_interest=mask",
        f"dataset.image.region_of_interest.mask={path}",
    ]
    assert main([*words, f"output_root={tmp_path / 'outputs'}"]) != 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "aspect" in line]
    assert "is 100 x 80 px, and the mask of the region of interest is 50 x 50 px" in line and ".png" in line
    assert not list((tmp_path / "outputs").glob("folder-*"))


def test_what_is_wrong_with_a_mask_file_is_one_line(composed, tmp_path):
    chosen = ("region_of_interest=mask", "dataset.image.region_of_interest.mask=")
    black = save(tmp_path / "black.png", np.zeros((9, 9), dtype=np.uint8))
    text = tmp_path / "text.png"
    text.write_text("no image")
    lossy = tmp_path / "lossy.jpg"
    Image.fromarray(np.full((9, 9), 255, dtype=np.uint8)).save(lossy)
    white = save(tmp_path / "white.png", np.full((9, 9), 1, dtype=np.uint8))
    clear = save(tmp_path / "clear.png", np.zeros((9, 9, 4), dtype=np.uint8))
    wrong = {
        white: "marks everything",
        clear: "marks nothing",
        tmp_path / "none.png": "no such file",
        black: "marks nothing",
        text: "not a readable image",
        lossy: "with loss",
    }
    for path, words in wrong.items():
        with pytest.raises(Exception, match=words) as told:
            composed("experiment=recommended", chosen[0], f"{chosen[1]}{path}")
        assert "\n" not in str(told.value) and str(told.value).startswith("dataset.image.region_of_interest.mask")
        assert str(told.value).count(str(path)) <= 1


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("''", ": names no file"),
        (".", ".: is a folder"),
        ("/dev/zero", "/dev/zero: is a pipe or a device"),
        ("'~nosuchuser/m.png'", "~nosuchuser/m.png: there is no home folder of that name"),
        ("m" * 5000, "…: cannot be looked at (File name too long)"),
        ("m.png", "m.png: no such file"),
    ],
)
def test_what_names_no_mask_file_is_one_line(composed, named, words):
    key = "dataset.image.region_of_interest.mask="
    with pytest.raises(ConfigError) as told:
        composed("experiment=recommended", "region_of_interest=mask", f"{key}{named}")
    assert str(told.value).startswith(key) and "\n" not in str(told.value) and len(str(told.value)) < 400
    assert str(told.value).endswith(f"{words}; name an image that marks what counts")


def test_a_margin_that_leaves_nothing_of_a_region_is_refused_before_anything_is_learnt(quick, folder, tmp_path):
    border = "scoring.border={name: margin, width: %d}"
    with pytest.raises(ConfigError) as told:
        run(quick(folder, *POLYGON, border % 16))
    assert str(told.value).startswith("scoring.border.width=16: leaves nothing of the region of interest of ")
    assert str(told.value).endswith("; lower it") and not list((tmp_path / "out").glob("photos*"))


@pytest.mark.parametrize("name", ["margin", "none"])
def test_what_a_margin_leaves_of_a_region_is_counted_by_its_own_pixels(name):
    inside = np.zeros((20, 30), dtype=bool)
    inside[4:13, 6:26] = True  # 9 px high
    for width in range(1, 8):
        left, config = ndimage.binary_erosion(inside, np.ones((2 * width + 1,) * 2)), BorderConfig(name, width)
        assert leaves_nothing(inside, config) == (name == "margin" and not left.any())
        counted = Border(config).counted_inside(torch.from_numpy(inside)[None])[0].numpy()
        np.testing.assert_array_equal(counted, left if name == "margin" and left.any() else inside)


def test_a_section_of_ones_own_names_no_keys_of_other_kinds(composed):
    region = "{name: polygons, polygons: [[[0, 0], [1, 0], [1, 1]]], tolerance: null, thinnest: null, inset: null}"
    config = composed("experiment=recommended", f"+dataset.image.region_of_interest={region}")
    assert config.dataset.image.region_of_interest.mask is None


def test_an_even_width_of_background_is_refused(composed):
    key = "dataset.image.region_of_interest.thinnest=4"
    with pytest.raises(ConfigError) as told:
        composed("experiment=recommended", "region_of_interest=found", key)
    assert str(told.value) == f"{key}: must be odd; 3 and 5 are"


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 0, 9)])
@pytest.mark.parametrize("beside", [(255, 255, 255, 0), (0, 0, 0, 0), (7, 8, 9, 100)])
def test_a_shape_that_a_mask_has_in_its_alpha_is_the_region(composed, tmp_path, colour, beside):
    drawn = np.full((20, 30, 4), beside, dtype=np.uint8)
    drawn[4:15, 6:25] = (*colour, 255)
    inside = np.zeros((20, 30), dtype=bool)
    inside[4:15, 6:25] = True
    chosen = f"dataset.image.region_of_interest.mask={save(tmp_path / 'shape.png', drawn)}"
    config = composed("experiment=recommended", "region_of_interest=mask", chosen)
    assert config.dataset.image.region_of_interest.mask == mask_text(inside)


def test_of_what_is_opaque_in_a_mask_black_is_outside(composed, tmp_path):
    drawn = np.full((20, 30, 4), (255, 255, 255, 0), dtype=np.uint8)
    drawn[4:15, 6:25] = (1, 1, 1, 255)
    drawn[8:10, 6:25] = (0, 0, 0, 255)
    chosen = f"dataset.image.region_of_interest.mask={save(tmp_path / 'shape.png', drawn)}"
    config = composed("experiment=recommended", "region_of_interest=mask", chosen)
    found = mask_of(config.dataset.image.region_of_interest.mask)
    np.testing.assert_array_equal(np.flatnonzero(found.any(axis=1)), [4, 5, 6, 7, 10, 11, 12, 13, 14])


def test_data_check_tells_of_defects_outside(folder, capsys):
    words = (
        *QUICK[1:2],
        *POLYGON,
        f"dataset.root={folder}",
        "dataset.folder.masks=masks",
        "dataset.near_duplicates=ignore",
    )
    assert main(["data", "check", *words, "experiment=recommended", "dataset.image.size=48"]) == 0
    assert "note: 2 defects lie wholly outside the region of interest" in capsys.readouterr().err


def test_a_run_without_a_region_has_no_such_key(quick, folder):
    assert "region_of_interest" not in json.dumps(effective(quick(folder)))
    assert "region_of_interest" in json.dumps(effective(quick(folder, *POLYGON)))
