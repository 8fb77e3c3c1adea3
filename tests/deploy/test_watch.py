"""A watched folder: every photo has one line, whatever becomes of it, of its file and of the watcher."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from deploy_builders import drawn, quick_model, save, save_model, settings

from radar.cli.main import main
from radar.deploy.calibration import by_hand
from radar.deploy.current_model import CurrentModel
from radar.deploy.scorer import ModelScorer
from radar.errors import RunError
from radar.model import Model
from radar.runtime.log import continued_log, new_log
from radar.runtime.prediction import json_line
from radar.runtime.stream import examined
from radar.runtime.watch import Watcher

FAST = ("interval=0.02", "patience=0.3")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return quick_model(tmp_path_factory.mktemp("normals"))


def lines(out: Path) -> list[dict[str, object]]:
    path = out / "predictions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def decided(out: Path) -> list[tuple[str, str]]:
    return [(Path(str(line["path"])).name, str(line["decision"])) for line in lines(out)]


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


@contextmanager
def watching(model: Model, folder: Path, out: Path, current: CurrentModel | None = None) -> Iterator[None]:
    watcher, stop = Watcher(ModelScorer(model, current), folder, settings(*FAST)), threading.Event()
    with continued_log(out, watcher.remember) as log:
        thread = threading.Thread(target=watcher.run, args=(lambda each: log.append(each.prediction), stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def several_looks() -> None:
    time.sleep(20 * 0.02)


def test_what_comes_is_decided_once_and_a_restart_knows_it(model: Model, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "in" / "results"
    save(folder / "a.png", drawn(1))
    with watching(model, folder, out):
        until(lambda: len(lines(out)) == 1)
        save(folder / "deep" / "b.png", drawn(2, spot=True))
        until(lambda: len(lines(out)) == 2)
        save(out / "overlays" / "c.png", drawn(3))  # its own pictures are no photos
        several_looks()
    with watching(model, folder, out):
        several_looks()
    assert decided(out) == [("a.png", "good"), ("b.png", "defective")]
    with (out / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["content_hash"] for row in rows] == [line["content_hash"] for line in lines(out)]


def test_touched_renamed_overwritten_and_vanished(model: Model, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    first = save(folder / "a.png", drawn(1))
    with watching(model, folder, out):
        until(lambda: len(lines(out)) == 1)
        os.utime(first, (1, 1))
        several_looks()
        assert len(lines(out)) == 1, "the same path and content"
        first.rename(folder / "b.png")
        until(lambda: len(lines(out)) == 2)
        (folder / "b.png").rename(first)
        several_looks()
        assert len(lines(out)) == 2, "it was there before"
        save(first, drawn(9, spot=True))
        until(lambda: len(lines(out)) == 3)
        first.unlink()
        several_looks()
    assert decided(out) == [("a.png", "good"), ("b.png", "good"), ("a.png", "defective")]


@pytest.mark.parametrize("way", ["renamed", "written"])
def test_another_photo_of_equal_length_and_time_has_its_line(model: Model, tmp_path: Path, way: str) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    first, other = save(folder / "a.bmp", drawn(1)), save(tmp_path / "other.bmp", drawn(9, spot=True))
    assert first.stat().st_size == other.stat().st_size
    with watching(model, folder, out):
        until(lambda: len(lines(out)) == 1)
        told = first.stat()
        if way == "renamed":
            os.utime(other, ns=(told.st_atime_ns, told.st_mtime_ns))
            other.replace(first)
        else:
            first.write_bytes(other.read_bytes())
            os.utime(first, ns=(told.st_atime_ns, told.st_mtime_ns))
        assert first.stat().st_mtime_ns == told.st_mtime_ns
        until(lambda: len(lines(out)) == 2)
        first.chmod(0o600)
        several_looks()
    with watching(model, folder, out):
        several_looks()
    assert decided(out) == [("a.bmp", "good"), ("a.bmp", "defective")]


def test_a_file_is_read_when_it_is_whole(model: Model, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    content = save(tmp_path / "whole.png", drawn(1)).read_bytes()
    with watching(model, folder, out):
        for end in range(0, len(content) * 5 // 6, len(content) // 6):
            (folder / "slow.png").write_bytes(content[:end])
            time.sleep(0.08)  # several looks, less than the patience
        (folder / "slow.png").write_bytes(content)
        until(lambda: bool(lines(out)))
        (folder / "cut.png").write_bytes(content[: len(content) // 2])
        until(lambda: len(lines(out)) == 2)
        (folder / "cut.png").write_bytes(content)
        until(lambda: len(lines(out)) == 3)
        several_looks()
    assert decided(out) == [("slow.png", "good"), ("cut.png", "unreadable"), ("cut.png", "good")]


@pytest.mark.parametrize(
    "left", [b'{"path": "/x', b'{"path": "/x"}\n', b"\0" * 50, b"\0\n"], ids=["half", "odd", "zeros", "zero"]
)
def test_what_a_kill_leaves_of_a_last_line_is_cut_off(model: Model, tmp_path: Path, left: bytes) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    save(folder / "a.png", drawn(1))
    with watching(model, folder, out):
        until(lambda: len(lines(out)) == 1)
    log = out / "predictions.jsonl"
    before = log.read_bytes()
    log.write_bytes(before + left)
    (out / "predictions.csv").write_text("half a ta")
    with watching(model, folder, out):
        several_looks()
        assert log.read_bytes() == before
        save(folder / "b.png", drawn(2))
        until(lambda: len(lines(out)) == 2)
    assert decided(out) == [("a.png", "good"), ("b.png", "good")]
    assert len((out / "predictions.csv").read_text().splitlines()) == 3
    log.write_bytes(b"nothing\n" + before)
    with pytest.raises(RunError, match=r"predictions\.jsonl, line 1: is damaged"), watching(model, folder, out):
        pass


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("\n", ",verdict\n", 1).replace("\n", ",good\n"),
        lambda text: text.replace("good", "defective"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "x.png,good\n",
        lambda text: text.replace(text.splitlines(keepends=True)[-2], "", 1),
    ],
    ids=["verdicts", "a decision", "line ends", "a line more", "a line less"],
)
def test_what_a_person_wrote_into_the_table_is_kept(
    model: Model, tmp_path: Path, edit: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for number in range(3):
        save(folder / f"{number}.png", drawn(number))
    with watching(model, folder, out):
        until(lambda: len(lines(out)) == 3)
    table = out / "predictions.csv"
    text = table.read_bytes().decode()
    whole = edit(text)
    for number in (1, 2):
        table.write_bytes(whole.encode())
        with watching(model, folder, out):
            several_looks()
        assert (out / f"predictions.kept{number}.csv").read_bytes().decode() == whole
        assert f"it is kept as predictions.kept{number}.csv" in capsys.readouterr().err
        assert table.read_bytes().decode() == text
    for short in (text[:5], text[:-4], text):  # what a kill leaves, and the whole
        table.write_bytes(short.encode())
        with watching(model, folder, out):
            several_looks()
        assert table.read_bytes().decode() == text
    assert len(list(out.glob("*.kept*"))) == 2


@pytest.mark.parametrize("way", ["saved anew", "removed", "a column more", "saved with a column more", "a link"])
def test_a_table_that_changes_while_it_is_written_stays_a_copy_of_the_log(
    model: Model, tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A spreadsheet that saves it puts another file in its place."""
    folder, out, elsewhere = tmp_path / "in", tmp_path / "out", tmp_path / "elsewhere.csv"
    save(folder / "0.png", drawn(0))
    table = out / "predictions.csv"
    with watching(model, folder, out):
        until(lambda: len(lines(out)) == 1 and table.read_text().count("\n") == 2)
        text = table.read_text()
        wider = "".join(f"{line},verdict\n" for line in text.splitlines())
        elsewhere.write_text(wider if "column" in way else text)
        if way == "a column more":
            table.write_text(wider)
        else:
            table.unlink()
        if way.startswith("saved"):
            shutil.copy(elsewhere, table)
        elif way == "a link":
            table.symlink_to(elsewhere)
        for number in (1, 2):
            save(folder / f"{number}.png", drawn(number))
            until(lambda wanted=number + 1: len(lines(out)) == wanted)
    with table.open() as file:
        assert [row["content_hash"] for row in csv.DictReader(file)] == [line["content_hash"] for line in lines(out)]
    kept = list(out.glob("*.kept*"))
    assert [path.read_text() for path in kept] == ([wider] if "column" in way else [])
    assert ("it is kept as" in capsys.readouterr().err) == bool(kept)
    assert not table.is_symlink() and elsewhere.read_text() == (wider if "column" in way else text)


