"""Predictions: planted defects where they are, in order, past bad files, of any kind of picture, in bounded memory."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from deploy_builders import SPOT, decisions, drawn, quick_model, save, settings
from PIL import Image

import radar
from radar.deploy.scorer import ModelScorer
from radar.errors import ConfigError, DataError, RunError
from radar.memory import OutOfMemoryError
from radar.model import Model
from radar.runtime import stream
from radar.runtime.prediction import COLUMNS, csv_header, csv_line, from_json, json_line
from radar.runtime.stream import batches, examined, read_ahead


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return quick_model(tmp_path_factory.mktemp("normals"))


def predicted(model: Model, *paths: Path):
    return list(radar.predict(model, paths))


def test_a_planted_spot_is_found_where_it_is(model: Model, tmp_path: Path) -> None:
    (said,) = predicted(model, save(tmp_path / "spot.png", drawn(1000, spot=True)))
    assert (said.decision, said.width, said.height, said.error) == ("defective", 300, 200, None)
    assert said.score is not None and said.score > said.threshold == model.threshold
    (region,) = said.regions
    x, y, width, height = SPOT
    a_pixel_of_the_model = (300 / 64, 200 / 64)
    for found, planted, slack in (
        (region.x, x, 2 * a_pixel_of_the_model[0] + 1), (region.x + region.width, x + width, 2 * a_pixel_of_the_model[0] + 1),
        (region.y, y, 2 * a_pixel_of_the_model[1] + 1), (region.y + region.height, y + height, 2 * a_pixel_of_the_model[1] + 1),
    ):  # fmt: skip
        assert abs(found - planted) <= slack
    assert width * height * 0.8 < region.area == said.flagged_area < width * height * 3
    assert said.flagged_share == said.flagged_area / 60_000
    assert said.p_value == 1 / 25


def test_a_normal_photo_has_nothing_flagged(model: Model, tmp_path: Path) -> None:
    photos = [save(tmp_path / f"{seed}.png", drawn(2000 + seed)) for seed in range(20)]
    said = predicted(model, *photos)
    assert decisions(said).count("defective") <= 4  # 1 in 20 was asked of 24 normals
    assert sum(each.region_count for each in said) <= 2


def test_brightness_and_sharpness_are_what_they_say(model: Model, tmp_path: Path) -> None:
    flat = save(tmp_path / "flat.png", np.full((64, 64), 51, dtype=np.uint8))
    board = save(tmp_path / "board.png", (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8))
    first, second = predicted(model, flat, board)
    assert first.brightness == pytest.approx(0.2) and first.sharpness == pytest.approx(0, abs=1e-12)
    # each pixel of a chessboard differs by 1 from all four neighbours: the Laplacian is ±4
    assert second.brightness == pytest.approx(0.5) and second.sharpness == pytest.approx(16)


def test_order_is_kept_and_bad_files_stop_nothing(model: Model, tmp_path: Path) -> None:
    whole = save(tmp_path / "1_whole.png", drawn(1)).read_bytes()
    (tmp_path / "2_cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "3_empty.png").touch()
    (tmp_path / "4_text.png").write_text("no picture")
    save(tmp_path / "5_folder.png" / "inside.png", drawn(2))
    save(tmp_path / "6_spot.png", drawn(3, spot=True))
    said = predicted(model, tmp_path, tmp_path / "nowhere.png")
    names = [str(Path(each.path).relative_to(tmp_path)) for each in said]
    assert names == [
        "1_whole.png", "2_cut.png", "3_empty.png", "4_text.png", "6_spot.png", "5_folder.png/inside.png", "nowhere.png",
    ]  # fmt: skip
    found = dict(zip(names, decisions(said), strict=True))
    assert [name for name, decision in found.items() if decision == "unreadable"] == [
        "2_cut.png", "3_empty.png", "4_text.png", "nowhere.png"
    ]  # fmt: skip
    assert found["6_spot.png"] == "defective" and found["1_whole.png"] == "good"
    for each in said:
        assert (each.error is not None) == (each.decision == "unreadable") == (each.score is None)
        assert each.error is None or ("\n" not in each.error and each.path not in each.error)
    assert said[2].content_hash == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert said[-1].content_hash is None and said[-1].error == "no such file"


def test_grey_colour_alpha_and_sixteen_bits_are_one_photo(model: Model, tmp_path: Path) -> None:
    values = drawn(7, spot=True)
    colour = np.stack([values] * 3, axis=-1)
    paths = [
        save(tmp_path / "grey.png", values),
        save(tmp_path / "colour.png", colour),
        save(tmp_path / "alpha.png", np.dstack([colour, np.full_like(values, 9)])),
        save(tmp_path / "deep.png", values.astype(np.uint16) * 257),
        save(tmp_path / "deep.tif", values.astype(np.uint16) * 257),
        save(tmp_path / "colour.bmp", colour),
    ]
    said = predicted(model, *paths)
    for each in said:
        assert each.score == pytest.approx(said[0].score, rel=1e-4)
        assert each.regions[0].x == pytest.approx(said[0].regions[0].x, abs=1)


@pytest.mark.parametrize("aspect", ["crop", "pad"])
def test_regions_are_in_the_originals_pixels_whatever_the_window(tmp_path: Path, aspect: str) -> None:
    model = quick_model(tmp_path / "normals", f"dataset.image.aspect={aspect}")
    (each,) = examined(ModelScorer(model), [save(tmp_path / "spot.png", drawn(5, spot=True))], settings())
    (region,) = each.prediction.regions
    assert abs(region.x - SPOT[0]) <= 12 and abs(region.y - SPOT[1]) <= 12
    assert each.drawable is not None and each.drawable.anomaly_map.shape == (200, 300)
    if aspect == "crop":  # the model sees columns 50 to 249
        assert not each.drawable.anomaly_map[:, :50].any() and not each.drawable.anomaly_map[:, 250:].any()


def test_names_of_all_kinds_come_back_from_either_format(model: Model, tmp_path: Path) -> None:
    names = ["with space.png", "Größe 測定.png", "line\nbreak.png", 'quote",comma.png', "\udcff.png"]
    paths = [save(tmp_path / name, drawn(1)) for name in names]
    said = predicted(model, *paths)
    assert [each.path for each in said] == [str(path) for path in paths]
    lines = [json_line(each) for each in said]
    assert all("\n" not in line and line.isascii() for line in lines)
    assert [from_json(line) for line in lines] == said
    table = csv_header() + "".join(csv_line(each) for each in said)
    table.encode()
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["path"] for row in rows[:4]] == [str(path) for path in paths[:4]]
    assert rows[4]["path"].endswith("\\udcff.png")
    assert tuple(rows[0]) == COLUMNS
    assert [float(row["score"]) for row in rows] == [each.score for each in said]
    assert [json.loads(row["regions"]) for row in rows] == [[] for _ in said]


def test_a_score_that_is_no_number_is_not_called_good(model: Model, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(type(model.detector), "score", lambda self, points: np.full(len(points), np.nan))
    (said,) = predicted(model, save(tmp_path / "one.png", drawn(1)))
    assert said.decision == "unreadable" and said.error == "its score is nan"


def test_what_names_nothing_is_refused_before_the_first_photo(model: Model, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    one = save(tmp_path / "one" / "1.png", drawn(1))
    for name in (tmp_path / "two", tmp_path / "*.jpg"):
        (tmp_path / "two").mkdir(exist_ok=True)
        with pytest.raises(DataError, match="holds no images"):
            predicted(model, one, name)
    with pytest.raises(ConfigError, match="regions=-1: must be ≥ 0"):
        radar.predict(model, [one], "regions=-1")


@pytest.mark.parametrize("kind", [str, Path])
def test_one_path_is_one_path(model: Model, tmp_path: Path, monkeypatch, kind) -> None:
    save(tmp_path / "n" / "1.png", drawn(1))
    save(tmp_path / "elsewhere.png", drawn(2))
    monkeypatch.chdir(tmp_path)
    for name in ("n", "./n"):  # of characters, the second would be the working folder, and then its root
        assert [each.path for each in radar.predict(model, kind(name))] == ["n/1.png"]
    assert len(model.score(kind("n/1.png"))) == 1


NO_PATHS = {
    "an array": np.zeros((4, 4)),
    "an array among paths": ["one.png", np.zeros((4, 4))],
    "a picture": [Image.new("L", (4, 4))],
    "a picture by itself": Image.new("L", (4, 4)),
    "bytes": b"one.png",
    "bytes among paths": [b"one.png"],
    "nothing": None,
    "nothing among paths": ["one.png", None],
    "a number": 3,
    "an empty name": "",
    "an empty name among paths": ["one.png", ""],
    "a tuple of paths among paths": [("one.png", "two.png")],
}


@pytest.mark.parametrize("kind", NO_PATHS)
def test_what_is_no_path_is_one_line(model: Model, tmp_path: Path, monkeypatch, kind) -> None:
    save(tmp_path / "one.png", drawn(1))
    monkeypatch.chdir(tmp_path)
    for ask in (lambda given: radar.predict(model, given), model.score):
        with pytest.raises(DataError, match=r"^a (value of type \S+ is no path|path is empty).*; name [^\n]*$"):
            ask(NO_PATHS[kind])


@pytest.mark.parametrize("given", ["outputs/run", Path("outputs/run"), None, {}], ids=str)
def test_what_is_no_model_is_one_line(tmp_path: Path, given) -> None:
    with pytest.raises(RunError, match=r"^a value of type \w+ is no model; give what radar\.load returns$"):
        radar.predict(given, [save(tmp_path / "one.png", drawn(1))])


@pytest.mark.parametrize("override", [Path("two.png"), 5, b"regions=1", None, "two.png"], ids=str)
def test_what_is_no_override_is_one_line(model: Model, tmp_path: Path, override) -> None:
    with pytest.raises(ConfigError, match=r"^[^\n]+$"):
        radar.predict(model, [save(tmp_path / "one.png", drawn(1))], override)


@pytest.mark.parametrize(
    "key", ["device=cuda", "threads=7", "interval=9", "patience=1", "opacity=0.5", "colour_range=2"]
)
def test_a_key_that_no_line_depends_on_is_refused(model: Model, tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{re.escape(key)}: radar\.predict does not read it; leave it out$"):
        radar.predict(model, [save(tmp_path / "one.png", drawn(1))], key)
    assert len(list(radar.predict(model, [tmp_path / "one.png"], "decode_ahead=1", "regions=3"))) == 1


@pytest.mark.parametrize("plugins", [None, 5, [None], {"a": 1}], ids=str)
def test_what_names_no_modules_is_one_line(tmp_path: Path, plugins) -> None:
    with pytest.raises(ConfigError, match=r"^plugins: a value of type \w+ names no modules; [^\n]*$"):
        radar.load(tmp_path, plugins=plugins)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("sizes must match"), "the model does not take an image of this size"),
        (RunError("no window"), "the model does not take an image of this size"),
        (MemoryError(), "there is too little memory for an image of this size"),
        (torch.OutOfMemoryError("CUDA out of memory"), "there is too little memory for an image of this size"),
    ],
    ids=repr,
)
def test_why_a_photo_of_its_own_size_is_not_scored_is_told(
    tmp_path: Path, monkeypatch, error: Exception, told: str
) -> None:
    """Where its method fails on it; a model of one size has that as it is, which is no photo's fault."""

    def fails(*_: object, **__: object) -> None:
        raise error

    for size in ("null", "64"):
        model = quick_model(tmp_path / "normals", f"dataset.image.size={size}")
        monkeypatch.setattr(type(model.method), "respond", fails)
        path = save(tmp_path / "one.png", drawn(1))
        if size == "null":
            (said,) = predicted(model, path)
            assert (said.decision, said.error) == ("unreadable", told)
        else:
            with pytest.raises(
                OutOfMemoryError if "memory" in told else type(error), match=r"out of memory|sizes|no window"
            ):
                predicted(model, path)
        monkeypatch.undo()


