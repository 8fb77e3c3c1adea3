"""Values that are sound where they are read, and fail where they are used: one line all the same."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deploy_builders import drawn, quick_model, save, save_model
from PIL import Image
from test_writing import QUICK

import radar
from radar.cli.main import main
from radar.compose.settings import verb_settings
from radar.config.verbs import MonitorConfig
from radar.data.decoding import file_hash
from radar.deploy.calibration import by_hand
from radar.deploy.monitor import monitor
from radar.errors import ConfigError, DataError, RunError
from radar.experiment.run_directory import RunDirectory
from radar.files import parsed, read_bytes, write_json
from radar.inspect.reviews import Reviews
from radar.inspect.sources import logged_photos
from radar.model_folder import change_thresholds, load
from radar.runtime import files
from radar.runtime.__main__ import main as runtime
from radar.runtime.files import unreadable
from radar.runtime.log import continued_log
from radar.runtime.paths import image_files
from radar.runtime.prediction import from_json, json_line
from radar.training.device import named_device

LINE = {
    "path": "a.png", "time": "2026-01-01T00:00:00+00:00", "decision": "good", "score": 1.0, "threshold": 2.0,
    "threshold_name": "fitted", "p_value": 0.5, "region_count": 0, "flagged_area": 0, "flagged_share": 0.0, "regions": [],
    "width": 8, "height": 8, "brightness": 0.5, "sharpness": 0.1, "milliseconds": 1.0, "content_hash": "0" * 64,
    "bytes": 9, "modified_ns": 1, "model": "0" * 12, "error": None,
}  # fmt: skip
REGION = {"x": 1, "y": 1, "width": 1, "height": 1, "area": 1, "peak": 1.0}


@pytest.fixture(scope="module")
def drawn_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    save_model(quick_model(folder / "normals"), folder / "model")
    return folder


@pytest.mark.parametrize("text", ["[" * 50_000, '{"a":' * 50_000, "NaN", '{"a": Infinity}', "[1e999]", "{"])
def test_a_text_of_json_is_read_or_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 50_000,
        json.dumps({**LINE, "time": "0001-01-01T00:00:00+14:00"}),
        json.dumps({**LINE, "time": "9999-12-31T23:59:59-14:00"}),
        json.dumps({**LINE, "regions": 3}),
        json.dumps(LINE).replace("0.5", "NaN", 1),
    ],
    ids=["deep", "before all years", "after all years", "regions", "nan"],
)
def test_a_line_of_a_log_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], drawn_run: Path, line: str
) -> None:
    log = tmp_path / "predictions.jsonl"
    log.write_text(f"{json.dumps(LINE)}\n{line}\n")
    assert main(["monitor", str(drawn_run), str(log)]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "line 2" in said


@pytest.mark.parametrize("overrides", [["--plugins"], ["-m"], ["predict"], ["a=b=[", "x"]], ids=str)
def test_a_stored_command_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], overrides: list[str]
) -> None:
    named = {"preset": None, "config_name": None, "config_dir": None, "plugins": []}
    write_json(tmp_path / "command.json", {"command": [], "overrides": overrides, **named})
    assert main(["--rerun", str(tmp_path)]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "command.json: cannot be read" in said


@pytest.mark.parametrize("name", ["meta", "x", "cuda:999", "", "cpu:x", "mps", "\ud800"])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^device="):
        named_device(name)
    assert named_device("cpu").type == "cpu"


@pytest.mark.parametrize("label", ["good", "bad"])
@pytest.mark.parametrize("command", ["check", "train"])  # the second looks for groups before the data set is opened
def test_a_name_that_is_no_text_is_refused_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, label: str
) -> None:
    for each in ("good", "bad"):
        (tmp_path / each).mkdir()
        for number in range(6):
            values = np.random.default_rng(number).integers(0, 255, (16, 16), dtype=np.uint8)
            Image.fromarray(values).save(tmp_path / each / f"{number}.png")
    (tmp_path / label / "0.png").rename(os.fsdecode(os.fsencode(tmp_path / label) + b"/\xff.png"))
    named = [f"dataset.root={tmp_path}", "dataset.folder.normal=good", "dataset.folder.anomalous=bad"]
    checked = ["data", "check", "dataset=folder", *named]
    trained = ["train", str(tmp_path), "experiment=debug", "--dry-run"]
    assert main(checked if command == "check" else trained) == 3
    assert_one_line_about_a_name(capsys.readouterr().err)


def assert_one_line_about_a_name(said: str) -> None:
    assert said.strip().count("\n") == 0 and "is no UTF-8; rename" in said and said.isascii()


def test_a_file_beyond_all_memory_is_one_line(tmp_path: Path) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2**43)
    with pytest.raises(RunError, match=r"model.safetensors: cannot be read \(.*\); copy it"):
        read_bytes(tmp_path / "model.safetensors", "copy it", largest=2**50)


@pytest.mark.parametrize(
    "values",
    [
        {"brightness": "x"}, {"brightness": [1]}, {"brightness": 1e308}, {"brightness": True}, {"sharpness": "dull"},
        {"score": "nan"}, {"score": {}}, {"decision": "fine"}, {"decision": 1}, {"p_value": -1}, {"path": None}, {"bytes": 1.5},
        {"path": "\ud800a.png"}, {"path": "a\udcff\udfff"}, {"content_hash": "\ud800"}, {"model": "\udc7f"}, {"error": "\udbff"},
        {"score": 10**400}, {"threshold": -(10**400)}, {"bytes": 10**400}, {"regions": [{**REGION, "peak": 10**400}]},
        {"regions": [{"x": 1}]}, {"regions": [1]}, {"regions": "x"}, {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_line_of_other_types_is_no_prediction(values: dict[str, object]) -> None:
    assert from_json(json.dumps(LINE)).path == "a.png"
    with pytest.raises(ValueError, match=r"^(the (prediction|region) has|[a-z_]+ is|1 stands) [^\n]+$"):
        from_json(json.dumps({**LINE, **values}))


def test_a_file_whose_name_is_no_text_has_its_line() -> None:
    said = replace(from_json(json.dumps(LINE)), path=os.fsdecode(b"\x80\xff.png"))
    assert from_json(json_line(said)) == said


@pytest.mark.parametrize(
    "word", ["a" * 300, "a" * 5000, "a" * 400 + "*", "b/" * 3000 + "c.png"], ids=lambda word: f"{len(word)}"
)
def test_a_name_that_is_too_long_stops_no_other_photo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], drawn_run: Path, word: str
) -> None:
    save(tmp_path / "a.png", drawn(1))
    assert main(["predict", str(drawn_run), word, str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 2
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    assert [from_json(line).decision == "unreadable" for line in lines] == [True, False]


def test_a_log_without_line_ends_is_refused_before_it_fills_memory(
    tmp_path: Path, drawn_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", 1000)
    (log := tmp_path / "predictions.jsonl").write_bytes(f"{json.dumps(LINE)}\n".encode() + b" " * 1001)
    model = load(drawn_run)
    with pytest.raises(DataError, match=r"a line has more than"):
        monitor(model, log, None, verb_settings(MonitorConfig, "monitor", []))
    with pytest.raises(DataError, match=r"a line has more than"):
        logged_photos(log, model, 1)
    with pytest.raises(RunError, match=r"a line has more than"), continued_log(tmp_path, lambda line: None):
        pass


def test_a_pipe_is_waited_for_by_nobody(tmp_path: Path, drawn_run: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    with pytest.raises(RunError, match="it is no file"):
        Reviews(pipe, "model")
    with pytest.raises(DataError, match="it is no file"):
        logged_photos(pipe, load(drawn_run), 1)
    with pytest.raises(DataError, match="it is no file"):
        file_hash(pipe)


@pytest.mark.parametrize("origin", ["b\udcff", "\x1b[31mred", "a\nb", "`x`"], ids=ascii)
def test_a_threshold_from_a_folder_of_any_name_is_read_again(drawn_run: Path, origin: str) -> None:
    model = radar.load(drawn_run)
    version = by_hand(model.calibration, 3.0, name="hand", reason=origin)
    made = change_thresholds(drawn_run, model, lambda stored: stored.with_numbered(version))[1].current
    stored = radar.load(drawn_run).thresholds.current
    assert (stored.name, stored.value) == (made.name, 3.0)
    card = (drawn_run / "model" / "README.md").read_text()
    assert made.name in card and "\x1b" not in card


@pytest.mark.parametrize("spoil", ["change", "remove", "replace"])
def test_what_a_model_learnt_from_is_not_taken_from_a_changed_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: str
) -> None:
    assert main([*QUICK, f"output_root={tmp_path / 'out'}"]) == 0
    (run,) = (tmp_path / "out").glob("r-*")
    (tmp_path / "photos").mkdir()
    for number in range(12):
        values = np.random.default_rng(number).integers(0, 255, (48, 48), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / "photos" / f"{number}.png")
    words = ["calibrate", str(run), "--normals", str(tmp_path / "photos"), "--false-alarms", "0.3"]
    assert main(words) == 0
    manifest = run / "manifest.csv"
    text = manifest.read_text()
    manifest.unlink()
    if spoil == "change":
        manifest.write_text(text.replace("train", "test", 1))
    elif spoil == "replace":
        os.mkfifo(manifest)
    capsys.readouterr()
    assert main(words) == 3
    found = {"change": "is damaged (its checksum differs)", "replace": "is no file"}.get(spoil, "is missing")
    assert f"manifest.csv: {found}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "RUN", "a.png", "opacitty=1"], "did you mean opacity"),
        (["predict", "RUN", ""], "a path is empty"),
        (["train", ""], "the folder's name is empty"),
        (["calibrate", "RUN", "--threshold", "3", "--name", ".."], "has letters, digits"),
        (["dataset=../../etc/passwd"], "dataset=../../etc/passwd: is no name of an option; use one of"),
        (["dataset=[a,b]"], "dataset=[a,b]: is no name of an option; use one of"),
        (["patch.size=abc"], "patch.size=abc: Value 'abc' of type 'str' could not be converted to Integer"),
        (["inspect", "RUN", "--token-file", "/dev/zero"], "/dev/zero: cannot be read (it is no file)"),
        (["monitor", "RUN", "/dev/zero"], "/dev/zero: cannot be read as a log (it is no file)"),
        (
            ["calibrate", "RUN", "--reviewed", "/dev/zero", "--false-alarms", "0.1"],
            "/dev/zero: cannot be read as a CSV text",
        ),
        (["dataset=grid", "dataset.synthetic.side=48"], "the dataset that was chosen has no such key"),
        (["method=pca", "method.embedding.side=48"], "method.embedding.side=48"),
        (["export", "RUN", "--to", "onnx", "--out", "/dev/null"], "--out /dev/null: is no folder"),
        (["export", "RUN", "--to", "onnx", "--verify", "nope*"], "nope*: holds no images"),
        (["predict", "RUN", "a.png", "opasity=0.4"], "did you mean opacity"),
        (["predict", "RUN", "a.png", "somethingelse=0.4"], "somethingelse"),
        (["~method", "dataset=grid"], "method.name: no value is set"),
        (["~dataset", "method=pca"], "dataset: no value is set"),
        (["dataset=printed_layers", "~dataset", "dataset.synthetic.side=48"], "other keys need what it takes away"),
        (["cache", "list", "output_root=RUN/none"], "is no folder of outputs"),
        (["--experimental-rerun=x"], "name the run's folder after --rerun"),
        (["--package=x"], "says of what --cfg shows"),
        (["--resolve"], "--resolve: says how --cfg shows a config"),
    ],
    ids=str,
)
def test_a_mistyped_word_is_told(
    drawn_run: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (drawn_run / "a.png").write_bytes(b"")
    assert main([word.replace("RUN", str(drawn_run)) for word in words]) >= 3
    told = capsys.readouterr().err
    assert said in told and told.strip().count("\n") == 0


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "RUN", "a.png", "--out", ""],
        ["report", "RUN", "--out", ""],
        ["export", "RUN", "--to", "onnx", "--out", ""],
        ["export", "", "--to", "onnx"],
        ["transfer", "RUN", "--out="],
        ["predict", "RUN", "--watch", "", "--out", "x"],
        ["data", "write", "", "dataset=grid"],
        ["monitor", "RUN", ""],
        ["inspect", ""],
    ],
    ids=" ".join,
)
def test_a_path_that_is_empty_is_none(
    drawn_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    assert main([str(drawn_run) if word == "RUN" else word for word in words]) == 3
    assert "is empty, as of a variable that is not set" in capsys.readouterr().err
    assert not list(here.iterdir())


@pytest.mark.parametrize("word", ["strip.png#xywh=0,0,8,8", "day=3/a.png", "a=b.png"])
def test_a_photo_that_is_not_there_is_unreadable_whatever_its_name(drawn_run: Path, word: str) -> None:
    assert main(["predict", str(drawn_run), word]) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a decimal comma", "path,verdict,score\na.png,good,1,50\nb.png,good,1,69\n"),
        ("a quote that does not close", 'path,verdict,score\na.png,good,1\n"x.png,good,2\nb.png,good,3\n'),
        ("a row that is cut off", "path,verdict,score\na.png,good,1\nb.png,good\n"),
    ],
)
def test_a_table_of_other_cells_is_refused(
    drawn_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    (table := tmp_path / "reviewed.csv").write_text(text)
    before = radar.load(drawn_run).thresholds.current_name
    assert main(["calibrate", str(drawn_run), "--reviewed", str(table), "--false-alarms", "0.5"]) == 3, name
    assert f"{table}: cannot be read as a CSV text in UTF-8" in capsys.readouterr().err
    assert radar.load(drawn_run).thresholds.current_name == before


def test_a_link_that_comes_back_shows_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "photos" / "below").mkdir(parents=True)
    (tmp_path / "photos" / "a.png").touch()
    (tmp_path / "photos" / "loop").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "below" / "up").symlink_to("..")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.png").touch()
    (tmp_path / "photos" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "below" / "c.png").touch()
    (tmp_path / "photos" / ".hidden").mkdir()
    (tmp_path / "photos" / ".hidden" / "d.png").touch()
    for pattern, expected in (
        ("**/*.png", "a.png c.png"),
        ("*", "a.png c.png b.png"),
        ("linked/*.png", "b.png"),
        (".h*/*.png", "d.png"),
    ):
        found = [path.name for path in image_files([str(tmp_path / "photos" / pattern)])]
        assert found == expected.split(), pattern


@pytest.mark.parametrize("threads", ["0", "-5", "100000", "x", "1025", "9" * 5000])
def test_threads_of_the_runtime_are_bounded(capsys: pytest.CaptureFixture[str], threads: str) -> None:
    assert runtime(["nowhere", "a.png", f"--threads={threads}"]) == 3
    assert "must be a whole number from 1 to 1024" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENAMETOOLONG, "choose shorter names"), (errno.EACCES, "make it readable"), (errno.EPERM, "make it readable"),
        (errno.EIO, "run it again with --force"),
    ],
)  # fmt: skip
def test_what_is_not_damaged_is_not_to_be_computed_again(tmp_path: Path, number: int, advice: str) -> None:
    said = str(unreadable(tmp_path / "status.json", OSError(number, os.strerror(number)), "run it again with --force"))
    assert said == f"{tmp_path / 'status.json'}: cannot be read ({os.strerror(number)}); {advice}"


def test_a_run_below_a_name_that_is_too_long_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"status\.json: cannot be read \(File name too long\); choose shorter names$"):
        RunDirectory(tmp_path / ("x" * 300) / "run").read_status()
