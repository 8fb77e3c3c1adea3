"""Pictures that radar drew are no photos, wherever they lie, unless a file is named itself."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deploy_builders import drawn, quick_model, save, save_model, settings
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

import radar
from radar.cli.exit_codes import DONE
from radar.cli.main import main
from radar.deploy.scorer import ModelScorer
from radar.errors import DataError
from radar.inspect.pictures import layers
from radar.model import Model
from radar.report.figures import save_figure
from radar.runtime.log import continued_log
from radar.runtime.overlays import write_mask, write_overlay
from radar.runtime.own_pictures import is_own_picture
from radar.runtime.paths import image_files, note_on_passed_over, passed_over
from radar.runtime.stream import examined
from radar.runtime.watch import Watcher

KINDS = ("figure", "overlay", "mask", "map", "flagged", "thumbnail")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return quick_model(tmp_path_factory.mktemp("normals"))


@pytest.fixture(scope="module")
def pictures(model: Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of each kind."""
    folder = tmp_path_factory.mktemp("pictures")
    save_figure(Figure((1, 1)), folder / "figure.png")
    (each,) = examined(ModelScorer(model), [save(folder / "spot.png", drawn(1, spot=True))], settings())
    written = {
        "figure": folder / "figure.png",
        "overlay": write_overlay(folder, each, settings()),
        "mask": write_mask(folder, each),
    }
    for kind, content in layers(each, settings(), 1024).items():
        if kind != "photo":  # that is what was given, in another format
            written[kind] = folder / f"{kind}.png"
            (folder / f"{kind}.png").write_bytes(content)
    return {kind: path for kind, path in written.items() if path is not None}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["b.png", "sub/B.PNG", "sub/deep/b.png"])