def test_many_regions_are_counted_and_the_highest_listed(model: Model, tmp_path: Path) -> None:
    values = drawn(1)
    for index, x in enumerate(range(20, 280, 60)):
        values[80:110, x : x + 30] = 150 + 20 * index
    path = save(tmp_path / "many.png", values)
    (said,) = radar.predict(model, [path], "regions=2")
    assert said.region_count == 5 and len(said.regions) == 2
    assert said.regions[0].x > said.regions[1].x > 180
    assert said.regions[0].peak > said.regions[1].peak


def test_few_photos_are_held_at_a_time(model: Model, tmp_path: Path, monkeypatch) -> None:
    path = save(tmp_path / "one.png", drawn(1))
    begun, most = 0, 0
    lock, real = threading.Lock(), stream.read_photo

    def counted(*arguments):
        nonlocal begun
        with lock:
            begun += 1
        return real(*arguments)

    monkeypatch.setattr(stream, "read_photo", counted)
    for done, _ in enumerate(read_ahead([path] * 40, ModelScorer(model), 3)):
        most = max(most, begun - done)
    assert begun == 40 and most <= 4


def test_a_pass_takes_readable_photos_of_one_size(tmp_path: Path) -> None:
    own_size = quick_model(tmp_path / "normals", "dataset.image.size=null")
    small, large = save(tmp_path / "small.png", drawn(1, width=64, height=64)), save(tmp_path / "large.png", drawn(1))
    bad = tmp_path / "bad.png"
    bad.touch()
    names = [bad, small, bad, small, small, large, small, bad]
    grouped = [[photo.path for photo in batch] for batch in batches(read_ahead(names, ModelScorer(own_size), 2), 2)]
    assert grouped == [[bad], [small, bad, small], [small], [large], [small, bad]]


