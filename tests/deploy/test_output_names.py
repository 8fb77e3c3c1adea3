"""File names that are made of paths: readable, different, and harmless."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from radar.errors import DataError
from radar.runtime.file_names import output_name
from radar.runtime.paths import image_files, note_on_passed_over, passed_over

HOSTILE = [
    "..", "../../etc/passwd", "/etc/passwd.png", "a/../../b.png", ".hidden.png", "-rf.png", "x\ny.png", "x\x1b[31m.png", "x\x00.png",
    "C:\\windows\\x.png", "con.png", "a" * 300 + ".png", "測" * 200 + ".png", " . .png", "\udcff\udcfe.png",
    "\u202egnp.exe.png", "?*|<>.png",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE, ids=repr)
def test_a_name_stays_in_its_folder_whatever_the_path(tmp_path: Path, path: str) -> None:
    name = output_name(Path(path))
    assert len(name.encode()) <= 91 and name.isprintable()
    assert not name.startswith(".") and not set(name) & set('/\\:*?"<>|')
    target = tmp_path / f"{name}.png"
    assert target.resolve().parent == tmp_path.resolve()
    target.touch()
    assert os.listdir(tmp_path) == [target.name]  # noqa: PTH208 - the name as the system has it


def test_every_path_has_another_name() -> None:
    long = "x" * 200
    paths = ["a/x.png", "b/x.png", "x.png", "x.jpg", "a_x.png", f"{long}1.png", f"{long}2.png", "X.png", *HOSTILE]
    names = [output_name(Path(path)).casefold() for path in paths]  # some file systems do not tell x and X apart
    assert len(set(names)) == len(paths)
    assert output_name(Path("a/x.png")).startswith("x-")


def test_files_folders_and_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "b.png",
        "a.JPG",
        ".hidden.png",
        "notes.txt",
        "deep/er/c.tif",
        ".git/d.png",
        "out/overlays/e.png",
        "out/predictions.jsonl",
        "what[1].png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)

    def found(*names: str, besides: Path | None = None) -> list[str]:
        return [str(path) for path in image_files(names, besides)]

    assert found(".", besides=Path("out")) == ["a.JPG", "b.png", "what[1].png", "deep/er/c.tif"]
    assert found("notes.txt", "deep", "nowhere.png") == ["notes.txt", "deep/er/c.tif", "nowhere.png"]
    assert found("*.png") == ["b.png", "what[1].png"]
    assert found("**/*.tif") == ["deep/er/c.tif"]
    assert sorted(found("**/*")) == sorted(["a.JPG", "b.png", "what[1].png", "deep/er/c.tif"])
    assert sorted(found("**", "dee[p]", besides=Path("out"))) == sorted(
        [*found(".", besides=Path("out")), "deep/er/c.tif"]
    )
    assert found("what[1].png") == ["what[1].png"]
    assert found("b.png", "b.png") == ["b.png", "b.png"]


def test_what_no_photo_is_and_links_to_nothing_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "a.png",
        "b.webp",
        "g.jpe",
        "sub/c.HEIC",
        "sub/log.csv",
        ".hidden.webp",
        "out/d.webp",
        "sub/Thumbs.db",
        "@eaDir/a.png",
        "sub/__MACOSX/a.webp",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    for named in (".", "*", "**/*"):
        assert [path.as_posix() for path in image_files([named]) if path.suffix == ".png"] == ["a.png"]
    (tmp_path / "gone.jpg").symlink_to("/nowhere/gone.jpg")

    def found(*names: str) -> list[str]:
        return [path.as_posix() for path in passed_over(names, Path("out"))]

    assert found(".", "a.png", "nowhere") == [
        "b.webp",
        "g.jpe",
        "gone.jpg",
        "out/d.webp",
        "sub/c.HEIC",
        "sub/log.csv",
    ]
    assert sorted(found("*")) == [
        "b.webp",
        "g.jpe",
        "out/d.webp",
        "sub/c.HEIC",
        "sub/log.csv",
    ]  # gone.jpg is unreadable
    assert sorted(found("**/*.*", "*")) == sorted(found("*"))
    assert found("*.jp*") == ["g.jpe"]
    assert found("b.webp", "x" * 300) == []
    (tmp_path / "lot").symlink_to("sub")
    assert [name for name in found(".") if name.startswith("lot")] == ["lot"], "which is not walked"
    assert "lot" not in found("*"), "which is walked, as it is named"


@pytest.mark.parametrize("folder", ["masks", "Ground_Truth", "bad/mask", "gt/scratch"])
def test_masks_are_no_photos_unless_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """By their folder's name, or by their own, as a data set takes them."""
    monkeypatch.chdir(tmp_path)
    photos = ["bad/07.jpg", "bad/08_mask.png", "good/a.png", "good/mask.png", "masked/07.png"]
    masks = ["bad/07_mask.png", f"{folder}/07.png", f"{folder}/08_mask.png"]
    for name in [*photos, *masks]:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    for named in (".", "*", "**/*", "**", "**/*.*", str(tmp_path)):
        found = [Path(path) for path in image_files([named])]
        assert sorted(str(tmp_path / path) for path in found) == sorted(str(tmp_path / each) for each in photos), named
    for named in (".", "**/*.*"):
        assert {path.as_posix() for path in passed_over([named])} == set(masks)
    assert "masks by their name" in note_on_passed_over(["."])
    for name in masks:
        assert list(image_files([name])) == [Path(name)]
    assert sorted(path.name for path in image_files([folder])) == ["07.png", "08_mask.png"]
    assert {path.name for path in image_files([f"{folder}/0*"])} == {"07.png", "08_mask.png"}
    assert [path.name for path in image_files(["bad/*_mask.png"])] == ["07_mask.png", "08_mask.png"], (
        "without photos beside them"
    )


