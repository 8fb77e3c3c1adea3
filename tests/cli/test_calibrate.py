"""`radar calibrate`: what decides afterwards, what is recorded where, how it is taken back, and what is refused."""

from __future__ import annotations

import csv
import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_builders import drawn, quick_model, save, save_model
from PIL import Image

import radar
from radar.cli import calibrate
from radar.cli.exit_codes import DONE, REFUSED
from radar.cli.main import main
from radar.deploy.calibration import by_hand
from radar.model_folder import change_thresholds


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(30):
        save(folder / "good" / f"{seed}.png", drawn(5000 + seed))
    for seed in range(3):
        save(folder / "bad" / f"{seed}.png", drawn(6000 + seed, spot=True))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    save_model(quick_model(tmp_path / "normals"), tmp_path / "run" / "model")
    return tmp_path / "run"


def scores(run: Path, folder: Path) -> np.ndarray:
    return np.array([each.score for each in radar.predict(radar.load(run), [folder])])


def test_a_threshold_of_normals_decides_and_the_fitted_one_comes_back(
    run: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted, stored = radar.load(run), (run / "model" / "model.json").read_bytes()
    assert main(["calibrate", str(run), "--normals", str(photos / "good"), "--false-alarms", "0.1"]) == DONE
    captured = capsys.readouterr()
    loaded, found = radar.load(run), np.sort(scores(run, photos / "good"))
    assert loaded.threshold == found[27], "of 30, the ⌈31 · .9⌉-th"
    assert loaded.fingerprint == fitted.fingerprint and (run / "model" / "model.json").read_bytes() == stored
    assert captured.out.startswith(
        f"threshold normals-1: {found[27]:.6g}, from 30 normal images in {photos / 'good'}; of new"
    )
    assert "at most 0.1 are expected above it" in captured.out and "--use fitted" in captured.out
    assert captured.err.count("\n") == 1 and "holds no manifest, so it cannot be known" in captured.err
    assert main(["calibrate", str(run), "--threshold", "0.9", "--name", "mine"]) == DONE
    assert radar.load(run).threshold == 0.9
    assert main(["calibrate", str(run), "--use", "fitted"]) == DONE
    assert radar.load(run).threshold == fitted.threshold
    capsys.readouterr()
    assert main(["calibrate", str(run), "--list"]) == DONE
    listed = capsys.readouterr().out.splitlines()
    assert [line[0] for line in listed] == ["*", " ", " "] and all(
        name in line for name, line in zip(("fitted", "normals-1", "mine"), listed, strict=True)
    )
    card = (run / "model" / "README.md").read_text()
    assert card.startswith("# Model") and card.count("## Changes of the threshold") == 1
    changes = [line for line in card.splitlines() if line.startswith("- ")]
    assert [line.split("`")[1] for line in changes] == ["normals-1", "mine", "fitted"]
    assert (
        repr(loaded.threshold) in changes[0]
        and "of new ones taken in the same way, at most 10 % are expected" in changes[0]
    )


def test_photos_that_it_was_fitted_on_are_left_out(run: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hashes = [hashlib.sha256((photos / "good" / f"{seed}.png").read_bytes()).hexdigest() for seed in range(12)]
    rows = [f"{number}.png,{each},{'train' if number < 10 else 'test'},0,,,\n" for number, each in enumerate(hashes)]
    (run / "manifest.csv").write_text("path,content_hash,split,label,defect,mask,group\n" + "".join(rows))
    ask = ["calibrate", str(run), "--normals", str(photos / "good"), "--false-alarms"]
    assert main([*ask, "0.04"]) == REFUSED
    assert "20 usable normal images cannot promise 0.04" in capsys.readouterr().err
    assert not (run / "model" / "thresholds.json").exists()
    assert main([*ask, "0.1"]) == DONE
    assert "10 of 30 normal photos are left out: the model was fitted on them" in capsys.readouterr().err
    assert len(radar.load(run).thresholds.current.normal_scores) == 20


def recorded(run: Path, photos: list[Path], group: str) -> None:
    """A manifest of a run that tested on `photos`; `group` names the group of the photo at a `{place}`, by threes."""
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in photos]
    rows = [f"{place}.png,{each},test,0,,,{group.format(place // 3)}\n" for place, each in enumerate(hashes)]
    (run / "manifest.csv").write_text("path,content_hash,split,label,defect,mask,group\n" + "".join(rows))


@pytest.mark.parametrize("way", ["photos", "copies", "reviewed", "gone"])
def test_photos_that_the_runs_manifest_holds_count_in_its_groups(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    photos = [save(tmp_path / "good" / f"{name}.png", drawn(5000 + at)) for at, name in enumerate("abcdefghijklmnopqr")]
    recorded(run, photos, "sheet{}")
    asked = ["--normals", str(tmp_path / "good")]
    if way == "copies":  # called otherwise, in another folder
        for path in photos:
            save(tmp_path / "again" / f"new{path.name}", np.asarray(Image.open(path)))
        asked = ["--normals", str(tmp_path / "again")]
    elif way in ("reviewed", "gone"):
        asked = ["--reviewed", str(reviewed_as_good(run, photos, tmp_path / "said"))]
    if way == "gone":
        for path in photos:
            path.unlink()
    capsys.readouterr()
    ask = ["calibrate", str(run), *asked, "--false-alarms"]
    assert main([*ask, "0.1"]) == REFUSED
    told = capsys.readouterr().err
    assert "18 usable normal images of 6 groups cannot promise 0.1" in told
    assert (
        "18 normal photos are of 6 groups, known by names, as those of the images that were learnt from, and the run's"
        in told
    )
    assert main([*ask, "0.15"]) == DONE
    assert "from 18 normal images of 6 groups" in capsys.readouterr().out
    assert main([*ask, "0.1", "group=none"]) == DONE, "what is said is believed"


def test_photos_count_in_the_groups_of_the_runs_manifest_and_of_their_names_at_once(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = [save(tmp_path / "good" / f"sheet{at // 2}_{at % 2}.png", drawn(5000 + at)) for at in range(18)]
    recorded(run, photos, "batch{}")
    assert main(["calibrate", str(run), "--normals", str(tmp_path / "good"), "--false-alarms", "0.1"]) == REFUSED
    assert "18 usable normal images of 3 groups cannot promise 0.1" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["all", "new alone"])
@pytest.mark.parametrize("way", ["auto", "good/(sheet[0-9]+)"])
@pytest.mark.parametrize(
    ("root", "here"), [("{}/parts", "."), ("parts", "."), ("parts", "run"), ("./parts", "parts/good")]
)
def test_others_of_a_sheet_that_was_learnt_are_no_new_group(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    given: str,
    root: str,
    here: str,
) -> None:
    """Ten sheets of three photos: the first of six sheets were learnt, the second is for the test, the third came later. It is so
    from whatever folder that is asked."""
    good = tmp_path / "parts" / "good"
    photos = [save(good / f"sheet{at // 3}_{at % 3}.png", drawn(5000 + at)) for at in range(30)]
    lines = [
        f"good/{path.name},{hashlib.sha256(path.read_bytes()).hexdigest()},"
        f"{'train' if at % 3 == 0 and at < 18 else 'test'},0,,,sheet{at // 3}\n"
        for at, path in enumerate(photos)
        if at % 3 < 2
    ]
    (run / "manifest.csv").write_text("path,content_hash,split,label,defect,mask,group\n" + "".join(lines))
    (run / "config.yaml").write_text(f"dataset:\n  root: {root.format(tmp_path)}\n")
    monkeypatch.chdir(tmp_path / here)
    named = [str(good)] if given == "all" else [str(path) for at, path in enumerate(photos) if at % 3 == 2]
    ask = ["calibrate", str(run), f"group={way}", "--normals", *named, "--false-alarms"]
    assert main([*ask, "0.15"]) == REFUSED
    told = capsys.readouterr().err
    assert ("6 of 30 normal photos are left out: the model was fitted on them" in told) == (given == "all")
    left, usable = ("12 of 24", 12) if given == "all" else ("6 of 10", 4)
    assert f"{left} normal photos are left out: they are of groups" in told and "the promise is of new groups" in told
    assert f"{usable} usable normal images" in told and "cannot promise 0.15" in told
    assert main([*ask, "0.25"]) == DONE
    capsys.readouterr()
    assert main([*ask, "0.15", "group=none"]) == DONE
    said = capsys.readouterr()
    assert "of groups" not in said.err and f"from {24 if given == 'all' else 10} normal images" in said.out


def test_that_the_learnt_photos_are_not_found_is_told(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(run, [photos / "good" / "0.png"], "a")
    for root, told in (("nowhere", True), (str(tmp_path / "nowhere"), False)):
        (run / "config.yaml").write_text(f"dataset:\n  root: {root}\n")
        for more in ([], ["group=none"]):
            assert (
                main(["calibrate", str(run), "--normals", str(photos / "good"), "--false-alarms", "0.1", *more]) == DONE
            )
            assert ("are not found from here" in capsys.readouterr().err) == (told and not more)


@pytest.mark.parametrize("way", ["--normals", "--reviewed"])
def test_defective_images_of_the_runs_own_set_are_no_normals(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    """Also where they are called otherwise now; what is called defective now may be."""
    good, bad = sorted((photos / "good").iterdir()), sorted((photos / "bad").iterdir())
    recorded(run, bad, "bad{}")
    manifest = run / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",test,0,", ",test,1,"))
    copy = tmp_path / "fine.png"
    copy.write_bytes(bad[0].read_bytes())
    files = [*good, copy, bad[1]]
    named = map(str, files) if way == "--normals" else [str(reviewed_as_good(run, files, tmp_path / "said"))]
    capsys.readouterr()
    assert main(["calibrate", str(run), way, *named, "--false-alarms", "0.1"]) == DONE
    told = capsys.readouterr()
    assert (
        f"2 of 32 normal photos are left out: they are defective ones of the run's data set, first {copy}" in told.err
    )
    assert "from 30 normal images" in told.out


def test_crops_of_a_file_that_the_runs_manifest_holds_are_of_its_group(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = [save(tmp_path / "good" / f"{name}.png", drawn(5000 + at)) for at, name in enumerate("abcdefghijklmnopqr")]
    recorded(run, photos, "sheet{}")
    height, width = drawn(5000).shape[:2]
    crops = [f"{path}#xywh=0,0,{width - 1},{height}" for path in photos]
    assert main(["calibrate", str(run), "--normals", *crops, "--false-alarms", "0.1"]) == REFUSED
    assert "18 usable normal images of 6 groups cannot promise 0.1" in capsys.readouterr().err


def test_a_manifest_that_tells_no_groups_joins_none(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = [save(tmp_path / "good" / f"{name}.png", drawn(5000 + at)) for at, name in enumerate("abcdefghijkl")]
    recorded(run, photos, "")
    assert main(["calibrate", str(run), "--normals", str(tmp_path / "good"), "--false-alarms", "0.1"]) == DONE
    assert "group" not in capsys.readouterr().err


def test_crops_of_photos_that_it_was_fitted_on_are_left_out(
    run: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted((photos / "good").iterdir())
    with Image.open(files[0]) as image:
        width, height = image.size
    learnt = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files[:10]]
    rows = [f"{path.name},{each},train,0,,,\n" for path, each in zip(files[:10], learnt, strict=True)]
    (run / "manifest.csv").write_text("path,content_hash,split,label,defect,mask,group\n" + "".join(rows))
    crops = [f"{path}#xywh=0,0,{width - 1},{height}" for path in files[:5]]
    assert main(["calibrate", str(run), "--normals", *crops, str(photos / "good"), "--false-alarms", "0.1"]) == DONE
    assert "15 of 35 normal photos are left out: the model was fitted on them" in capsys.readouterr().err


@pytest.fixture
def mixed(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a good and a defective folder of today, of another day, and of a line that is called as defects are."""
    for place in ("new/today", "new/old", "ng/line"):
        for name in ("good", "bad"):
            shutil.copytree(photos / name, tmp_path / place / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("named", "found"),
    [
        (["new/today"], "new/today/bad"),
        (["new"], "new/old/bad"),
        (["new/today/**/*.png"], "new/today/bad"),
        (["new/*/*/*.png"], "new/old/bad"),
        (["new/old/bad", "new/today"], "new/today/bad"),
        (["new/today/bad/0.png", "new/today"], "new/today/bad"),
        (["ng/line"], "ng/line/bad"),
        (["new/../new/today"], "new/../new/today/bad"),
    ],
    ids=str,
)
def test_a_folder_of_defective_photos_among_the_normals_is_refused(
    run: Path, mixed: Path, capsys: pytest.CaptureFixture[str], named: list[str], found: str
) -> None:
    """A threshold above those would find none of them."""
    assert main(["calibrate", str(run), "--false-alarms", "0.5", "--normals", *named]) == REFUSED
    assert f"{found}: is called as a folder of defective photos is, and --normals takes" in capsys.readouterr().err
    assert not (run / "model" / "thresholds.json").exists()


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (["new/today/good"], False),
        (["new/*/good"], False),
        (["*/line/good"], False),
        (["ng/line/good/*.png"], False),
        (["new/today/b?d"], False),
        (["new/today/bad/*.png"], False),
        (["new/today/bad"], True),
    ],
    ids=str,
)
def test_good_photos_are_taken_wherever_they_lie_and_others_where_they_are_named(
    run: Path, mixed: Path, capsys: pytest.CaptureFixture[str], named: list[str], told: bool
) -> None:
    assert main(["calibrate", str(run), "--false-alarms", "0.5", "--normals", *named]) == DONE
    said = "new/today/bad: is called as a folder of defective photos is, and they are taken as good ones"
    assert (said in capsys.readouterr().err) == told


def test_normals_that_were_called_defective_so_far_are_told(
    run: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["calibrate", str(run), "--normals", str(photos / "good"), "--false-alarms", "0.1"]
    said = "normal photos lie above the threshold that decided so far"
    assert main([*ask[:2], "--threshold=-1e6"]) == DONE
    assert main(ask) == DONE
    assert f"30 of 30 {said} (hand-1, -1e+06): see that all of them show good parts" in capsys.readouterr().err
    scored = sorted(scores(run, photos / "good"))
    for rejected, told in ((0, False), (3, False), (6, False), (9, True)):  # of 30, where 3 were asked for
        assert main([*ask[:2], f"--threshold={scored[29 - rejected]}"]) == DONE
        assert main(ask) == DONE
        assert (f"{rejected} of 30 {said}" in capsys.readouterr().err) == told


def test_the_expression_that_grouped_what_was_learnt_from_groups_new_photos_or_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("dataset=folder", "dataset.root=none", "dataset.folder.anomalous=null", "dataset.split=grouped")
    model = quick_model(tmp_path / "normals", *words, r"dataset.folder.group='(?:good|bad)/(?P<sheet>s\d+)'")
    save_model(model, tmp_path / "run" / "model")
    for seed in range(30):
        for folder in ("good", "other"):
            save(tmp_path / folder / f"s{seed // 3:02}{'abc'[seed % 3]}.png", drawn(5000 + seed))
    ask = ["calibrate", str(tmp_path / "run"), "--false-alarms", "0.05", "--normals"]
    assert main([*ask, str(tmp_path / "good")]) == REFUSED
    errors = capsys.readouterr().err
    assert "30 usable normal images of 10 groups cannot promise 0.05" in errors and "finds nothing" not in errors
    assert main([*ask, str(tmp_path / "other")]) == DONE
    assert (
        "which grouped the images that were learnt from, finds nothing in these photos' names"
        in capsys.readouterr().err
    )


def test_photos_of_one_sheet_promise_as_one(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(30):
        save(tmp_path / "good" / f"sheet{seed // 3}_{seed % 3}.png", drawn(5000 + seed))
    ask = ["calibrate", str(run), "--normals", str(tmp_path / "good"), "--false-alarms"]
    assert main([*ask, "0.05"]) == REFUSED
    errors = capsys.readouterr().err
    assert "30 normal photos are of 10 groups, known by names, which end with a number" in errors
    assert "30 usable normal images of 10 groups cannot promise 0.05 false alarms, which needs 19 groups" in errors
    assert main([*ask, "0.05", "group=none"]) == DONE
    assert main([*ask, "0.1"]) == DONE
    said = "of the images of a new group taken in the same way, at most 0.1 are expected above it"
    assert "from 30 normal images of 10 groups in" in (told := capsys.readouterr().out) and said in told
    assert radar.load(run).threshold == scores(run, tmp_path / "good").max(), (
        "one group in ten may lie above, the new one"
    )
    assert "from 30 normal images of 10 groups of `" in (run / "model" / "README.md").read_text()
    assert main([*ask, "0.1", "group=("]) == REFUSED
    assert "group=(: is no regular expression" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["absolute", "upwards", "linked"])
def test_a_sheet_is_one_group_in_whatever_ways_its_folder_is_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    for seed in range(20):
        save(tmp_path / "good" / f"sheet{seed // 2}_{seed % 2}.png", drawn(5000 + seed))
    (tmp_path / "link").symlink_to("good")
    monkeypatch.chdir(tmp_path)
    other = {"absolute": f"{tmp_path}/good", "upwards": "link/../good", "linked": "link"}[way]
    halves = ["good/*_0.png", f"{other}/*_1.png"]
    for more in ((), (r"group=sheet\d+",), (r"group=^(?:(?P<good>good|link)/)?(?:.*/)?(?P<sheet>[^/]+)(?=_\d\.png$)",)):
        assert main(["calibrate", str(run), "--normals", *halves, "--false-alarms", "0.06", *more]) == REFUSED
        assert "20 usable normal images of 10 groups cannot promise 0.06" in capsys.readouterr().err


def test_a_linked_folder_among_the_normals_is_told(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "all").mkdir()
    for seed in range(10):
        save(tmp_path / "all" / f"{chr(97 + seed)}.png", drawn(5000 + seed))
    (tmp_path / "all" / "lot").symlink_to(photos / "good")
    assert main(["calibrate", str(run), "--normals", str(tmp_path / "all"), "--false-alarms", "0.1"]) == DONE
    assert "1 files were passed over" in (told := capsys.readouterr().err) and "all/lot" in told


def test_a_verdict_on_what_is_no_longer_at_its_path_is_left_out(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A verdict on one photo says nothing of another that has its name now."""
    table = reviewed_as_good(run, sorted((photos / "good").iterdir())[:12], tmp_path / "said")
    with table.open() as file:
        rows = [{key: row[key] for key in ("path", "content_hash")} for row in csv.DictReader(file)]
    for row in rows[:2]:
        moved = tmp_path / "moved" / Path(row["path"]).name
        moved.parent.mkdir(exist_ok=True)
        row["path"] = str(save(moved, drawn(6000, spot=True)))
    verdicts = ["good"] * 11 + ["defective"]
    lines = [f"{row['path']},{verdict},{row['content_hash']}" for row, verdict in zip(rows, verdicts, strict=True)]
    table.write_text("\n".join(["path,verdict,content_hash", *lines]) + "\n")
    capsys.readouterr()
    assert main(["calibrate", str(run), "--reviewed", str(table), "--false-alarms", "0.1"]) == DONE
    captured = capsys.readouterr()
    assert "2 of 12 verdicts are left out: what lies at their paths now" in captured.err
    assert len(radar.load(run).thresholds.current.normal_scores) == 9


def test_of_verdicts_on_one_path_that_of_what_lies_there_now_counts(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where they come without a content, and however the path is spelled."""
    goods, bad = sorted((photos / "good").iterdir())[:12], next((photos / "bad").iterdir())
    now, before = hashlib.sha256(bad.read_bytes()).hexdigest(), "0" * 64
    spelled = f"{bad.parent}/./{bad.name}"
    for rows, found, told in (
        ((f"{bad},defective,{before}", f"{bad},defective,{now}"), "1 of 1", "1 of 14 verdicts"),
        ((f"{bad},defective,{now}", f"{bad},good,{before}"), "1 of 1", "1 of 14 verdicts"),
        ((f"{bad},good,", f"{spelled},defective,{now}"), "1 of 1", ""),
        ((f"{bad},good,{now}", f"{spelled},defective,"), "1 of 1", ""),
    ):
        table = tmp_path / "reviewed.csv"
        listed = [f"{path.parent}//{path.name},good," for path in goods]
        table.write_text("\n".join(["path,verdict,content_hash", *listed, *rows]) + "\n")
        assert main(["calibrate", str(run), "--reviewed", str(table), "--false-alarms", "0.1"]) == DONE
        captured = capsys.readouterr()
        assert f"it finds {found} reviewed defects" in captured.out and "from 12 normal images" in captured.out
        assert ("verdicts are left out" in captured.err) == bool(told) and told in captured.err


def test_crops_of_one_reviewed_photo_are_told_as_of_one(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They may show one defect several times."""
    bad, other = sorted((photos / "bad").iterdir())[:2]
    height, width = np.asarray(Image.open(bad)).shape[:2]
    crops = [f"{bad}#xywh=0,0,{width},{height - rows}" for rows in (0, 1)]
    goods = [f"{path},good" for path in sorted((photos / "good").iterdir())[:12]]
    for defects, told in (
        ([bad, *crops, other], " of 4 reviewed defects, of 2 photos"),
        (crops, ", of 1 photo"),
        ([bad, other], ""),
    ):
        table = tmp_path / "reviewed.csv"
        table.write_text("\n".join(["path,verdict", *goods, *(f'"{path}",defective' for path in defects)]) + "\n")
        assert main(["calibrate", str(run), "--reviewed", str(table), "--false-alarms", "0.1"]) == DONE
        assert f"{told}\n" in (said := capsys.readouterr().out) and (
            told or ", of " not in said.partition("it finds")[2]
        )


def test_that_levels_are_those_of_the_fit_is_told_where_scores_are_read(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    normals = sorted((photos / "good").iterdir())
    table = reviewed_as_good(run, normals[:15], tmp_path / "said")
    for more, told in ((["--reviewed", str(table)], 15), (["--normals", *map(str, normals[15:])], 0)):
        capsys.readouterr()
        assert main(["calibrate", str(run), *more, "--false-alarms", "0.1"]) == DONE
        found = f"{told} of 15 normal photos have a score that was read and no map" in capsys.readouterr().err
        assert found == bool(told)


def test_reviewed_photos_set_it_and_tell_what_it_finds(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [*sorted((photos / "good").iterdir())[:20], *sorted((photos / "bad").iterdir())]
    review = tmp_path / "reviewed.csv"
    review.write_text("path,verdict\n" + "".join(f"{f},{'good' if 'good' in str(f) else 'defective'}\n" for f in files))
    assert main(["calibrate", str(run), "--reviewed", str(review), "false_alarms=0.05"]) == DONE
    captured = capsys.readouterr()
    assert "it finds 3 of 3 reviewed defects" in captured.out and "23 reviewed photos are scored anew" in captured.err
    anew = radar.load(run).thresholds.current
    # the same from a table of predictions with a verdict beside each line, and without the photos
    assert main(["predict", str(run), *map(str, files), "--out", str(tmp_path / "out")]) == 1
    with (tmp_path / "out" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    with review.open("w") as file:
        table = csv.DictWriter(file, [*rows[0], "verdict"])
        table.writeheader()
        table.writerows(
            {**row, "path": f"gone/{n}", "verdict": "good" if n < 20 else "defective"} for n, row in enumerate(rows)
        )
    capsys.readouterr()
    assert main(["calibrate", str(run), "--reviewed", str(review), "--false-alarms", "0.05"]) == DONE
    captured = capsys.readouterr()
    assert (
        "are taken from it; no photo is scored" in captured.err and "it finds 3 of 3 reviewed defects" in captured.out
    )
    assert "have no content_hash" not in captured.err
    read = radar.load(run).thresholds.current
    assert (read.name, read.source, read.value) == ("reviewed-2", "reviewed", anew.value)
    np.testing.assert_array_equal(read.normal_scores, anew.normal_scores)


def test_photos_of_a_reviewed_table_are_known_by_their_content_whatever_they_are_called(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted((photos / "good").iterdir())[:10]
    learnt = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files[:2]]
    rows = [f"{number}.png,{each},train,0,,,\n" for number, each in enumerate(learnt)]
    (run / "manifest.csv").write_text("path,content_hash,split,label,defect,mask,group\n" + "".join(rows))
    (tmp_path / "copy.png").write_bytes(files[2].read_bytes())
    monkeypatch.chdir(tmp_path)
    names = [*map(str, files), "copy.png", "./gone/a.png", "gone/./a.png", "gone/b.png"]
    review = tmp_path / "r.csv"
    review.write_text("path,verdict,score\n" + "".join(f"{name},good,{n}\n" for n, name in enumerate(names)))
    assert main(["calibrate", str(run), "--reviewed", str(review), "--false-alarms", "0.2"]) == DONE
    told = capsys.readouterr().err
    assert "2 of 12 normal photos are left out: the model was fitted on them" in told
    assert "r.csv: 1 of its photos repeat others; what was said last of each counts" in told
    assert (
        10.0 in radar.load(run).thresholds.current.normal_scores
        and 2.0 not in radar.load(run).thresholds.current.normal_scores
    )
    assert "2 of them have no content_hash and cannot be looked at" in told
    assert len(radar.load(run).thresholds.current.normal_scores) == 10


@pytest.mark.parametrize("has_scores", [False, True])
def test_a_defect_counts_once_and_not_where_the_model_has_learnt_from_it(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, has_scores: bool
) -> None:
    goods, (first, second, learnt) = sorted((photos / "good").iterdir()), sorted((photos / "bad").iterdir())
    content = hashlib.sha256(learnt.read_bytes()).hexdigest()
    (run / "manifest.csv").write_text(
        f"path,content_hash,split,label,defect,mask,group\n{learnt.name},{content},train,0,,,\n"
    )
    copies = [tmp_path / f"copy {number}.png" for number in range(3)]
    for copy in copies:
        copy.write_bytes(first.read_bytes())
    review, defects = tmp_path / "r.csv", [first, *copies, second, learnt]
    rows = [(f"{path},good", 0.0) for path in goods] + [(f"{path},defective", 9e9) for path in defects]
    heading = "path,verdict,score" if has_scores else "path,verdict"
    review.write_text("\n".join([heading, *(f"{row},{score}" if has_scores else row for row, score in rows)]))
    assert main(["calibrate", str(run), "--reviewed", str(review), "--false-alarms", "0.1"]) == DONE
    captured = capsys.readouterr()
    assert "it finds 2 of 2 reviewed defects" in captured.out
    assert "reviewed defects are left out: the model was fitted on them, or on others" in captured.err
    assert (
        "3 of its photos repeat others" if has_scores else "3 of 6 reviewed defects are left out: they repeat"
    ) in captured.err


@pytest.mark.parametrize("way", ["--normals", "--reviewed"])
def test_copies_that_were_encoded_anew_are_told(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    for seed in range(10):
        save(tmp_path / "good" / f"{chr(97 + seed)}.png", drawn(7000 + seed))

    def ask() -> str:
        named = tmp_path / "good"
        if way == "--reviewed":
            named = reviewed_as_good(run, sorted(named.iterdir()), tmp_path / f"said {len(list(named.iterdir()))}")
        capsys.readouterr()
        assert main(["calibrate", str(run), way, str(named), "--false-alarms", "0.2"]) == DONE
        return capsys.readouterr().err

    assert "look nearly the same" not in ask()
    for seed in range(3):
        path = tmp_path / "good" / f"{chr(97 + seed)}.png"
        with Image.open(path) as image:
            image.save(path.with_name(f"x{chr(97 + seed)}.jpg"), quality=95)
    assert "6 of 13 normal photos look nearly the same as others" in ask()


def reviewed_as_good(run: Path, photos: list[Path], folder: Path) -> Path:
    """A table of predictions in which each photo is called good."""
    assert main(["predict", str(run), *map(str, photos), "--out", str(folder)]) in (0, 1)
    with (folder / "predictions.csv").open() as file:
        rows = [{**row, "verdict": "good"} for row in csv.DictReader(file)]
    with (folder / "reviewed.csv").open("w") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder / "reviewed.csv"


@pytest.fixture
def look_alikes(tmp_path: Path) -> list[Path]:
    """Twelve photos, of which the last six are the first six with a little noise."""
    stream, found = np.random.default_rng(3), []
    for letter in "abcdefghijkl":
        number = "abcdefghijkl".index(letter) % 6
        noise = stream.integers(-1, 2, (200, 300)) if letter > "f" else 0
        found.append(save(tmp_path / "alike" / f"{letter}x.png", (drawn(8000 + number) + noise).astype(np.uint8)))
    return found


@pytest.fixture
def run_by_likeness(tmp_path: Path) -> Path:
    """A run whose split kept together what looks alike."""
    words = ("dataset=folder", "dataset.root=none", "dataset.folder.anomalous=null", "dataset.split=grouped")
    run = tmp_path / "run"
    save_model(quick_model(tmp_path / "normals", *words), run / "model")
    return run


@pytest.mark.parametrize("reviewed", [12, 6, 9, 1])
def test_photos_promise_the_same_whether_their_scores_are_read_or_computed(
    tmp_path: Path, run_by_likeness: Path, look_alikes: list[Path], capsys: pytest.CaptureFixture[str], reviewed: int
) -> None:
    """Also where some are given in one way and some in the other."""
    table = reviewed_as_good(run_by_likeness, look_alikes[-reviewed:], tmp_path / "said")
    normals = ["--normals", *map(str, look_alikes[:-reviewed])] if reviewed < 12 else []
    capsys.readouterr()
    ask = ["calibrate", str(run_by_likeness), *normals, "--reviewed", str(table), "--false-alarms", "0.1"]
    assert main(ask) == REFUSED
    assert "12 usable normal images of 6 groups cannot promise 0.1" in (told := capsys.readouterr().err)
    assert "cannot be looked at" not in told
    assert main([*ask, "group=none"]) == DONE, "then each photo counts"


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_that_likeness_to_photos_that_are_gone_cannot_be_known_is_told(
    tmp_path: Path, run_by_likeness: Path, look_alikes: list[Path], capsys: pytest.CaptureFixture[str], change: str
) -> None:
    table = reviewed_as_good(run_by_likeness, look_alikes, tmp_path / "said")
    for path in look_alikes[6:]:
        path.unlink() if change == "removed" else save(path, drawn(9000))
    capsys.readouterr()
    ask = ["calibrate", str(run_by_likeness), "--reviewed", str(table), "--false-alarms", "0.1"]
    assert main(ask) == DONE
    assert "6 of 12 normal photos cannot be looked at as they were scored" in capsys.readouterr().err


def add_by_hand(run: Path, value: float, *name: str) -> int:
    return main(["calibrate", str(run), "--threshold", str(value), *name])


@pytest.mark.parametrize("words", [["--normals"], ["--threshold", "0.7"]])
def test_a_version_that_another_stored_meanwhile_stays(
    run: Path, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Numbered names take the next number; one that was chosen and is taken meanwhile is refused."""
    values = {"--normals": [str(photos / "good"), "--false-alarms", "0.1"]}.get(words[0], [])
    made, meanwhile = calibrate._new_version, list[tuple[float, list[str]]]()

    def slowly(*arguments: Any) -> Any:
        found = made(*arguments)
        while meanwhile:
            value, name = meanwhile.pop()
            assert add_by_hand(run, value, *name) == DONE
        return found

    monkeypatch.setattr(calibrate, "_new_version", slowly)
    meanwhile += [(0.9, []), (0.8, ["--name", "chosen"])]
    assert main(["calibrate", str(run), *words, *values]) == DONE
    names = [version.name for version in radar.load(run).thresholds.versions]
    assert names == ["fitted", "hand-1", "chosen", "normals-1" if words[0] == "--normals" else "hand-2"]
    assert "before it, chosen decided (0.8)" in capsys.readouterr().out.splitlines()[-1]
    card = (run / "model" / "README.md").read_text()
    assert all(f"`{name}`" in card for name in names[1:])
    meanwhile += [(0.6, ["--name", "winter"])]
    assert main(["calibrate", str(run), *words, *values, "--name", "winter"]) == REFUSED
    assert capsys.readouterr().err.endswith("threshold winter: there is one already; choose another name\n")
    assert radar.load(run).threshold == 0.6 and len(radar.load(run).thresholds.versions) == 5


def test_many_who_store_at_once_lose_nothing(run: Path) -> None:
    model = radar.load(run)

    def store(number: int) -> None:
        version = by_hand(model.calibration, float(number), name="hand")
        change_thresholds(run, model, lambda stored: stored.with_numbered(version))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store, range(24)))
    stored = radar.load(run).thresholds.versions[1:]
    assert {version.value for version in stored} == set(map(float, range(24)))
    assert {version.name for version in stored} == {f"hand-{number}" for number in range(1, 25)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "nothing is asked for"),
        (["--use", "fitted", "--list"], "--use and --list exclude each other"),
        (["--use", "summer"], "use one of fitted"),
        (["--threshold", "nan"], "is not a finite number"),
        (["--threshold", "1", "--name", "a b"], "--name 'a b'"),
        (["--threshold", "1", "--name", "fitted"], "there is one already"),
        (["--use", "fitted", "--false-alarms", "0.1"], "--use keeps no rate"),
        (["--threshold", "3", "false_alarms=0.001"], "false_alarms=0.001: --threshold does not read it; leave it out"),
        (["--threshold", "3", "group=none"], "group=none: --threshold does not read it; leave it out"),
        (["--use", "fitted", "decode_ahead=3"], "decode_ahead=3: --use does not read it; leave it out"),
        (["--list", "group=none"], "group=none: --list does not read it; leave it out"),
        (
            ["--normals", ".", "--false-alarms", "0.1", "false_alarms=0.2"],
            "--false-alarms: false_alarms=RATE is given beside it",
        ),
        (["--normals", "nowhere"], "nowhere: no such file or folder"),
        (["--normals", "nowhere.png"], "0 usable normal images"),
        (["--normals", ".", "--false-alarms", "2"], "false_alarms=2.0: must be < 1"),
        (["--reviewed", "nowhere.csv"], "nowhere.csv: cannot be read"),
    ],
)
def test_what_is_refused_changes_nothing(
    run: Path, words: list[str], expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run.parent)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["calibrate", str(run), *words]) == REFUSED
    captured = capsys.readouterr()
    assert expected in captured.err.splitlines()[-1] and captured.out == ""
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_photo_that_is_both_is_refused(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = save(tmp_path / "copy.png", drawn(5000))
    (tmp_path / "r.csv").write_text(f"path,verdict\n{photos / 'good' / '0.png'},good\n{good},defective\n")
    assert main(["calibrate", str(run), "--reviewed", str(tmp_path / "r.csv")]) == REFUSED
    assert "is called defective, and good as" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["calibrate", "", "--list"],
        ["calibrate", "RUN", "--normals", ""],
        ["calibrate", "RUN", "--normals", "parts", ""],
        ["calibrate", "RUN", "--use", ""],
        ["report", "", "--out", "OUT"],
        ["report", "RUN", "", "--out", "OUT"],
        ["compare", "", "RUN"],
        ["status", ""],
        ["cache", "list", ""],
        ["data", "check", ""],
        ["--rerun", ""],
        [""],
        ["experiment=lof_texture", ""],
    ],
)
def test_a_variable_that_is_not_set_names_nothing(
    run: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    before = sorted(tmp_path.rglob("*"))
    assert main([word.replace("RUN", str(run)).replace("OUT", str(tmp_path / "out")) for word in words]) == REFUSED
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("radar")]
    assert (
        "is empty, as of a variable that is not set" in line or line == "radar: --rerun: name a run directory after it"
    )
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("written", ["-1e-05", "-2.5E+3", "-0.25", "-1e308"])
def test_a_negative_score_is_given_as_it_is_printed(run: Path, written: str) -> None:
    assert main(["calibrate", str(run), "--threshold", written]) == DONE
    assert radar.load(run).threshold == float(written)


@pytest.mark.parametrize(
    "words",
    [
        ["calibrate", "RUN", "--threshold=--"],
        ["calibrate", "RUN", "--use=--"],
        ["predict", "RUN", "parts", "--out=--"],
        ["cache", "prune", "--days=--"],
        ["report", "RUN", "--table=--"],
        ["--cfg=--"],
        ["--config-name=--"],
        ["seed=1", "-c=--"],
    ],
)
def test_dashes_are_no_value(
    run: Path, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    assert main([word.replace("RUN", str(run)) for word in words]) == REFUSED
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"radar: {words[-1]}: names nothing; write what is meant behind '='"
    assert [path.name for path in run.parent.iterdir() if path.name not in ("run", "normals")] == []


@pytest.mark.parametrize(
    ("count", "told"), [(9, "20 % are expected to have a flagged region"), (18, "10.6 %"), (19, "")]
)
def test_that_so_few_let_more_regions_through_is_told(
    run: Path, photos: Path, capsys: pytest.CaptureFixture[str], count: int, told: str
) -> None:
    """Either of two levels may let a map through, each at half the rate, which needs about twice the photos."""
    normals = [str(path) for path in sorted((photos / "good").iterdir())[:count]]
    assert main(["calibrate", str(run), "--normals", *normals, "--false-alarms", "0.1"]) == DONE
    said = capsys.readouterr().err
    assert told in said and ("too few to flag regions" in said) == bool(told)
