"""`radar predict`: what it prints, writes and answers, and that its scores are the evaluation's to the bit."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from deploy_builders import drawn, quick_model, save, save_model
from test_main import QUICK

from radar.cli.exit_codes import DEFECTIVE, DONE, REFUSED, UNREADABLE
from radar.cli.main import main

FEW = ("dataset.validation_fraction=0.25", "dataset.image.size=32", "patch=14x14")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_model(quick_model(folder / "normals"), folder / "model")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for seed in range(3):
        save(tmp_path / "parts" / f"{seed}.png", drawn(seed))
    return tmp_path / "parts"


@pytest.fixture
def here(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands are given: photos lie in `parts`."""
    monkeypatch.chdir(photos.parent)
    return photos.parent


def test_scores_are_the_evaluations_to_the_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn_set = [each for each in QUICK if each.startswith("dataset.synthetic")]
    assert main(["data", "write", str(tmp_path / "set"), *drawn_set, *FEW]) == 0
    quick = [each for each in QUICK if not each.startswith("dataset")]
    own = ["dataset=mvtec", f"dataset.root={tmp_path}", "dataset.category=set", *FEW, "scoring=paper"]
    assert main([*quick, *own, f"output_root={tmp_path / 'out'}"]) == 0
    (scores,) = (tmp_path / "out").glob("*/scores.csv")
    capsys.readouterr()
    code = main(["predict", str(scores.parent), str(tmp_path / "set" / "test")])
    said = {row["path"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    with scores.open() as file:
        expected = {str(tmp_path / "set" / row["path"]): row for row in csv.DictReader(file) if row["split"] == "test"}
    assert said.keys() == expected.keys() and len(said) == 8
    for path, row in expected.items():
        assert said[path]["score"] == row["score"]
        assert (said[path]["decision"] == "defective") == (row["decision"] == "1")
    assert code == (DEFECTIVE if any(row["decision"] == "1" for row in expected.values()) else DONE)


def test_exit_codes_say_what_was_seen(run: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(run), str(photos)]) == DONE
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 4 and captured.out.startswith("path,time,decision,")
    assert captured.err.startswith("radar: 3 photos: 3 good, 0 defective, 0 unreadable; ")
    save(photos / "spot.png", drawn(9, spot=True))
    assert main(["predict", str(run), str(photos), "--jsonl"]) == DEFECTIVE
    assert [json.loads(line)["decision"] for line in capsys.readouterr().out.splitlines()] == ["good"] * 3 + [
        "defective"
    ]
    (photos / "cut.png").write_bytes(b"\x89PNG")
    assert main(["predict", str(run), str(photos / "*.png")]) == UNREADABLE
    assert "3 good, 1 defective, 1 unreadable" in capsys.readouterr().err


def test_files_and_pictures(run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(photos / "line\nbreak.png", drawn(9, spot=True))
    out = photos / "results"  # below what is predicted: no photo of the next time
    for again in ([], ["--force"]):
        assert main(["predict", str(run), str(photos), "--out", str(out), "--overlays", "--masks", *again]) == DEFECTIVE
        assert len((out / "predictions.jsonl").read_text().splitlines()) == 4
    assert len(list((out / "masks").iterdir())) == len(list(out.glob("overlays/*/*.png"))) == 4
    assert len(list((out / "overlays" / "defective").iterdir())) == 1
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 8 and all(line.startswith(("good ", "defective ")) for line in printed)
    assert "line\\nbreak.png, 1 region" in "".join(printed)
    assert main(["predict", str(run), str(photos), "--out", str(out)]) == REFUSED
    assert "is there already" in capsys.readouterr().err


def test_without_a_standard_output_the_log_is_whole(run: Path, photos: Path, tmp_path: Path) -> None:
    """As a service has none."""
    command = [sys.executable, "-m", "radar", "predict", str(run), str(photos)]
    for more in ([], ["--out", str(tmp_path / "out")]):
        ended = subprocess.run(
            [*command, *more], check=False, stdout=None, stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1)
        )
        assert ended.returncode == DONE and b"Traceback" not in ended.stderr
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 3
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE)
    said = (
        b"radar: standard output cannot be written (No space left on device); free some space, or let it go elsewhere"
    )
    assert ended.returncode == REFUSED and ended.stderr.splitlines() == [said]


def test_pictures_of_a_log_that_starts_over_are_gone(run: Path, photos: Path, tmp_path: Path) -> None:
    out, command = (
        tmp_path / "out",
        ["predict", str(run), str(photos), "--out", str(tmp_path / "out"), "--overlays", "--masks"],
    )
    save(photos / "a.png", drawn(9, spot=True))
    save(photos / "b.png", drawn(10))
    assert main(command) == DEFECTIVE
    (out / "overlays" / "good" / "mine.png").touch()
    save(photos / "a.png", drawn(11))
    (photos / "b.png").unlink()
    assert main([*command, "--force"]) == DONE
    pictures = sorted(path.name.partition("-")[0] for path in out.rglob("*.png"))
    names = [path.stem for path in photos.glob("*.png")]
    assert pictures == sorted([*names, *names, "mine.png"]) and "b" not in names
    assert not list((out / "overlays" / "defective").iterdir())
    elsewhere = tmp_path / "elsewhere"
    (out / "masks").rename(elsewhere)
    (out / "masks").symlink_to(elsewhere)
    kept = len(list(elsewhere.iterdir()))
    main([*command[:-2], "--force"])
    assert len(list(elsewhere.iterdir())) == kept, "a link leads elsewhere"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "no photos are named"),
        (["parts", "--masks"], "--masks: needs a folder"),
        (["parts", "--watch", "parts", "--out", "out"], "takes no other photos"),
        (["--watch", "parts"], "--watch: needs a folder"),
        (["--watch", "nowhere", "--out", "out"], "no such folder to watch"),
        (["--watch", "parts", "--out", "out", "--force"], "goes on with its log"),
        (["parts", "--out", "out", "--jsonl"], "--jsonl: says what is printed without --out"),
        (["parts", "interval=9"], "interval=9: radar predict without --watch does not read it"),
        (["parts", "patience=1", "--out", "out"], "patience=1: radar predict without --watch does not read it"),
        (["parts", "opacity=0.5", "--out", "out"], "opacity=0.5: radar predict without --overlays does not read it"),
        (["parts", "colour_range=2"], "colour_range=2: radar predict without --overlays does not read it"),
        (["parts", "regions=-1"], "regions=-1: must be ≥ 0"),
        (["parts", "device=tpu9"], "device=tpu9: cannot be used"),
        (["empty"], "holds no images"),
        (["*.gif"], "holds no images"),
        (["party", "--out", "out"], "party: no such file or folder"),
        (["parts", "party/more", "--out", "out"], "party/more: no such file or folder"),
    ],
)
def test_what_is_refused_is_one_line(
    run: Path, here: Path, words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "empty").mkdir()
    assert main(["predict", str(run), *words]) == REFUSED
    captured = capsys.readouterr()
    assert expected in captured.err and captured.err.count("\n") == 1 and captured.out == ""
    assert not captured.err.startswith("radar: radar ")
    assert not (here / "out").exists()


def test_a_photo_that_has_vanished_stops_no_other(run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(run), "gone.png", "gone.png#xywh=0,0,4,4"]) == 2
    assert capsys.readouterr().out.count(",unreadable,") == 2


def test_a_crash_is_no_defect(run: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from radar.model import Model  # noqa: PLC0415

    monkeypatch.setattr(Model, "score", lambda self, images: np.zeros(3)[5])
    assert main(["predict", str(run), str(photos)]) == 4
