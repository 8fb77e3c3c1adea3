"""Sets of images of several sizes: each is learnt from, scored and measured at its own, as it is alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_experiment import TINY, run, scores_of
from tiny_methods import METHODS as SHORT

import radar
from radar.config.schema import Config
from radar.data.images import read_images
from radar.errors import ConfigError
from radar.evaluation.pixel_metrics import pixel_metrics
from radar.experiment.panels import read_panels
from radar.experiment.run_directory import RunDirectory
from radar.runtime.placement import place_map

Tiny = Callable[..., Config]
SIZES = ((48, 48), (48, 70), (64, 40))
METHODS = {
    "radar": ("method=radar",),
    "radar, stitched": ("method=radar", "scoring.field=stitched"),
    "recommended": ("method=fused_densities", "dataset.image.channels=grey", "method.fused_densities.colour=null", "unet=compact",
                    "scoring.field=whole"),
    "windows": ("method=pca", "method.windows.size=9"),
    "osd_irf": ("method=osd_irf",),
    "ddpm": ("method=ddpm", *SHORT["ddpm"]),
}  # fmt: skip
FOLDER = (*(each for each in TINY if not each.startswith("dataset.synthetic")), "dataset=folder", "dataset.split=random",
          "dataset.folder.masks=masks", "dataset.image.size=null", "dataset.image.aspect=short", "dataset.test_fraction=0.4",
          "evaluation.panels=1", "method.controls=[]")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen photos of noise of three sizes, and six with a bright square, which masks mark."""
    root, stream = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(21):
        height, width = SIZES[number % 3]
        values, mask = stream.normal(110, 8, (height, width)), np.zeros((height, width), np.uint8)
        kind = "normal" if number < 15 else "anomalous"
        if number >= 15:
            values[20:30, 8:20] += 80
            mask[20:30, 8:20] = 255
            save(root / "masks" / f"{number:02}.png", mask)
        save(root / kind / f"{number:02}.png", np.clip(values, 0, 255).astype(np.uint8))
    return root


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def mask_of(photo: Path) -> np.ndarray:
    return np.asarray(Image.open(photo.parent.parent / "masks" / photo.name)) > 0


@pytest.mark.parametrize("name", METHODS)
def test_each_image_is_what_it_is_alone(composed: Tiny, folder: Path, name: str) -> None:
    config = composed(*FOLDER, f"dataset.root={folder}", *METHODS[name])
    outcome = run(config)
    model, lines = radar.load(outcome.directory), [line for line in scores_of(outcome) if line["split"] == "test"]
    paths = [folder / line["path"] for line in lines]
    alone = [model.score(path) for path in paths]
    assert [each.scores[0] for each in alone] == [float(line["score"]) for line in lines]
    assert {each.anomaly_maps[0].shape for each in alone} == set(SIZES)
    together = model.score(paths)
    assert all((one.anomaly_maps[0] == other).all() for one, other in zip(alone, together.anomaly_maps, strict=True))
    # pixel metrics are those of these maps on the masks
    labels = [int(line["label"]) for line in lines]
    masks = [mask_of(path) if label else None for path, label in zip(paths, labels, strict=True)]
    maps = [each.anomaly_maps[0].numpy() for each in alone]
    expected = pixel_metrics(maps, masks, labels, config.evaluation.aupro_limit)
    assert outcome.metrics.pixel is not None and asdict(outcome.metrics.pixel) == asdict(expected)
    panels = read_panels(RunDirectory(outcome.directory).panels)
    assert panels and all(panel.image.shape[:2] == panel.anomaly_map.shape for panel in panels)


@pytest.mark.parametrize(
    ("image", "sizes"),
    [
        (("size=24", "aspect=short"), {(24, 24), (24, 35), (38, 24)}),
        (("size=32", "aspect=long"), {(32, 32), (22, 32), (32, 20)}),
        (("resolution=6", "file_resolution=12"), {(24, 24), (24, 35), (32, 20)}),
        (("size=20", "width=30", "aspect=stretch"), {(20, 30)}),
    ],
)
def test_pictures_have_the_size_that_is_asked_for_and_maps_lie_on_the_photo(
    composed: Tiny, folder: Path, image: tuple[str, ...], sizes: set[tuple[int, int]]
) -> None:
    asked = [f"dataset.image.{each}" for each in image]
    model = radar.load(
        run(composed(*FOLDER, f"dataset.root={folder}", "method=pca", "method.windows.size=5", *asked)).directory
    )
    paths = sorted((folder / "anomalous").iterdir())
    found = model.score(paths)
    assert {tuple(each.shape) for each in found.anomaly_maps} == sizes
    loaded = read_images(paths, model.files, model.config.dataset.image)
    for anomaly_map, frame in zip(found.anomaly_maps, loaded.frames, strict=True):
        row, column = np.unravel_index(np.argmax(place_map(anomaly_map.numpy(), frame)), frame.shape)
        assert 17 <= row < 33 and 5 <= column < 23


