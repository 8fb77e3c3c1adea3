"""One file that cannot be read stops nothing but what asks for it by name, and is named."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from report_builders import SETTINGS

from radar.cli.cache import cache
from radar.cli.status import status
from radar.compose import experiment
from radar.errors import RunError
from radar.experiment.artefact_store import ArtefactStore, Key
from radar.experiment.run import Experiment, run_experiment
from radar.experiment.run_directory import WANDB_FOLDER, RunDirectory
from radar.experiment.session import CACHE_FOLDER, Session
from radar.experiment.sweep import Sweep, sweeps
from radar.experiment.transfer import DoneRun, read_transfers
from radar.files import read_csv, read_json, write_csv, write_json
from radar.progress import silent
from radar.report.build import Report, tables_page
from radar.report.observer import RunObserver
from radar.report.stored import read_results

Spoil = Callable[[Path], object]
QUICK = (
    "method=lof_texture", "method.controls=[]", "dataset.synthetic.side=48", "dataset.synthetic.train=12", "trainer=cpu",
    "dataset.synthetic.test_normal=4", "dataset.synthetic.test_defective=4", "dataset.image.size=48", "trainer.threads=1",
    "evaluation.figures=false", "evaluation.noise.permutations=19",
)  # fmt: skip


def special(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


SPOILT: dict[str, Spoil] = {
    **{
        name: lambda path, content=content: path.write_bytes(content)
        for name, content in {
            "half": b'{"state": "do', "empty": b"", "spaces": b"  \n", "a brace": b"{", "binary": bytes(range(256)) * 20,
            "zeros": bytes(3000), "a list": b"[]", "a number": b"3", "nothing": b"null", "no entries": b"{}", "deep": b"[" * 20_000,
            "deep entries": b'{"a": ' * 100_000, "not finite": b'{"state": NaN}', "infinite": b'{"seconds": 1e999}',
            "long digits": b'{"seconds": ' + b"9" * 10_000 + b"}", "latin-1": b'{"state": "\xe9"}',
            "UTF-16": '{"a": 1}'.encode("utf-16"),
            "half characters": b'{"state": "\\ud800"}', "unknown": b'{"x": 1}', "an anchor": b"&a [*a]",
            "a tag": b"!!python/name:os.system",
        }.items()
    },
    "gone": Path.unlink,
    "a folder": lambda path: special(path, Path.mkdir),
    "a pipe": lambda path: special(path, os.mkfifo),
    "endless": lambda path: special(path, lambda place: place.symlink_to("/dev/zero")),
    "a loop": lambda path: special(path, lambda place: place.symlink_to(place)),
    "huge": sparse,
}  # fmt: skip
every_way = pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
FEW = ("half", "empty", "binary", "a list", "unknown", "deep", "gone", "a folder", "a pipe")
some_ways = pytest.mark.parametrize("spoil", [SPOILT[way] for way in FEW], ids=FEW)  # the reader is the same
FILES = (
    "status.json",
    "metrics.json",
    "config.yaml",
    "environment.json",
    "scores.csv",
    "manifest.csv",
    "panels.npz",
    "command.json",
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, and what they share."""
    root = tmp_path_factory.mktemp("outputs")
    for seed in (0, 1):
        config = experiment(
            [], presets=[*QUICK, f"dataset.synthetic.seed={seed}", f"name=r{seed}", f"output_root={root}"]
        )
        run_experiment(Experiment(config, silent, Session(afresh=None)), observer=RunObserver(None))
    return root