def test_several_photos_in_a_pass_are_told_apart(tmp_path: Path) -> None:
    model = quick_model(tmp_path / "normals", "scoring.images_per_pass=4")
    paths = [save(tmp_path / f"{seed}.png", drawn(seed, spot=seed % 3 == 0)) for seed in range(10)]
    paths.insert(5, tmp_path / "nowhere.png")
    together = predicted(model, *paths)
    assert [each.path for each in together] == [str(path) for path in paths]
    assert decisions(together) == [*("defective", "good", "good", "defective", "good"), "unreadable", "good", *(
        "defective", "good", "good", "defective"
    )]  # fmt: skip


def test_images_keep_their_own_size_where_the_model_does(tmp_path: Path) -> None:
    model = quick_model(tmp_path / "normals", "dataset.image.size=null")
    paths = [save(tmp_path / "a.png", drawn(1, spot=True)), save(tmp_path / "b.png", drawn(2, width=120, height=90))]
    said = predicted(model, *paths)
    assert decisions(said)[0] == "defective" and (said[1].width, said[1].height) == (120, 90)
    assert abs(said[0].regions[0].x - SPOT[0]) <= 3 and abs(said[0].regions[0].width - SPOT[2]) <= 6


def test_an_image_is_hashed_and_decoded_from_the_same_bytes(model: Model, tmp_path: Path, monkeypatch) -> None:
    """A camera may overwrite a file between the two."""
    path, later = save(tmp_path / "one.png", drawn(1)), drawn(2, spot=True)
    (first,) = predicted(model, path)
    before = Path.read_bytes

    def overwritten(self):
        content = before(self)
        save(self, later)
        return content

    monkeypatch.setattr(Path, "read_bytes", overwritten)
    (again,) = predicted(model, path)
    monkeypatch.undo()
    assert (again.content_hash, again.score) == (first.content_hash, first.score)
    assert predicted(model, path)[0].decision == "defective"


def test_a_named_crop_is_a_photo_of_its_own(model: Model, tmp_path: Path) -> None:
    path = save(tmp_path / "strip.png", np.hstack([drawn(1), drawn(2, spot=True)]))
    crops = [f"{path}#xywh=0,0,300,200", f"{path}#xywh=300,0,300,200", f"{path}#xywh=500,0,300,200"]
    said = predicted(model, *crops)
    assert decisions(said) == ["good", "defective", "unreadable"]
    assert [each.path for each in said] == crops and (said[1].width, said[1].height) == (300, 200)
    assert abs(said[1].regions[0].x - SPOT[0]) <= 12
    assert said[2].error is not None and "ends outside" in said[2].error
    # as the manifest of a data set of crops has them, so that a reviewed table knows which were learnt from
    assert [each.content_hash for each in said[:2]] == [model.files.content_hash(Path(crop)) for crop in crops[:2]]
    assert len({each.content_hash for each in said}) == 3