@pytest.mark.parametrize("named", [(".",), ("*",), ("**/*.png",), ("**",), ("../photos",)])
@pytest.mark.parametrize("out", [".", "sub", "../photos", "sub/deep"])
def test_photos_where_results_go_are_photos_and_only_the_results_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, named: tuple[str, ...]
) -> None:
    photos = {"a.png", "sub/b.png", "sub/deep/c.png", "sub/deep/d/e.png"}
    own = output_name(Path("a.png"))
    results = {f"{out}/{name}" for name in ("predictions.csv", f"overlays/good/{own}_1.5.png", f"masks/{own}.png")}
    others = {f"{out}/{name}" for name in ("h.webp", "masks/mine.png")}
    for name in (*photos, *results, *others):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).touch()
    monkeypatch.chdir(tmp_path / "photos")
    before = image_files(named, Path(out))
    Path(out, "predictions.jsonl").touch()  # which is there before the first photo is scored
    found = [path.resolve() for path in before]
    assert sorted(found) == sorted((tmp_path / "photos" / name).resolve() for name in photos)
    told = {path.resolve() for path in passed_over(named, Path(out))}
    expected = {Path(name).resolve() for name in others}
    assert told == {path for path in expected if named != ("**/*.png",) or path.suffix == ".png"}


@pytest.mark.parametrize(
    ("named", "refused"),
    [
        ("out/masks", "its images lie in out, where results go"),
        ("out/overlays", "its images lie in out, where results go"),
        ("out/overlays/good", "its images lie in out, where results go"),
        ("out/overlays/*", "its images lie in out, where results go"),
        ("out/mask[s]", "holds no images"),
        ("out", "holds no images"),
        ("run", "is a run, whose pictures are no photos"),
    ],
)
def test_where_pictures_of_results_are_all_there_is_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, refused: str
) -> None:
    run = ("status.json", "config.yaml", "environment.json", "manifest.csv", "figures/loss.png")
    for name in (
        "out/masks/a.png",
        "out/overlays/good/a.png",
        "out/predictions.jsonl",
        *(f"run/{each}" for each in run),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=refused):
        image_files([named], Path("out"))
    assert list(image_files(["out/masks/a.png"], Path("out"))) == [Path("out/masks/a.png")], "which is named itself"
    (tmp_path / "out" / "predictions.jsonl").unlink()  # as before the first photo is scored
    for each in ("out", "out/*", "out/**/*.png", "out/overlays"):
        with pytest.raises(DataError, match="its images lie in out, where results go"):
            image_files([each], Path("out"))


def test_a_folder_that_nobody_may_look_into_stops_no_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "closed").mkdir()
    monkeypatch.chdir(tmp_path)
    looked = os.stat

    def refusing(path, *arguments, **named):
        if "closed/" in os.fspath(path):
            raise PermissionError(13, "Permission denied", path)
        return looked(path, *arguments, **named)

    monkeypatch.setattr(os, "stat", refusing)
    assert list(image_files(["*"])) == [Path("a.png")]


def test_a_linked_folder_that_is_named_or_leads_back_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("photos/a.png", "other/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "photos" / "lot").symlink_to("../other")
    (tmp_path / "photos" / "up").symlink_to(".")
    monkeypatch.chdir(tmp_path / "photos")
    assert passed_over(["."]) == [Path("lot")]
    for also in ("lot", "lot/*", "*"):
        assert passed_over([".", also]) == []
    assert passed_over(["."], tmp_path / "other") == [], "it leads to where results go"
    (tmp_path / "photos" / "circle.png").symlink_to("circle.png")
    assert passed_over(["."]) == [Path("circle.png"), Path("lot")]
    with pytest.raises(DataError, match="circle"):
        image_files(["circle.png/*"], tmp_path / "other")


def test_results_that_lie_beside_photos_are_no_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = ("status.json", "config.yaml", "environment.json", "manifest.csv", "figures/loss.png")
    runs = tuple(f"outputs/parts-1/{name}" for name in own)
    logs = ("day/predictions.jsonl", "day/b.png", "day/overlays/good/b.png", "day/masks/b.png")
    for name in (
        "a.png",
        "night/overlays/c.png",
        "other/status.json",
        "other/config.yaml",
        "other/d.png",
        *runs,
        *logs,
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    photos = ["a.png", "day/b.png", "night/overlays/c.png", "other/d.png"]
    for named in (".", "*", "**/*.png", "**"):
        assert sorted(path.as_posix() for path in image_files([named])) == photos
    assert [path.as_posix() for path in image_files(["day/overlays/*/*"])] == ["day/overlays/good/b.png"]
    told = {path.as_posix() for path in passed_over(["."])}
    assert told == {"other/status.json", "other/config.yaml", *runs, *logs} - set(photos)
    with pytest.raises(DataError, match="outputs: holds no images"):
        image_files(["outputs"])
    with pytest.raises(DataError, match="outputs/parts-1: is a run, whose pictures are no photos"):
        image_files(["outputs/parts-1"])
    assert [path.name for path in image_files(["outputs/parts-1/figures/*"])] == ["loss.png"], "named"