def test_what_needs_one_size_says_so(composed: Tiny, folder: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"method=ddad: takes images of one size, and there are 3; set dataset\.image\.aspect"
    ):
        run(composed(*FOLDER, f"dataset.root={folder}", "method=ddad", "method.reconstruction.adaptation.max_steps=2"))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (("width=30",), "dataset.image.width=30: is that of a rectangle"),
        (("size=20", "width=30", "aspect=long"), "dataset.image.width=30: is that of a rectangle"),
        (("resolution=3",), "set dataset.image.file_resolution, too"),
        (("file_resolution=3",), "set dataset.image.resolution, too"),
        (("size=20", "resolution=3", "file_resolution=3"), "dataset.image.resolution=3.0: decides the size of each picture"),
    ],
)  # fmt: skip
def test_keys_that_contradict_each_other_are_refused(
    composed: Tiny, folder: Path, image: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConfigError) as error:
        composed(*FOLDER, f"dataset.root={folder}", "method=pca", *(f"dataset.image.{each}" for each in image))
    assert said in str(error.value)


def test_where_a_resolution_decides_no_size_is_known_before_the_files_are(composed: Tiny) -> None:
    enlarged = ("dataset.image.size=null", "dataset.image.aspect=short", "dataset.image.resolution=4")
    side = composed(*TINY, "dataset.image.size=null").dataset.settings.side
    wider = f"scoring.window={2 * side - 1}"
    assert composed(*TINY, *enlarged, "dataset.image.file_resolution=1", wider).scoring.window == 2 * side - 1
    with pytest.raises(ConfigError, match=r"scoring\.window=\d+: must be ≤ the image's side"):
        composed(*TINY, "dataset.image.size=null", wider)


def test_scores_are_levelled_where_photos_keep_their_sizes_and_only_there(composed: Tiny, folder: Path) -> None:
    grown = {}
    for name, size in (("own", ()), ("one", ("dataset.image.size=48", "dataset.image.aspect=stretch"))):
        config = composed(*FOLDER, f"dataset.root={folder}", *METHODS["recommended"], *size)
        model = radar.load(run(config).directory)
        grown[name] = {key: float(value) for key, value in model.method.reading.state_dict().items()}
    assert grown["one"] == {"growth": 0.0, "area": 1.0}
    assert grown["own"]["growth"] > 0 and grown["own"]["area"] in {height * width for height, width in SIZES}


@pytest.mark.parametrize(
    "image",
    [("aspect=pad", "size=32"), ("aspect=pad", "size=32", "width=56"), ("aspect=crop", "size=32"), ("aspect=stretch", "size=32"),
     ("aspect=long", "size=40"), ("aspect=short", "size=24")],
    ids=" ".join,
)  # fmt: skip
def test_what_a_panel_marks_is_what_its_picture_shows(composed: Tiny, folder: Path, image: tuple[str, ...]) -> None:
    asked = [*(f"dataset.image.{each}" for each in image), "evaluation.panels=8"]
    outcome = run(composed(*FOLDER, f"dataset.root={folder}", "method=pca", "method.windows.size=5", *asked))
    panels = read_panels(RunDirectory(outcome.directory).panels)
    defective = [panel for panel in panels if "anomalous/" in panel.path]
    assert len(defective) >= 4 and len({Image.open(folder / panel.path).size for panel in defective}) == len(SIZES)
    for panel in defective:
        assert panel.mask is not None
        marked = np.asarray(Image.fromarray(panel.mask).resize(panel.image.shape[::-1]))
        bright = panel.image > 0.58  # halfway between the ground and the square
        assert (bright & marked).sum() > 0.7 * (bright | marked).sum()
        row, column = np.unravel_index(np.argmax(panel.anomaly_map), panel.anomaly_map.shape)
        assert marked[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3].any()


def test_contrast_and_flatness_are_of_brightness_however_colour_is_read(composed: Tiny, tmp_path: Path) -> None:
    """Red marks that are as bright as what is around them have no contrast, whatever the mean of their channels is."""
    stream = np.random.default_rng(4)
    for number in range(20):
        values = stream.normal(110, 8, (48, 48, 3))
        if number >= 14:
            bright = values[20:30, 8:20] @ (0.299, 0.587, 0.114)
            values[20:30, 8:20] = np.stack([bright * 1.5, bright * (1 - 0.1495 / 0.587), bright], axis=2)
            mask = np.zeros((48, 48), np.uint8)
            mask[20:30, 8:20] = 255
            save(tmp_path / "masks" / f"{number:02}.png", mask)
        kind = "normal" if number < 14 else "anomalous"
        save(tmp_path / kind / f"{number:02}.png", np.clip(values, 0, 255).astype(np.uint8))
    measured = []
    for channels in ("rgb", "luma_chroma", "grey"):
        outcome = run(
            composed(
                *FOLDER,
                "method=lof",
                f"dataset.root={tmp_path}",
                "dataset.image.size=48",
                f"dataset.image.channels={channels}",
            )
        )
        rows = [float(row["defect_contrast"]) for row in scores_of(outcome) if row["defect_contrast"]]
        measured.append(
            [json.loads((outcome.directory / "metrics.json").read_text())["data"]["spectral_flatness"], *rows]
        )
    assert len(measured[0]) == 7 and max(measured[0][1:]) < 0.5
    for other in measured[1:]:
        assert other == pytest.approx(measured[0], rel=1e-3, abs=2e-3)
