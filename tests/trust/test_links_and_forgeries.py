"""Links that lie where results go, numbers of a forged model, words of a terminal: nothing leads elsewhere or decides by them."""

from __future__ import annotations

import io
import json
import resource
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deploy_builders import drawn, quick_model, save, save_model
from PIL import Image

import radar
from radar.cli.main import main
from radar.config.schema import MethodConfig
from radar.data.decoding import read_content
from radar.errors import DataError, RunError, WriteError
from radar.experiment.artefact_inventory import prune
from radar.experiment.artefact_store import ArtefactStore, Key
from radar.experiment.log import run_log
from radar.experiment.run_directory import RunDirectory
from radar.files import claim, read_json, write_json
from radar.inspect.reviews import Reviews
from radar.methods.registry import METHODS
from radar.runtime.files import appending
from radar.runtime.log import CSV, JSON_LINES, continued_log


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("model")
    save_model(quick_model(root / "normals"), root / "model")
    save(root / "photos" / "a.png", drawn(1))
    return root


@pytest.mark.parametrize("name", [JSON_LINES, CSV])
@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("options", [[], ["--force"]])
def test_a_log_of_predictions_leads_nowhere_else(
    model: Path, tmp_path: Path, name: str, is_there: bool, options: list[str]
) -> None:
    victim, out = tmp_path / "victim.txt", tmp_path / "out"
    out.mkdir()
    if is_there:
        victim.write_text("as it was")
    (out / name).symlink_to(victim)
    code = main(["predict", str(model), str(model / "photos"), "--out", str(out), *options])
    refused = name == JSON_LINES or (is_there and not options)  # a table that is no log's is not replaced unasked
    assert code == (3 if refused else 0)
    assert victim.read_text() == "as it was" if is_there else not victim.exists()
    assert refused or not (out / name).is_symlink()