def test_folders_and_patterns_pass_over_it_and_its_own_name_takes_it(
    pictures: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("sub/deep/a.png"), drawn(1))
    shutil.copy(pictures[kind], place)
    for named in (".", "**/*.png", "**", "sub/deep/a.*", "s*"):
        assert [path.name for path in image_files([named])] == ["a.png"], named
    for named in (".", "**"):
        assert passed_over([named]) == [Path(place)]
    assert "1 files were passed over" in note_on_passed_over(["."])
    assert list(image_files([place])) == [Path(place)] and note_on_passed_over([place]) == ""


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a/**/*.png", "b"], ["a/0.png", "b"]], ids=str)
def test_photos_that_vanish_while_a_folder_is_read_are_still_told(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    """As of a stick that is pulled: the others were there when they were named, and are not passed over."""
    monkeypatch.chdir(tmp_path)
    for number in range(9):
        save(Path(f"a/{number}.png"), drawn(number))
        save(Path(f"a/below/{number}.png"), drawn(number))
        save(Path(f"b/{number}.png"), drawn(number))
    expected = list(image_files(names))
    found = []
    for each in radar.predict(model, names):
        shutil.rmtree("a", ignore_errors=True)
        shutil.rmtree("b", ignore_errors=True)
        found.append((Path(each.path), each.decision))
    assert [path for path, _ in found] == expected
    assert found[0][1] != "unreadable" and [decision for _, decision in found[-2:]] == ["unreadable"] * 2


def test_where_there_is_nothing_else_that_is_told(pictures: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy(pictures["figure"], tmp_path / "loss.png")
    with pytest.raises(DataError, match=r"holds no images \(read are .*, but none that radar drew, and no masks\)"):
        image_files([str(tmp_path)])


def test_a_photo_in_place_of_it_is_a_photo(pictures: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "charts.png"
    shutil.copy(pictures["figure"], path)
    assert is_own_picture(path)
    save(tmp_path / "photo.png", drawn(1)).replace(path)
    assert not is_own_picture(path)


def test_photos_of_other_programs_with_texts_of_their_own_are_photos(tmp_path: Path) -> None:
    for number, (name, text) in enumerate([("Software", "darktable"), ("Comment", "radar figure"), ("Software", "")]):
        told = PngImagePlugin.PngInfo()
        told.add_text(name, text)
        Image.fromarray(drawn(number)).save(tmp_path / f"{number}.png", pnginfo=told)
    assert len(list(image_files([str(tmp_path)]))) == 3


@pytest.mark.parametrize("kind", ["empty", "cut", "a pipe", "a folder", "a link to nothing", "closed"])
def test_what_cannot_be_read_is_none(pictures: dict[str, Path], tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.png"
    made: dict[str, Callable[[], object]] = {
        "empty": path.touch,
        "cut": lambda: path.write_bytes(pictures["figure"].read_bytes()[:20]),
        "a pipe": lambda: os.mkfifo(path),
        "a folder": path.mkdir,
        "a link to nothing": lambda: path.symlink_to("nowhere.png"),
        "closed": lambda: (path.touch(), path.chmod(0)),
    }
    made[kind]()
    assert not is_own_picture(path)


def test_a_watch_passes_over_what_is_drawn_meanwhile(model: Model, pictures: dict[str, Path], tmp_path: Path) -> None:
    watcher, stop = Watcher(ModelScorer(model), tmp_path, settings("interval=0.02", "patience=0.3")), threading.Event()
    said: list[str] = []
    with continued_log(tmp_path, watcher.remember):
        thread = threading.Thread(
            target=watcher.run, args=(lambda each: said.append(Path(each.prediction.path).name), stop)
        )
        thread.start()
        try:
            for kind in KINDS:
                shutil.copy(pictures[kind], tmp_path / f"{kind}.png")
            time.sleep(0.4)
            save(tmp_path / "last.png", drawn(1))
            end = time.monotonic() + 60
            while not said:
                assert time.monotonic() < end, "it did not come about"
                time.sleep(0.01)
            time.sleep(0.2)
        finally:
            stop.set()
            thread.join()
    assert said == ["last.png"]


def test_what_the_commands_draw_between_photos_is_never_scored(
    model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(model, tmp_path / "run" / "model")
    run, photos = str(tmp_path / "run"), tmp_path / "photos"
    for number in range(20):
        save(photos / f"{number:02}.png", drawn(7000 + number, width=64, height=64))
    out = photos / "line"
    main(["predict", run, str(photos), "--out", str(out), "--overlays", "--masks"])
    main(["monitor", run, str(out), "--picture", str(out / "charts.png"), "baseline=10", "run_length=100"])
    assert (out / "charts.png").is_file()
    for moved, named in ((out / "masks", "flagged"), (out / "overlays", "shown")):
        moved.rename(photos / named)  # where no log tells what they are
    assert sum(1 for _ in photos.rglob("*.png")) == 61
    capsys.readouterr()
    main(["predict", run, str(photos)])
    captured = capsys.readouterr()
    assert "radar: 20 photos: " in captured.err and "passed over" in captured.err
    assert main(["calibrate", run, "--normals", str(photos), "--false-alarms", "0.2", "--name", "new"]) == DONE
    assert "from 20 normal images" in capsys.readouterr().out


def test_no_picture_is_written_elsewhere() -> None:
    """Whoever writes pictures in another place has to mark them, too, or to say here why they are photos."""
    known = {
        "radar/data/mvtec_export.py",  # photos and masks of a data set
        "radar/report/gallery.py",  # parts of a page, no files
        "radar/inspect/pictures.py",
        "radar/report/figures.py", "radar/runtime/overlays.py",
    }  # fmt: skip
    root = Path(__file__).resolve().parents[2]
    writing = {
        path.relative_to(root).as_posix()
        for path in (root / "radar").rglob("*.py")
        if re.search(r'savefig\(|imsave|imwrite|\.save\(.*"(PNG|JPEG|TIFF)"', path.read_text(encoding="utf-8"))
    }
    assert writing == known


def test_marks_leave_pixels_and_legends_as_they_are(pictures: dict[str, Path]) -> None:
    with Image.open(pictures["mask"]) as mask:
        assert set(np.unique(np.asarray(mask))) == {0, 255} and mask.text["Description"] == "255 where flagged"  # type: ignore[attr-defined]
