"""W&B, offline: one run per experiment, read back from the files that it leaves."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wandb.proto import wandb_internal_pb2

from radar.config.schema import Config, WandbConfig
from radar.errors import RadarError
from radar.experiment.run import Experiment, run_experiment
from radar.experiment.run_directory import RunDirectory
from radar.experiment.session import Session
from radar.progress import silent
from radar.report.observer import RunObserver
from radar.report.region_names import named
from radar.report.wandb_tracker import tracking


def records(path: Path) -> Iterator[Any]:
    """Records of a `.wandb` file: a header of 7 bytes, then the LevelDB log format in blocks of 32 KiB."""
    content = path.read_bytes()
    assert content[:4] == b":W&B"
    position, pieces = 7, b""
    while position + 7 <= len(content):
        left_in_block = 32768 - position % 32768
        if left_in_block < 7:
            position += left_in_block
            continue
        length, kind = struct.unpack_from("<HB", content, position + 4)  # after the checksum
        if kind == 0:
            break
        pieces += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a full record, or the last piece of one
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pieces)
            yield record
            pieces = b""


class OfflineRun:
    """The records of one `.wandb` file."""

    def __init__(self, folder: Path) -> None:
        (path,) = folder.rglob("*.wandb")
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.exit_code: int | None = None
        for record in records(path):
            self._take(record)

    def _take(self, record: Any) -> None:
        kind = record.WhichOneof("record_type")
        if kind == "run":
            self.run = record.run
            self.config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        elif kind == "history":
            row = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            self.history.append(row)
        elif kind == "summary":
            for item in record.summary.update:
                self.summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
        elif kind == "exit":
            self.exit_code = record.exit.exit_code


def test_two_runs_are_two_wandb_runs_with_their_config_history_and_exit_code(
    tiny: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tiny("logger=csv_wandb", "seed=1", "name=good", "tags=[one,two]", "evaluation.figures=true")
    bad = tiny("logger=csv_wandb", "seed=2", "name=bad")
    outcome = run_experiment(Experiment(good, silent, Session(afresh=None)), observer=RunObserver("0123456789ab"))

    def fail(*_: object) -> None:
        raise RadarError("planted")

    with monkeypatch.context() as patch:
        patch.setattr("radar.experiment.computation.write_scores", fail)
        with pytest.raises(RadarError, match="planted"):
            run_experiment(Experiment(bad, silent, Session(afresh=None)), observer=RunObserver(None))
    root = Path(good.output_root)
    runs = {name: OfflineRun(next(root.glob(f"{name}-*"))) for name in ("good", "bad")}
    assert runs["good"].run.run_id != runs["bad"].run.run_id
    assert [runs[name].config["seed"] for name in ("good", "bad")] == [1, 2]
    assert runs["good"].config["unet"]["channels"] == good.unet.channels
    assert runs["good"].run.run_group == "0123456789ab"  # of the sweep
    assert list(runs["good"].run.tags) == ["one", "two"]
    for name in ("good", "bad"):
        losses = [row for row in runs[name].history if "train_loss" in row]
        assert [row["step"] for row in losses] == [4, 8, 12]
    assert runs["good"].summary["image/auroc"] == outcome.metrics.image.auroc
    assert {"feature_scatter/path", "loss/path", "panels/path"} <= {key for row in runs["good"].history for key in row}
    environment = json.loads((outcome.directory / "environment.json").read_text())
    assert runs["good"].config["environment"]["data_manifest_hash"] == environment["data_manifest_hash"]
    assert len(runs["good"].config["environment"]["fingerprint"]) == 40
    assert runs["good"].summary["noise/pixels/ks"] == outcome.metrics.noise.pixels.ks
    (table,) = outcome.directory.glob("wandb/offline-run-*/files/**/test_images*.table.json")
    content = json.loads(table.read_text())
    assert len(content["data"]) == outcome.metrics.image.normal + outcome.metrics.image.anomalous
    assert isinstance(content["data"][0][content["columns"].index("score")], float)
    assert (runs["good"].exit_code, runs["bad"].exit_code) == (0, 1)


def test_wandb_writes_below_the_run_alone(tiny: Callable[..., Config], tmp_path: Path) -> None:
    """In a process of its own: W&B looks at the home folder when it is imported."""
    home, words = (
        tmp_path / "home",
        ["method=lof_texture", "method.controls=[]", "logger=csv_wandb", "dataset.image.size=32"],
    )
    home.mkdir()
    quick = ["trainer=cpu", "dataset.synthetic.side=32", "dataset.synthetic.train=8", "dataset.synthetic.test_normal=2"]
    few = ["dataset.synthetic.test_defective=2", "evaluation.figures=false", f"output_root={tmp_path / 'outputs'}"]
    named = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "XDG_"))}
    command = [sys.executable, "-m", "radar", *words, *quick, *few]
    photos = tmp_path / "photos"  # of somebody, with settings beside them
    (photos / "wandb").mkdir(parents=True)
    (photos / "wandb" / "settings").write_text("[default]\nbase_url = http://127.0.0.1:9\nproject = theirs\n")
    (photos / "config-defaults.yaml").write_text("seed: {value: theirs}\ntheirs: {value: 1}\n")
    environment = {**named, "HOME": str(home), "TMPDIR": str(home)}
    answer = subprocess.run(command, env=environment, cwd=photos, check=True, capture_output=True, text=True)
    assert "Loading settings" not in answer.stderr + answer.stdout
    assert sorted(path.name for path in photos.rglob("*")) == ["config-defaults.yaml", "settings", "wandb"]
    (tracked,) = (tmp_path / "outputs").rglob("*.wandb")
    assert b"theirs" not in tracked.read_bytes()
    assert [path for path in home.rglob("*") if path.is_file() and "matplotlib" not in path.parts] == []


def test_without_wandb_nothing_is_tracked_and_the_directory_is_complete(tiny: Callable[..., Config]) -> None:
    outcome = run_experiment(Experiment(tiny("logger=csv"), silent, Session(afresh=None)), observer=RunObserver(None))
    assert not list(outcome.directory.rglob("*.wandb"))
    assert (outcome.directory / "history.csv").exists()


def test_what_is_told_of_a_region_is_its_name(composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr("radar.report.observer.tracking", lambda _, **given: told.update(given))
    corners = [[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]]
    key = "dataset.image.region_of_interest.polygons"
    config = composed("experiment=recommended", "region_of_interest=polygons", f"{key}={corners}")
    directory = RunDirectory(tmp_path)
    monkeypatch.setattr(RunDirectory, "read_environment", lambda _: {})
    RunObserver(None).tracking(config, directory, "f" * 40)
    assert told["config"]["dataset"]["image"]["region_of_interest"]["polygons"] == named(key, corners)
    assert config.dataset.image.region_of_interest.polygons == corners


def test_no_settings_mean_no_tracking(tmp_path: Path) -> None:
    settings: WandbConfig | None = None
    with tracking(settings, folder=tmp_path, name="n", group=None, identity="i", tags=[], config={}) as tracker:
        tracker.log({"step": 1.0})
    assert list(tmp_path.iterdir()) == []


HOSTILE = {  # settings, tags, environment, and what is said
    "a long tag, none, one twice": ({}, ["x" * 500, "", "a", "a"], {}, ""),
    "a project that W&B refuses": ({"project": "a/b\\c#d?e%f:g\n" + "x" * 500}, [], {}, ""),
    "a long group": ({"group": "g" * 500}, [], {}, ""),
    "an unreadable variable": ({}, [], {"WANDB_HTTP_TIMEOUT": "soon"}, ""),
    "W&B switched off outside": ({}, [], {"WANDB_MODE": "disabled", "WANDB_DISABLED": "true"}, ""),
    "an unwritable folder of its own": ({}, [], {"WANDB_DIR": "/proc/nothing", "WANDB_CACHE_DIR": "/proc/nothing"}, ""),
    "nobody to reach": (
        {"mode": "online"}, [], {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "a" * 40}, "this run is kept offline"),
    "no key": ({"mode": "online"}, [], {"WANDB_BASE_URL": "http://127.0.0.1:9", "HOME": "/proc/nothing"}, "this run is kept offline"),
}  # fmt: skip


def tracked(folder: Path, tags: list[str], **own: str | None) -> str:
    """What is said of a run that is tracked, within some seconds."""
    settings = WandbConfig(**{"mode": "offline", "project": "radar", "entity": None, "group": None, **own})
    began = time.monotonic()
    with tracking(
        settings, folder=folder, name="n" * 300, group=None, identity=folder.name, tags=tags, config={}
    ) as tracker:
        tracker.log({"step": 1.0})
    assert time.monotonic() - began < 30
    assert tracker.note.isprintable()
    return tracker.note


@pytest.mark.parametrize("case", HOSTILE)
def test_wandb_neither_fails_nor_delays_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    own, tags, variables, said = HOSTILE[case]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("radar.report.wandb_tracker._PATIENCE", 2.0)
    note = tracked(tmp_path, tags, **own)
    assert said in note and bool(said) == bool(note)


def test_where_wandb_cannot_start_at_all_nothing_is_tracked_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise TypeError("planted\nin two lines")

    monkeypatch.setattr("wandb.init", broken)
    note = tracked(tmp_path, [])
    assert note == "logger.wandb.mode=offline: W&B cannot start (TypeError: planted in two lines); nothing is tracked"
