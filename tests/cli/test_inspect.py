"""`radar inspect`: it starts, answers and ends as it says, and what keeps it from starting is one line."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from deploy_builders import drawn, quick_model, save, save_model
from serving import serving
from test_main import QUICK

import radar
from radar.cli.exit_codes import REFUSED
from radar.cli.main import main
from radar.deploy.scorer import ModelScorer
from radar.inspect.sources import run_photos
from radar.runtime.examination import examine


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_model(quick_model(folder / "normals"), folder / "model")
    return folder


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["inspect", *arguments]) == REFUSED
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_what_keeps_it_from_starting_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "holds no model" in refusal(capsys, str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port={port}: cannot be listened on (Address already in use)" in refusal(
            capsys, str(run), f"port={port}"
        )
    assert "host=no.such.invalid" in refusal(capsys, str(run), "host=no.such.invalid")
    assert "prot: no such key" in refusal(capsys, str(run), "prot=1")
    for unread in ("interval=9", "patience=1", "decode_ahead=4"):
        assert f"{unread}: radar inspect does not read it; leave it out" in refusal(capsys, str(run), unread)
    (tmp_path / "short").write_text("secret\n")
    assert "16 to 200" in refusal(capsys, str(run), "--token-file", str(tmp_path / "short"))
    (tmp_path / "other.csv").write_text("path,verdict\na.png,good\n")
    assert "it has other columns" in refusal(capsys, str(run), "--reviewed", str(tmp_path / "other.csv"))
    assert "the run is not done" in refusal(capsys, str(run), "--test", "port=0")
    monkeypatch.setattr("radar.cli.inspect.find_spec", lambda name: None if name == "uvicorn" else name)
    assert "uvicorn is not installed; get it with pip install" in refusal(capsys, str(run))


@pytest.mark.slow
def test_it_serves_a_logs_photos_until_ctrl_c(run: Path, tmp_path: Path) -> None:
    parts = [save(tmp_path / "parts" / f"{seed}.png", drawn(seed, spot=seed == 1)) for seed in range(2)]
    assert main(["predict", str(run), str(tmp_path / "parts"), "--out", str(tmp_path / "out")]) == 1
    with serving(str(run), "--log", str(tmp_path / "out")) as (line, process):
        url = re.findall(r"http://127\.0\.0\.1:\d+/", line)[0]
        with urllib.request.urlopen(urllib.request.Request(f"{url}predict", data=parts[1].read_bytes())) as answer:
            assert json.load(answer)[0]["decision"] == "defective"
        for _ in range(100):
            with urllib.request.urlopen(f"{url}photos") as answer:
                photos = json.load(answer)["photos"]
            if len(photos) == 2:
                break
        assert [photo["prediction"]["path"] for photo in photos] == [str(part) for part in reversed(parts)]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@pytest.mark.slow
def test_of_a_long_log_the_latest_photos_are_asked_which_is_told(run: Path, tmp_path: Path) -> None:
    for seed in range(4):
        save(tmp_path / "parts" / f"{seed}.png", drawn(seed))
    assert main(["predict", str(run), str(tmp_path / "parts"), "--out", str(tmp_path / "out")]) in (0, 1)
    with serving(str(run), "--log", str(tmp_path / "out"), "gallery=3") as (line, _):
        assert "the latest 3 of its 4 photos are asked anew; gallery=4 asks for all" in line


@pytest.mark.slow
def test_elsewhere_than_on_loopback_a_token_is_drawn(run: Path) -> None:
    with serving(str(run), "host=0.0.0.0") as (line, _):
        port, token = re.findall(r":(\d+)/token#([\w-]{40,}) ", line)[0]
        request = urllib.request.Request(f"http://127.0.0.1:{port}/model")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request)
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["current"] == "fitted"


@pytest.mark.slow
def test_a_runs_own_test_images_have_the_evaluations_scores(tmp_path: Path) -> None:
    assert main([*QUICK, f"output_root={tmp_path}"]) == 0
    (scores,) = tmp_path.glob("*/scores.csv")
    model = radar.load(scores.parent)
    examined = [examine(ModelScorer(model), [photo], 5)[0].prediction for photo in run_photos(scores.parent, model)]
    with scores.open() as file:
        expected = {row["path"]: float(row["score"]) for row in csv.DictReader(file) if row["split"] == "test"}
    assert {each.path: each.score for each in examined} == expected and expected


def test_a_test_image_that_was_replaced_is_not_shown_as_what_it_was(tmp_path: Path) -> None:
    drawn_set = ["dataset.synthetic.train=8", "dataset.synthetic.test_normal=3", "dataset.synthetic.test_defective=3"]
    assert main(["data", "write", str(tmp_path / "set"), "dataset=printed_layers", *drawn_set]) == 0
    words = ["experiment=debug", "method=pca", "method.controls=[]", "evaluation.figures=false"]
    assert main([*words, "dataset=mvtec_folder", f"dataset.root={tmp_path / 'set'}", f"output_root={tmp_path}"]) == 0
    (scores,) = tmp_path.glob("*/scores.csv")
    model = radar.load(scores.parent)
    replaced, cut, gone = (Path("test/good") / f"{number:03}.png" for number in range(3))
    contents = {(tmp_path / "set" / name).read_bytes() for name in (replaced, cut, gone)}
    defective = next(path for path in (tmp_path / "set" / "test").glob("*/*.png") if path.parent.name != "good")
    (tmp_path / "set" / replaced).write_bytes(defective.read_bytes())
    (tmp_path / "set" / cut).write_bytes((tmp_path / "set" / cut).read_bytes()[:200])
    (tmp_path / "set" / gone).unlink()
    examined = [examine(ModelScorer(model), [photo], 5)[0].prediction for photo in run_photos(scores.parent, model)]
    shown = {each.path: each for each in examined}
    for name in (replaced, cut, gone):
        assert shown[str(name)].decision == "unreadable" and shown[str(name)].score is None
        assert shown[str(name)].content_hash not in {hashlib.sha256(content).hexdigest() for content in contents}
    assert "has changed since the run" in str(shown[str(replaced)].error)
    assert sum(each.score is not None for each in examined) == 3
