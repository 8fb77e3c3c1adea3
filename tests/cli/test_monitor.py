"""`radar monitor`: its line, its exit codes and its picture, on photos of a lamp that ages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from deploy_builders import drawn, quick_model, save, save_model
from PIL import Image

from radar.cli.exit_codes import DONE, DRIFT, REFUSED
from radar.cli.main import main


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and logs of photos that stay as they are, and of ones that grow darker from the 40th on."""
    folder = tmp_path_factory.mktemp("run")
    save_model(quick_model(folder / "normals"), folder / "model")
    for number in range(70):
        values = drawn(7000 + number, width=64, height=64)
        save(folder / "steady" / f"{number:03}.png", values)
        aged = values * (1 - 0.004 * max(number - 40, 0))
        save(folder / "ageing" / f"{number:03}.png", aged.astype(np.uint8))
    for name in ("steady", "ageing"):
        assert main(["predict", str(folder), str(folder / name), "--out", str(folder / f"log_{name}")]) in {0, 1}
    return folder


WORDS = ("baseline=30", "score_baseline=log")


def test_nothing_has_changed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", str(run), str(run / "log_steady"), *WORDS]) == DONE
    captured = capsys.readouterr()
    assert (
        captured.out.startswith("in control: 70 photos from ") and captured.out.count("\n") == 1 and captured.err == ""
    )
    assert captured.out.endswith("a false alarm is expected once in 5000 photos\n")
    lines = [json.loads(line) for line in (run / "log_steady" / "predictions.jsonl").read_text().splitlines()]
    assert f", {sum(line['decision'] == 'defective' for line in lines)} of them called defective; " in captured.out


def test_too_few_normals_to_compare_with_are_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", str(run), str(run / "log_steady"), "score_baseline=normals", "baseline=60"]) == DONE
    told = capsys.readouterr().err
    assert told.startswith(
        "radar: note: scores were compared with those of the log's first 60 photos, as the threshold's "
    )
    assert "normal images are fewer than baseline=60: what was wrong from the log's start is not seen" in told


def test_a_last_line_without_its_end_counts_where_it_is_whole(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, log = (run / "log_steady" / "predictions.jsonl").read_bytes(), tmp_path / "predictions.jsonl"
    for content, photos in ((whole.rstrip(b"\n"), 70), (whole[:-10], 69), (whole + b"{", 70)):
        log.write_bytes(content)
        assert main(["monitor", str(run), str(tmp_path), *WORDS]) == DONE
        assert capsys.readouterr().out.startswith(f"in control: {photos} photos")
    log.write_bytes(whole.replace(b"\n", b"x\n", 1))
    assert main(["monitor", str(run), str(tmp_path), *WORDS]) == REFUSED
    assert "line 1: is no prediction" in capsys.readouterr().err


def test_what_was_rejected_is_told_where_nothing_drifts(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "predictions.jsonl"
    lines = [json.loads(line) for line in (run / "log_steady" / "predictions.jsonl").read_text().splitlines()]
    for decision, above, count in (
        ("defective", -1, 70),
        ("defective", 1, 70),
        ("good", -1, 0),
    ):  # what a line says counts
        called = [{**line, "threshold": line["score"] + above, "decision": decision} for line in lines]
        log.write_text("".join(json.dumps(line) + "\n" for line in called))
        assert main(["monitor", str(run), str(log), *WORDS]) == DONE
        assert f", {count} of them called defective; " in capsys.readouterr().out


def test_a_lamp_ages(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "new" / "charts.png"
    assert main(["monitor", str(run), str(run / "log_ageing"), *WORDS, "--picture", str(picture)]) == DRIFT
    captured = capsys.readouterr()
    assert captured.out.startswith("drift: brightness left its limits at 20") and "(falling)" in captured.out
    assert captured.out.count("\n") == 1 and captured.err == ""
    with Image.open(picture) as image:
        assert image.format == "PNG" and min(image.size) > 500
        colours = {pixel[:3] for _, pixel in image.convert("RGB").getcolors(1 << 24) or ()}
    assert (0xD5, 0x5E, 0x00) in colours, "the alarm and the threshold are drawn"


def test_a_picture_that_fails_does_not_change_the_answer(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    picture = tmp_path / "file" / "charts.png"
    assert main(["monitor", str(run), str(run / "log_steady"), *WORDS, "--picture", str(picture)]) == DONE
    captured = capsys.readouterr()
    assert captured.out.startswith("in control") and "cannot be drawn" in captured.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere"], "nowhere: cannot be read as a log"),
        (["log_steady", "--since", "noon"], "--since noon: is no time"),
        (["log_steady", "--since", "2999-01-01"], "holds 0 readable photos"),
        (["log_steady", "weight=0"], "weight=0.0: must be ≥ 0.005"),
    ],
)
def test_no_answer_is_no_drift(
    run: Path, words: list[str], expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run)
    assert main(["monitor", str(run), *words]) == REFUSED
    captured = capsys.readouterr()
    assert expected in captured.err and captured.err.count("\n") == 1 and captured.out == ""