@pytest.fixture
def spoilt(outputs: Path, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A folder of two runs, and the first one's directory, whose files state no checksums as those of older versions."""
    # W&B's own log may be a link into the folder of a test that is over
    left_out = shutil.ignore_patterns(CACHE_FOLDER, WANDB_FOLDER)
    root = shutil.copytree(outputs, tmp_path / "outputs", ignore=left_out)
    (first,) = root.glob("r0-*")
    told = read_json(first / "status.json", "")
    write_json(first / "status.json", {name: value for name, value in told.items() if name != "files"})
    yield root, first


@every_way
@pytest.mark.parametrize("name", FILES)
def test_a_report_goes_on_without_a_run_that_cannot_be_read(
    spoilt: tuple[Path, Path], capsys: pytest.CaptureFixture[str], spoil: Spoil, name: str
) -> None:
    root, first = spoilt
    if not (first / name).exists():
        (first / name).write_text("{}")
    spoil(first / name)
    results = read_results([root])
    told = capsys.readouterr().err
    if len(results) == 2:  # what a report does without
        assert name in ("panels.npz", "command.json", "manifest.csv") and not told
        assert tables_page(Report(results, SETTINGS, []).tables)
        return
    (only,) = results
    assert only.name.startswith("r1-")
    if name != "status.json" or told:  # a run that never started is none
        assert told.startswith("radar: note: 1 results left out: ") and told.count("\n") == 1
        assert str(first) in told
    with pytest.raises(RunError) as error:
        read_results([first])
    assert str(first) in str(error.value) and "\n" not in str(error.value)


@some_ways
@pytest.mark.parametrize("name", ["status.json", "metrics.json", "config.yaml", "environment.json", "model/model.json"])
def test_a_transfer_names_what_cannot_be_read(spoilt: tuple[Path, Path], spoil: Spoil, name: str) -> None:
    _, first = spoilt
    assert DoneRun.at(first).data
    spoil(first / name)
    with pytest.raises(RunError) as error:
        DoneRun.at(first)
    assert str(first) in str(error.value) and "\n" not in str(error.value)


VALUES: tuple[Any, ...] = (None, True, -1, 3.5, "x", "", [], [1], {}, {"a": {"b": []}}, "../..", "$x_", 10**30, 10**400)


def leaves(tree: dict[str, Any], depth: int = 3) -> Iterator[tuple[dict[str, Any], str]]:
    for key, value in tree.items():
        yield tree, key
        if isinstance(value, dict) and depth > 1:
            yield from leaves(value, depth - 1)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_report_takes_no_value_of_another_type(
    spoilt: tuple[Path, Path], capsys: pytest.CaptureFixture[str], value: Any
) -> None:
    """Each key of a config and of an environment at a time: the run is left out and named, or the tables are made."""
    root, first = spoilt
    for path, read, write in (
        (first / "config.yaml", yaml.safe_load, yaml.safe_dump),
        (first / "environment.json", json.loads, json.dumps),
        (first / "status.json", json.loads, json.dumps),
        (first / "metrics.json", json.loads, json.dumps),
    ):
        before = path.read_text()
        steps = {"config.yaml": 3, "metrics.json": 7}
        for place in range(0, len(list(leaves(read(before)))), steps.get(path.name, 1)):
            tree = read(before)
            node, key = list(leaves(tree))[place]
            node[key] = value
            tree.pop("checksum", None)
            path.write_text(write(tree))
            results = read_results([root])
            told = capsys.readouterr().err
            assert len(results) == 2 or (str(first) in told and told.count("\n") == 1) or path.name == "status.json"
            if len(results) == 2 and place % 4 == 0:
                assert tables_page(Report(results, SETTINGS, []).tables), f"{path.name}, {key}"
        path.write_text(before)


@pytest.mark.parametrize("name", ["config.yaml", "environment.json"])
def test_a_report_takes_no_run_that_lacks_what_tables_read(
    spoilt: tuple[Path, Path], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Each key at a time is taken away: the run is left out and named, or the tables are made."""
    root, first = spoilt
    read, write = {"config.yaml": (yaml.safe_load, yaml.safe_dump), "environment.json": (json.loads, json.dumps)}[name]
    path = first / name
    before = path.read_text()
    for place in range(len(list(leaves(read(before))))):
        tree = read(before)
        node, key = list(leaves(tree))[place]
        del node[key]
        tree.pop("checksum", None)
        path.write_text(write(tree))
        results = read_results([root])
        told = capsys.readouterr().err
        assert len(results) == 2 or (str(first) in told and told.count("\n") == 1)
        if len(results) == 2:
            assert tables_page(Report(results, SETTINGS, []).tables), key


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("split", "evil"), ("split", "train"), ("label", "2"), ("label", ""), ("label", "-1"), ("decision", "5"), ("score", "nan"),
        ("score", "inf"), ("score", ""), ("path", "same.png"),
    ],
)  # fmt: skip
def test_a_report_takes_no_scores_that_no_run_writes(
    spoilt: tuple[Path, Path], capsys: pytest.CaptureFixture[str], column: str, value: str
) -> None:
    root, first = spoilt
    columns, rows = read_csv(first / "scores.csv", "")
    write_csv(first / "scores.csv", columns, [list({**row, column: value}.values()) for row in rows])
    assert [result.name[:2] for result in read_results([root])] == ["r1"]
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and str(first / "scores.csv") in told


@some_ways
@pytest.mark.parametrize("name", ["sweep.json", "job", "status.json"])
def test_status_goes_on_without_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Spoil, name: str
) -> None:
    for digits, jobs in (("a", ["seed=0", "seed=1"]), ("b", ["seed=2"])):
        sweep = Sweep(tmp_path / "sweeps" / digits)
        sweep.begin(["-m", digits], jobs)
        for job in jobs:
            sweep.begin_job(job, tmp_path / f"run-{job}", "command")
            with RunDirectory(tmp_path / f"run-{job}").recorded("abc"):
                pass
    first = Sweep(tmp_path / "sweeps" / "a")
    spoil(
        {"sweep.json": first.path / name, "job": first._file("seed=0"), "status.json": tmp_path / "run-seed=0" / name}[
            name
        ]
    )
    assert "b" in [each.path.name for each in sweeps(tmp_path)]
    assert status([f"output_root={tmp_path}"]) in (0, 4)
    assert "run-seed=2" in capsys.readouterr().out or name != "sweep.json"
    if name == "sweep.json":
        with pytest.raises(RunError):
            first.states()
        return
    one, other = first.states()
    assert other.state == "done" and one.state != "done"
    if first._file("seed=0").is_dir():
        return  # which a command names that would write there
    first.begin_job("seed=0", tmp_path / "run-seed=0", "command")  # as when the same command goes on
    assert first.states()[0].directory == tmp_path / "run-seed=0"


@pytest.mark.parametrize("name", ["metrics.json", "scores.csv"])
def test_a_job_whose_files_are_damaged_has_failed(tmp_path: Path, name: str) -> None:
    sweep = Sweep(tmp_path / "sweeps" / "a")
    sweep.begin(["-m", "seed=0,1"], ["seed=0", "seed=1"])
    for job in ("seed=0", "seed=1"):
        sweep.begin_job(job, run := tmp_path / f"run-{job}", "command")
        with RunDirectory(run).recorded("abc"):
            (run / name).write_text("1")
    assert sweep.done() == [tmp_path / "run-seed=0", tmp_path / "run-seed=1"]
    (tmp_path / "run-seed=0" / name).write_text("2")
    one, other = sweep.states()
    assert (one.state, other.state) == ("failed", "done") and name in str(one.error)
    assert sweep.done() == [tmp_path / "run-seed=1"]


@some_ways
def test_a_cache_goes_on_without_what_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Spoil
) -> None:
    store = ArtefactStore(tmp_path / CACHE_FOLDER)
    keys = [Key("points", 1, {"seed": seed}) for seed in (0, 1)]
    for key in keys:
        store.take(key, lambda part: write_json(part / "result.json", {"a": 1}), lambda folder: folder)
    spoil(store.folder(keys[0]) / "made.json")
    assert cache(["list", f"output_root={tmp_path}"]) == 0
    said = capsys.readouterr()
    whole, damaged = (
        [each for each in said.out.splitlines() if key.fingerprint[:8] in each] for key in (keys[1], keys[0])
    )
    assert (
        len(whole) == 1
        and "damaged" not in whole[0]
        and len(damaged) <= 1
        and all("damaged" in each for each in damaged)
    )
    assert said.err.count("\n") <= 1 and (
        str(store.folder(keys[0])) in said.err or not (store.folder(keys[0]) / "made.json").exists()
    )
    assert cache(["prune", "--days", "0", f"output_root={tmp_path}"]) == 0
    assert not store.folder(keys[1]).exists()
    assert store.take(keys[0], lambda part: write_json(part / "result.json", {"a": 2}), lambda folder: folder)


@every_way
def test_records_of_transfers_are_one_line(tmp_path: Path, spoil: Spoil) -> None:
    (path := tmp_path / "transfers.jsonl").write_text("{}\n")
    spoil(path)
    if not path.exists() and not path.is_symlink():
        assert read_transfers(path) == []
        return
    try:
        assert read_transfers(path) == []
    except RunError as error:
        assert str(path) in str(error) and "\n" not in str(error)


def test_a_table_whose_rows_are_cut_is_refused(tmp_path: Path) -> None:
    for text in ("a,b\n1,2\n3\n", "a,b\n1,2,3\n", "a,b\n", "", '"a'):
        (path := tmp_path / "scores.csv").write_text(text)
        with pytest.raises(RunError, match=r"scores\.csv: cannot be read"):
            read_csv(path, "")