def test_reviews_and_the_text_log_of_a_run_lead_nowhere_else(model: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    (tmp_path / "reviewed.csv").symlink_to(victim)
    (said,) = radar.predict(radar.load(model), [model / "photos"])
    with pytest.raises(RunError, match=r"reviewed\.csv: is a link"):
        Reviews(tmp_path / "reviewed.csv", said.model)
    reviews = Reviews(tmp_path / "later.csv", said.model)
    (tmp_path / "later.csv").symlink_to(victim)
    with pytest.raises(WriteError, match=r"later\.csv"):
        reviews.add(said, "good")
    (tmp_path / "log.txt").symlink_to(victim)
    with run_log(tmp_path) as log:
        log.info("a line")
    assert not victim.exists()


@pytest.mark.parametrize("name", ["overlays", "masks", "overlays/defective"])
def test_pictures_of_predictions_lead_nowhere_else(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (victim := tmp_path / "victim").mkdir()
    link = tmp_path / "out" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    save(tmp_path / "photos" / "a.png", drawn(1, spot=True))
    ask = ["predict", str(model), str(tmp_path / "photos"), "--out", str(tmp_path / "out"), "--overlays", "--masks"]
    assert main(ask) == 3
    assert "it is a link" in capsys.readouterr().err and not list(victim.iterdir())


def test_a_run_whose_directory_holds_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r" / "model").parent.mkdir()
    (tmp_path / "r" / "model").symlink_to(tmp_path)
    with pytest.raises(RunError, match=r"r/model: is a link"), RunDirectory(tmp_path / "r").held():
        pass


def test_what_a_stage_or_an_export_begins_leads_nowhere_else(tmp_path: Path) -> None:
    (victim := tmp_path / "victim").mkdir()
    key, store = Key("points", 1, {"a": 1}), ArtefactStore(tmp_path / "cache")
    (folder := store.folder(key)).parent.mkdir(parents=True)
    folder.with_name(f"{folder.name}.part").symlink_to(victim)
    assert store.take(key, lambda at: (at / "x").write_text("1"), lambda at: (at / "x").read_text()) == "1"
    assert folder.is_dir() and not folder.is_symlink() and not list(victim.iterdir())
    (tmp_path / ".set.part").symlink_to(victim)
    keys = ["dataset=printed_layers", "dataset.synthetic.train=4", "dataset.synthetic.side=32"]
    assert main(["data", "write", str(tmp_path / "set"), *keys]) == 0
    assert (tmp_path / "set").is_dir() and not (tmp_path / "set").is_symlink() and not list(victim.iterdir())


@pytest.mark.parametrize("other", [Key("points", 1, {"a": 2}), Key("points", 2, {"a": 1})], ids=["inputs", "version"])
def test_a_cache_believes_no_name_of_a_folder(tmp_path: Path, other: Key) -> None:
    key, store = Key("points", 1, {"a": 1, "b": [1, 2], "c": (0.1, None)}), ArtefactStore(tmp_path)

    def ask(of: Key, made: str) -> str:
        return store.take(of, lambda at: (at / "x").write_text(made), lambda at: (at / "x").read_text())

    assert (ask(key, "one"), ask(other, "two"), ask(key, "again")) == ("one", "two", "one")
    shutil.rmtree(store.folder(key))
    store.folder(other).rename(store.folder(key))
    assert ask(key, "anew") == "anew" and "another stage or other inputs" in store.notes[0]


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_file_beyond_all_photos_is_not_read(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(5 * 2**30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert main(["predict", str(model), str(tmp_path / name)]) == 2
    assert "has 5 GiB, and at most 2 are read" in capsys.readouterr().out
    with pytest.raises(DataError, match="5120 MiB"):
        read_content(tmp_path / name)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20, "KiB"


def test_what_is_appended_to_may_be_read_and_is_made(tmp_path: Path) -> None:
    for _ in range(2):
        with appending(tmp_path / "x") as file:
            file.write(b"ab")
            file.seek(0)
            assert file.read(2) == b"ab"
    assert (tmp_path / "x").read_bytes() == b"abab"


@pytest.mark.parametrize("linked", ["stage", "result"])
def test_pruning_a_cache_follows_no_link(tmp_path: Path, linked: str) -> None:
    elsewhere, root = ArtefactStore(tmp_path / "elsewhere"), tmp_path / "cache"
    stage = tmp_path / "elsewhere" / "points"
    (stage / "abc").mkdir(parents=True)
    (stage / "abc.part").mkdir()
    record = {"stage": "points", "version": 1, "inputs": {}, "made": "2026-01-01", "seconds": 1.0, "files": {}}
    write_json(stage / "abc" / "made.json", record)
    root.mkdir()
    if linked == "stage":
        (root / "points").symlink_to(stage)
    else:
        (root / "points").mkdir()
        (root / "points" / "abc").symlink_to(stage / "abc")
        (root / "points" / "abc.part").symlink_to(stage / "abc.part")
    assert prune(root, 0) == ([], [])
    assert (stage / "abc" / "made.json").exists() and (stage / "abc.part").exists()
    assert [each.path.name for each in prune(elsewhere.root, 0)[0]] == ["abc"], "which is what it does without a link"


def forged(model: Path, folder: Path, path: tuple[str, ...], value: Any) -> Path:
    """A copy of the model whose JSON has another value at `path`, and the checksum that belongs to it."""
    facts = read_json(model / "model" / "model.json", "")
    facts.pop("checksum", None)
    *above, key = path
    section = facts
    for name in above:
        section = section[name]
    section[key] = value
    (folder / "model.safetensors").write_bytes((model / "model" / "model.safetensors").read_bytes())
    write_json(folder / "model.json", facts)
    return folder


@pytest.mark.parametrize("path", [("threshold",), ("map_levels", "faint"), ("calibration", "false_alarms")], ids=str)
@pytest.mark.parametrize("value", ["nan", "inf", "1", 10**400, True, []], ids=lambda value: repr(value)[:12])
def test_a_model_decides_by_numbers_alone(model: Path, tmp_path: Path, path: tuple[str, ...], value: Any) -> None:
    with pytest.raises(RunError, match="cannot be read as a model"):
        radar.load(forged(model, tmp_path, path, value))


@pytest.mark.parametrize("share", [-3, 0, 1.5])
def test_a_model_promises_no_rate_that_is_no_share(model: Path, tmp_path: Path, share: float) -> None:
    with pytest.raises(RunError, match=r"cannot be read as a model \(calibration.false_alarms=.* is no share\)"):
        radar.load(forged(model, tmp_path, ("calibration", "false_alarms"), share))


@pytest.mark.parametrize("channels", [0, 2, 10**12, 10**20, True, "1", None, [1]], ids=str)
def test_a_model_of_other_channels_than_its_images_have_is_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], channels: Any
) -> None:
    mean = radar.load(model)
    sobel = METHODS.get("raw_sobel")
    config = replace(mean.config, method=MethodConfig(sobel.name, [], sobel.Settings()))
    save_model(replace(mean, config=config, method=sobel(config).empty({"channels": 1})), tmp_path / "sobel" / "model")
    folder = forged(tmp_path / "sobel", tmp_path, ("structure", "channels"), channels)
    assert main(["predict", str(folder), str(model / "photos")]) == 3
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert "channels, and its images are read as 1; run the experiment again" in captured.err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timestep.value", 5000), ("unet.channels", []), ("dataset.megapixels", 10**400), ("contamination.value", 10**400),
        ("scoring.smoothing", 10**400), ("scoring.smoothing", -(10**400)),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_a_forged_config_of_a_model_is_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: Any
) -> None:
    code = main(["predict", str(forged(model, tmp_path, ("config", *key.split(".")), value)), str(model / "photos")])
    told = capsys.readouterr().err
    assert "Traceback" not in told and (code in (0, 1) or (code == 3 and told.count("\n") == 1))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("options", [[], ["--jsonl"]])
def test_a_terminal_obeys_no_name(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    save(tmp_path / "\x1b[2Ja\x9b.png", drawn(2))
    monkeypatch.setattr(sys, "stdout", shown := Terminal())
    assert main(["predict", str(model), str(tmp_path), *options]) in (0, 1)
    assert "\x1b" not in shown.getvalue() and "\x9b" not in shown.getvalue()
    assert shown.getvalue().count("\n") == (1 if options else 2)
    if options:
        assert json.loads(shown.getvalue())["decision"] in ("good", "defective")


def test_a_photo_that_no_picture_can_be_made_of_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(6):
        save(tmp_path / "set" / "good" / f"{number}.png", drawn(number))
    Image.new("L", (30_000, 1)).save(tmp_path / "set" / "good" / "thin.png")
    keys = [
        "dataset=folder",
        f"dataset.root={tmp_path / 'set'}",
        "dataset.folder.normal=good",
        "dataset.folder.anomalous=null",
    ]
    assert main(["data", "check", "experiment=debug", *keys, "dataset.image.aspect=short"]) == 3
    told = capsys.readouterr().err
    assert "Traceback" not in told and "thin.png" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dataset.megapixels=" + "9" * 400], "dataset.megapixels"),
        (["dataset=folder", "dataset.root="], "dataset.root='': layout folder reads a folder"),
        (["--rerun", ".", "--cfg", "job"], "--rerun: runs what is stored"),
    ],
)
def test_a_word_without_meaning_is_named(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert main(["experiment=debug", *words]) == 3
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1 and len(told) < 600


def test_a_log_that_was_removed_is_told(model: Path, tmp_path: Path) -> None:
    (said,) = radar.predict(radar.load(model), [model / "photos"])
    with continued_log(tmp_path / "out", lambda each: None) as log:
        log.append(said)
        shutil.rmtree(tmp_path / "out")
        with pytest.raises(WriteError, match="the log was removed"):
            log.append(said)


@pytest.mark.parametrize("name", ["cache/points", "cache/fitted", "sweeps"])
def test_a_link_below_the_outputs_leads_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "outputs" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "elsewhere")
    words = [
        "experiment=debug",
        "dataset=stochastic_tile",
        "method=pca",
        "method.controls=[]",
        "evaluation.figures=false",
    ]
    assert main(["-m", *words, "seed=0,1", f"output_root={tmp_path / 'outputs'}"]) != 0
    assert "is a link" in capsys.readouterr().err and not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("name", ["tables", "figures"])
def test_a_link_in_the_place_of_a_reports_folder_leads_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    records = Path(__file__).parents[2] / "docs" / "results" / "border.runs.jsonl.xz"
    (tmp_path / "elsewhere").mkdir()
    claim(tmp_path / "report", "report", [name])  # a report was written there before
    (tmp_path / "report" / name).symlink_to(tmp_path / "elsewhere")
    assert main(["report", str(records), "--out", str(tmp_path / "report")]) != 0
    assert "is a link" in capsys.readouterr().err and not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("words", [["dataset=stochastic_tile"], ["cache", "list"], ["status"]])
def test_no_folder_of_outputs_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RADAR_OUTPUTS", "")
    assert main(words) == 3
    told = capsys.readouterr().err
    assert "output_root is empty" in told and told.count("\n") == 1 and not list(tmp_path.iterdir())