def test_a_log_that_was_begun_without_watching_is_known(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However its paths lead to the folder; a photo that is a link keeps its name."""
    monkeypatch.chdir(tmp_path)
    folder, out = tmp_path / "in", tmp_path / "out"
    for number in range(2):
        save(folder / f"{number}.png", drawn(number))
    (folder / "2.png").symlink_to(save(tmp_path / "other.png", drawn(2)))
    Path("linked").symlink_to("in")
    for way in ("in", "linked", "./in/../in"):
        with new_log(out, force=True, forget=lambda line: None) as log:
            for each in examined(ModelScorer(model), [Path(way) / f"{number}.png" for number in range(3)], settings()):
                log.append(each.prediction)
        with watching(model, folder, out):
            several_looks()
        assert len(lines(out)) == 3


@pytest.mark.parametrize("damage", ["", "{\n"], ids=["whole", "damaged"])
def test_starting_over_keeps_what_a_person_wrote_into_the_table(
    model: Model, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    save(folder / "a.png", drawn(1))
    with watching(model, folder, out):
        until(lambda: len(lines(out)) == 1)
    table, log = out / "predictions.csv", out / "predictions.jsonl"
    log.write_text(log.read_text() + damage)
    with new_log(out, force=True, forget=lambda line: None):
        pass
    assert not list(out.glob("*.kept*")), "which nobody changed"
    for number, mine in ((1, "path,verdict\na.png,good\n"), (2, table.read_text() + "mine\n")):
        table.write_text(mine)
        with new_log(out, force=True, forget=lambda line: None):
            assert log.read_bytes() == b"" and table.read_text().startswith("path,time,")
        assert (out / f"predictions.kept{number}.csv").read_text() == mine
        assert f"it is kept as predictions.kept{number}.csv" in capsys.readouterr().err
    log.unlink()
    table.write_text("mine")
    with new_log(out, force=True, forget=lambda line: None):
        assert (out / "predictions.kept3.csv").read_text() == "mine"


@pytest.mark.parametrize("tail", ["", '{"path"'], ids=["whole", "after a kill"])
@pytest.mark.parametrize("refused", ["another model", "a damaged line", "another writer"])
def test_a_watch_that_is_refused_changes_nothing(model: Model, tmp_path: Path, refused: str, tail: str) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for number in range(2):
        save(folder / f"{number}.png", drawn(number))
    with watching(model, folder, out):
        until(lambda: len(lines(out)) == 2)
    table, log = out / "predictions.csv", out / "predictions.jsonl"
    table.write_text(table.read_text().replace("good", "good!"))
    first, second = log.read_text().splitlines(keepends=True)
    if refused == "another model":
        second = second.replace('"model": "abc123', '"model": "def456')
    log.write_text("".join([first, "{\n" if refused == "a damaged line" else "", second, tail]))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with ExitStack() as held:
        if refused == "another writer":
            file = held.enter_context(log.open("rb"))
            fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(RunError), watching(model, folder, out):
            pass
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_another_threshold_decides_from_the_next_photo_on_and_is_said_once(model: Model, tmp_path: Path) -> None:
    run, folder, out, said = tmp_path / "run", tmp_path / "in", tmp_path / "out", list[str]()
    save_model(model, run / "model")
    save(folder / "a.png", drawn(1))
    with watching(model, folder, out, CurrentModel(run, model, said.append)):
        until(lambda: len(lines(out)) == 1)
        assert main(["calibrate", str(run), "--threshold", "-1000", "--name", "strict"]) == 0
        for name in "bc":
            save(folder / f"{name}.png", drawn(2))
        until(lambda: len(lines(out)) == 3)
        (run / "model" / "thresholds.json").write_text("half a fi")
        save(folder / "d.png", drawn(2))
        until(lambda: len(lines(out)) == 4)
        assert main(["calibrate", str(run), "--list"]) != 0, "who asks for it is told"
        (run / "model" / "thresholds.json").unlink()
        save(folder / "e.png", drawn(2))
        until(lambda: len(lines(out)) == 5)
    told = [(line["decision"], line["threshold_name"], line["threshold"]) for line in lines(out)]
    fitted, strict = ("good", "fitted", model.threshold), ("defective", "strict", -1000.0)
    assert told == [fitted, strict, strict, strict, fitted]
    assert [text.partition(" decides ")[0] for text in (said[0], said[2])] == [
        "threshold strict (-1000)",
        f"threshold fitted ({model.threshold:.6g})",
    ]
    assert "thresholds.json: cannot be read" in said[1] and said[1].endswith(
        "threshold strict (-1000) goes on deciding"
    )
    assert len(said) == 3


def test_a_model_that_was_away_is_asked_again(model: Model, tmp_path: Path) -> None:
    """The folder that is gone and the one that holds the fitted threshold alone look alike."""
    said = list[str]()
    save_model(model, tmp_path / "fresh" / "model")
    shutil.copytree(tmp_path / "fresh", tmp_path / "run")
    assert main(["calibrate", str(tmp_path / "run"), "--threshold", "-1000"]) == 0
    current = CurrentModel(tmp_path / "run", model, said.append)
    assert current().threshold == -1000
    (tmp_path / "run" / "model").rename(tmp_path / "away")
    assert [current().threshold for _ in range(3)] == [-1000] * 3
    shutil.copytree(tmp_path / "fresh" / "model", tmp_path / "run" / "model")
    assert current().threshold == model.threshold
    kinds = ["threshold hand-1 (-1000) decides", "threshold hand-1 (-1000) goes on", "threshold fitted"]
    assert [kind in text for kind, text in zip(kinds, said, strict=True)] == [True] * 3


def test_a_table_of_ones_own_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text("path,verdict\nmine,good\n")
    for opened in (new_log(tmp_path, force=False, forget=print), continued_log(tmp_path, print)):
        with (
            pytest.raises(
                RunError, match=r"predictions\.csv: is there already, without predictions\.jsonl; name another"
            ),
            opened,
        ):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]
    assert (tmp_path / "predictions.csv").read_text() == "path,verdict\nmine,good\n"


def test_no_line_mixes_two_thresholds(model: Model, tmp_path: Path) -> None:
    """Versions come and go while photos are judged; strict ones flag all of a map, lax ones nothing."""
    run, folder, out = tmp_path / "run", tmp_path / "in", tmp_path / "out"
    save_model(model, run / "model")
    made, stop = (
        [by_hand(model.calibration, value, name=name) for name, value in (("strict", -1e3), ("lax", 1e3))],
        threading.Event(),
    )
    both = replace(model, thresholds=model.thresholds.with_version(made[0]).with_version(made[1]))

    both.thresholds.using("lax").write(run / "model", model.fingerprint)

    def change() -> None:
        while not stop.is_set():
            for name in ("strict", "lax"):
                both.thresholds.using(name).write(run / "model", model.fingerprint)

    for seed in range(40):
        save(folder / f"{seed}.png", drawn(seed, width=64, height=64))
    changing = threading.Thread(target=change)
    changing.start()
    try:
        with watching(model, folder, out, CurrentModel(run, model, lambda text: None)):
            until(
                lambda: "".join(lines_so_far(out)).count('"error": ') == 40
            )  # the end of a line, which may come in pieces
    finally:
        stop.set()
        changing.join()
    kinds = Counter((line["threshold_name"], line["threshold"], line["decision"]) for line in lines(out))
    assert set(kinds) == {("strict", -1e3, "defective"), ("lax", 1e3, "good")}


def test_a_log_has_one_writer_one_model_and_is_not_overwritten(model: Model, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    save(folder / "a.png", drawn(1))
    with watching(model, folder, out):
        until(lambda: len(lines(out)) == 1)
        for opened in (continued_log(out, lambda line: None), new_log(out, force=True, forget=print)):
            with pytest.raises(RunError, match="another process writes this log"), opened:
                pass
    with pytest.raises(RunError, match=r"is there already.*--force"), new_log(out, force=False, forget=print):
        pass
    assert len(lines(out)) == 1
    other = quick_model(tmp_path / "normals", normals=5)
    object.__setattr__(other, "fingerprint", "def456" * 4)
    with (
        pytest.raises(RunError, match="was written by the model abc123abc123, and this is def456def456"),
        watching(other, folder, out),
    ):
        pass
    with new_log(out, force=True, forget=print):
        assert lines(out) == []


def test_a_log_takes_what_is_predicted(model: Model, tmp_path: Path) -> None:
    photos = [save(tmp_path / f"{seed}.png", drawn(seed)) for seed in range(3)]
    with new_log(tmp_path / "out", force=False, forget=print) as log:
        for count, each in enumerate(examined(ModelScorer(model), photos, settings()), start=1):
            log.append(each.prediction)
            text = (tmp_path / "out" / "predictions.jsonl").read_text()
            assert text.endswith(f"{json_line(each.prediction)}\n") and text.count("\n") == count, "as they come"
            assert (tmp_path / "out" / "predictions.csv").read_text().count("\n") == count + 1


WATCH = "from radar.cli.main import process; process()"


def watch_process(run: Path, folder: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WATCH, "predict", str(run), "--watch", str(folder), "--out", str(out), *FAST],
        stdout=subprocess.DEVNULL,  # a pipe that nobody reads fills up, and the watcher waits
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_kills_and_a_proper_end(model: Model, tmp_path: Path) -> None:
    """Killed at any time it goes on where it was; a signal ends it with the exit code of what it saw."""
    run, folder, out = tmp_path / "model", tmp_path / "in", tmp_path / "out"
    save_model(model, run)
    for seed in range(30):
        save(folder / f"{seed:02}.png", drawn(seed, spot=seed == 25, width=64, height=64 if seed != 25 else 128))
    for at_least in (1, 10):
        process = watch_process(run, folder, out)
        until(lambda n=at_least: len(lines_so_far(out)) >= n, 120)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = watch_process(run, folder, out)
    until(lambda: len(lines_so_far(out)) >= 30, 120)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, 1) and "Traceback" not in errors
    assert re.search(r"\d+ photos: .*; watched for \d+\.\d s$", errors.strip()), errors
    assert Counter(Path(str(line["path"])).name for line in lines(out)) == Counter(
        f"{seed:02}.png" for seed in range(30)
    )


def lines_so_far(out: Path) -> list[str]:
    path = out / "predictions.jsonl"
    return path.read_text().splitlines() if path.exists() else []
