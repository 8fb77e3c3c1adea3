"""Pictures: the original's size and colour, one colour range per model, nothing on what is normal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from deploy_builders import SPOT, drawn, quick_model, save, settings
from PIL import Image

from radar.data.decoding import Pixels
from radar.deploy.scorer import ModelScorer
from radar.model import Model
from radar.runtime.examination import Drawable
from radar.runtime.overlays import overlay, write_mask, write_overlay
from radar.runtime.regions import regions
from radar.runtime.stream import examined
from radar.scoring.map_levels import MapLevels, map_levels, map_tops

LEVELS = MapLevels(1.0, 2.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return quick_model(tmp_path_factory.mktemp("normals"))


def test_pictures_of_a_planted_spot(model: Model, tmp_path: Path) -> None:
    colour = np.stack([drawn(1, spot=True)] * 3, axis=-1)
    (each,) = examined(ModelScorer(model), [save(tmp_path / "spot.png", colour)], settings())
    mask, picture = (
        write_mask(tmp_path, each),
        write_overlay(tmp_path, each, settings()),
    )
    assert mask is not None and picture is not None
    flagged = np.asarray(Image.open(mask))
    assert flagged.shape == (200, 300) and set(np.unique(flagged)) == {0, 255}
    assert (flagged == 255).sum() == each.prediction.flagged_area
    x, y, width, height = SPOT
    assert (flagged[y + 4 : y + height - 4, x + 4 : x + width - 4] == 255).all()
    shown = np.asarray(Image.open(picture)).astype(int)
    assert shown.shape == (200, 300, 3)
    assert (shown[:, :150] == colour[:, :150]).all()
    assert (
        np.abs(shown[y + 5 : y + 15, x + 5 : x + 15] - colour[y + 5 : y + 15, x + 5 : x + 15]).max(axis=2) > 20
    ).all()
    assert picture.parent == tmp_path / "overlays" / "defective" and f"_{each.prediction.score:.4g}.png" in picture.name
    assert "defective: score" in Image.open(picture).text["Description"]  # type: ignore[attr-defined]


def test_a_normal_photo_is_shown_as_it_is(model: Model, tmp_path: Path) -> None:
    values = drawn(2)
    (each,) = examined(ModelScorer(model), [save(tmp_path / "one.png", values)], settings())
    picture, mask = (
        write_overlay(tmp_path, each, settings()),
        write_mask(tmp_path, each),
    )
    assert picture is not None and picture.parent.name == "good" and mask is not None
    assert (np.asarray(Image.open(picture)) == values[:, :, None]).all()
    assert not np.asarray(Image.open(mask)).any()


def test_an_unreadable_photo_has_no_pictures(model: Model, tmp_path: Path) -> None:
    (each,) = examined(ModelScorer(model), [tmp_path / "nowhere.png"], settings())
    assert write_overlay(tmp_path, each, settings()) is None and write_mask(tmp_path, each) is None
    assert list(tmp_path.iterdir()) == []


def test_a_map_value_has_one_colour_whatever_else_is_in_the_photo() -> None:
    grey = np.full((20, 40), 128, dtype=np.uint8)
    faint, strong = np.zeros((2, 20, 40), dtype=np.float32)
    faint[5:15, 5:15] = strong[5:15, 5:15] = 1.5
    strong[5:15, 25:35] = 60.0
    shown = [overlay(Pixels(grey, 255), Drawable(values, values > 1, LEVELS), settings()) for values in (faint, strong)]
    assert (shown[0][6:14, 6:14] == shown[1][6:14, 6:14]).all()
    deeper = np.abs(shown[1].astype(int) - 128).sum(axis=2)
    assert deeper[10, 30] > deeper[10, 10] > 0 == deeper[0, 0]


def test_sixteen_bits_are_shown_in_eight() -> None:
    deep = Pixels(np.full((10, 10), 257 * 77, dtype=np.uint16), 65535)
    nothing = Drawable(np.zeros((10, 10), dtype=np.float32), np.zeros((10, 10), dtype=bool), LEVELS)
    assert (overlay(deep, nothing, settings()) == 77).all()


def test_regions_are_large_and_faint_or_small_and_strong() -> None:
    values = np.zeros((50, 60), dtype=np.float32)
    values[2:12, 3:23] = 1.5  # large, faint
    values[30:32, 40:42] = 1.9  # small, faint: none
    values[40, 10] = values[41, 11] = 2.5  # small, strong, touching at a corner
    flagged, found = regions(values, LEVELS, least_area=50)
    assert [(each.x, each.y, each.width, each.height, each.area) for each in found] == [
        (10, 40, 2, 2, 2), (3, 2, 20, 10, 200)
    ]  # fmt: skip
    assert flagged.sum() == 202 and not flagged[30, 40]
    nothing, none = regions(np.ones((5, 5), dtype=np.float32), LEVELS, least_area=1)
    assert none == [] and not nothing.any()


def test_few_new_normal_maps_have_a_region() -> None:
    """Of maps that levels were not taken from, no more than were asked: 5 % here, and the levels are met either way."""
    import torch  # noqa: PLC0415

    noise = torch.randn(400, 40, 40, generator=torch.Generator().manual_seed(0)).abs()
    maps = torch.nn.functional.avg_pool2d(noise[:, None], 5, 1, 2)[:, 0] * (1 + 0.2 * noise[:, :1, :1])
    levels = map_levels(map_tops(maps[:199]), 0.05)
    having = [bool(regions(each.numpy(), levels, 8)[1]) for each in maps[199:]]
    assert 0 < np.mean(having) < 0.09
    tops = map_tops(maps[:3])
    flat = np.sort(maps[:3].flatten(1).numpy(), axis=1)
    np.testing.assert_allclose(tops, flat[:, [-8, -1]], rtol=1e-6)  # 0.5 % of 1,600 pixels


def test_photos_that_follow_each_other_at_one_path_have_pictures_of_their_own(model: Model, tmp_path: Path) -> None:
    path, pictures, areas = tmp_path / "latest.png", set[Path](), list[int]()
    for seed, spot in ((1, True), (2, False), (3, False)):
        save(path, drawn(seed, spot=spot))
        (each,) = examined(ModelScorer(model), [path], settings())
        mask, picture = write_mask(tmp_path, each), write_overlay(tmp_path, each, settings())
        assert mask is not None and picture is not None
        pictures |= {mask, picture}
        areas.append(int((np.asarray(Image.open(mask)) == 255).sum()))
        assert areas[-1] == each.prediction.flagged_area
    assert len(pictures) == 6 and areas[0] > 0 and all(each.is_file() for each in pictures)
