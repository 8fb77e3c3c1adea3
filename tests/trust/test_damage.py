"""Damage of stored files is noticed: what a cache holds is made again, a model and a run are refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from deploy_builders import quick_model, save_model
from safetensors.torch import save_file

import radar
from radar.errors import RunError, StoredError
from radar.experiment.artefact_store import ArtefactStore, Key
from radar.experiment.run_directory import RunDirectory
from radar.files import read_json, write_json
from radar.training.checkpoints import AtomicCheckpoints, read_checkpoint

KEY = Key("network", 1, {"seed": 0})
Damage = Callable[[Path], object]


def flipped(path: Path, share: float = 0.5, count: int = 1) -> None:
    """As a worn disk leaves it: of the same length, and readable."""
    content = bytearray(path.read_bytes())
    start = int(share * (len(content) - count))
    content[start : start + count] = bytes(each ^ 0x01 for each in content[start : start + count])
    path.write_bytes(content)


DAMAGES: dict[str, Damage] = {
    "a bit near the end": lambda path: flipped(path, 0.9),
    "a bit in the middle": flipped,
    "64 bytes": lambda path: flipped(path, 0.7, 64),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-3]),  # more than the last line's end
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n1"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "empty": lambda path: path.write_bytes(b""),
    "another file": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "gone": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}
every_damage = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


def make(part: Path) -> None:
    save_file({"weight": torch.arange(300, dtype=torch.float32)}, part / "network.safetensors")
    write_json(part / "history.json", [{"step": 1.0, "loss": 0.25}])
    (part / "deep").mkdir()
    (part / "deep" / "values.npy").write_bytes(bytes(range(256)))


def contents(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found if path.name != "made.json"}


@every_damage
@pytest.mark.parametrize("name", ["network.safetensors", "history.json", "deep/values.npy", "made.json"])
def test_what_is_damaged_in_the_cache_is_made_again_and_said_once(tmp_path: Path, damage: Damage, name: str) -> None:
    store = ArtefactStore(tmp_path)
    whole = store.take(KEY, make, contents)
    damage(store.folder(KEY) / name)
    store = ArtefactStore(tmp_path)
    assert [store.take(KEY, make, contents) for _ in range(2)] == [whole, whole]
    assert len(store.made) == 1
    (note,) = store.notes
    assert str(store.folder(KEY)) in note and note.endswith("is made again") and "\n" not in note
    assert ArtefactStore(tmp_path).take(KEY, make, contents) == whole


def test_what_is_whole_or_was_stored_without_checksums_is_not_made_again(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    whole = store.take(KEY, make, contents)
    record = read_json(made := store.folder(KEY) / "made.json", "")
    del record["files"]
    made.write_text(json.dumps(record))
    assert store.take(KEY, make, contents) == whole
    assert len(store.made) == 1 and not store.notes


@every_damage
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: Damage) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpoints().save_checkpoint({"state": {"weight": torch.arange(300.0)}, "step": 3}, path)
    assert torch.equal(read_checkpoint(path)["state"]["weight"], torch.arange(300.0))
    damage(path)
    with pytest.raises((StoredError, FileNotFoundError)):
        read_checkpoint(path)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()], ids=repr)
def test_a_checkpoint_that_cannot_be_had_now_is_not_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpoints().save_checkpoint({"step": 3}, path)

    def read_bytes(_: Path) -> bytes:
        raise error

    with monkeypatch.context() as patched, pytest.raises(RunError, match=r"last.ckpt: cannot be read") as told:
        patched.setattr(Path, "read_bytes", read_bytes)
        read_checkpoint(path)
    assert not isinstance(told.value, StoredError)  # for which a training starts over
    assert read_checkpoint(path) == {"step": 3}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "model"
    saved = quick_model(tmp_path_factory.mktemp("photos"), normals=6)
    save_model(saved, folder)
    later = saved.thresholds.with_version(
        saved.thresholds.current.__class__(**{**vars(saved.thresholds.current), "name": "hand"})
    )
    later.write(folder, saved.fingerprint)
    return folder


@every_damage
@pytest.mark.parametrize("name", ["model.safetensors", "model.json", "thresholds.json"])
def test_a_damaged_model_is_one_line(tmp_path: Path, model: Path, damage: Damage, name: str) -> None:
    folder = shutil.copytree(model, tmp_path / "model")
    assert radar.load(folder).thresholds.current_name == "hand"
    damage(folder / name)
    if (name, damage) == ("thresholds.json", DAMAGES["gone"]):  # how one goes back to the fitted threshold
        assert radar.load(folder).thresholds.current_name == "fitted"
        return
    with pytest.raises(RunError) as error:
        radar.load(folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


@pytest.fixture
def done(tmp_path: Path) -> Iterator[RunDirectory]:
    run = RunDirectory(tmp_path / "run")
    with run.recorded("abc"):
        for path in (run.config, run.metrics, run.scores, run.environment, run.manifest, run.history, run.panels):
            path.write_bytes(bytes(range(256)))
    yield run


@every_damage
@pytest.mark.parametrize(
    "name",
    ["config.yaml", "metrics.json", "scores.csv", "environment.json", "manifest.csv", "history.csv", "panels.npz"],
)
def test_a_damaged_file_of_a_run_is_named(done: RunDirectory, damage: Damage, name: str) -> None:
    done.check_files()
    damage(done.path / name)
    with pytest.raises(StoredError, match=rf"run/{name}: is (missing|no file|damaged).*--force"):
        done.check_files()
