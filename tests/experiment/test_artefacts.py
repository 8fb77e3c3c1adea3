"""The artefact store: made once, by one process at a time, never half there."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from radar.experiment import artefacts
from radar.experiment.artefacts import ArtefactStore, Key

KEY = Key("features", {"seed": 0, "blur": {"kernel": 3}})


def write(text: str):
    return lambda part: (part / "result").write_text(text)


def test_a_result_is_made_once_and_found_again(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    folder = store.take(KEY, write("first"))
    assert store.take(KEY, write("second")) == folder
    assert ArtefactStore(tmp_path).take(KEY, write("third")) == folder
    assert (folder / "result").read_text() == "first"
    assert store.made == [KEY]
    (line,) = store.journal()
    assert (line["stage"], line["fingerprint"]) == ("features", KEY.fingerprint)


@pytest.mark.parametrize(
    "other",
    [Key("noise_maps", KEY.inputs), Key("features", {"seed": 1, "blur": {"kernel": 3}}), Key("features", {"seed": 0})],
)
def test_other_stages_and_inputs_are_other_results(tmp_path: Path, other: Key) -> None:
    store = ArtefactStore(tmp_path)
    assert store.take(KEY, write("one")) != store.take(other, write("two"))


def test_the_order_of_inputs_does_not_matter_and_the_version_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Key("features", {"blur": {"kernel": 3}, "seed": 0}).fingerprint == KEY.fingerprint
    monkeypatch.setitem(artefacts.VERSIONS, "features", 99)
    assert Key("features", dict(KEY.inputs)).fingerprint != KEY.fingerprint


def test_what_fails_is_not_there_and_its_part_is_handed_on(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)

    def fail(part: Path) -> None:
        (part / "checkpoint").write_text("half way")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        store.take(KEY, fail)
    assert not store.folder(KEY).exists()
    assert list(store.stored()) == [] and store.journal() == []
    folder = store.take(KEY, lambda part: (part / "result").write_text((part / "checkpoint").read_text()))
    assert (folder / "result").read_text() == "half way"


def test_afresh_makes_again_once(tmp_path: Path) -> None:
    ArtefactStore(tmp_path).take(KEY, write("old"))
    store = ArtefactStore(tmp_path, afresh=True)
    for _ in range(2):
        folder = store.take(KEY, write("new"))
    assert (folder / "result").read_text() == "new"
    assert len(store.made) == 1


def _make_slowly(root: Path, seconds: float) -> None:
    def make(part: Path) -> None:
        with (root / "starts").open("a") as file:
            file.write("started\n")
        time.sleep(seconds)
        (part / "result").write_text("made")

    ArtefactStore(root).take(KEY, make)


def _started(root: Path) -> int:
    return len((root / "starts").read_text().splitlines()) if (root / "starts").exists() else 0


def _wait(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_processes_that_need_the_same_result_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_make_slowly, args=(tmp_path, 0.5)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    assert _started(tmp_path) == 1
    assert len(ArtefactStore(tmp_path).journal()) == 1


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=_make_slowly, args=(tmp_path, 600))
    worker.start()
    _wait(lambda: _started(tmp_path) == 1)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    began = time.monotonic()
    _make_slowly(tmp_path, 0)
    assert time.monotonic() - began < 30
    assert (ArtefactStore(tmp_path).folder(KEY) / "result").read_text() == "made"


def test_pruning_takes_what_was_not_used_for_long(tmp_path: Path) -> None:
    store, used = ArtefactStore(tmp_path), Key("features", {"seed": 1})
    old = time.time() - 1000
    for key in (KEY, used):
        folder = store.take(key, write("x"))
        os.utime(folder / "made.json", (old, old))
    store.take(used, write("x"))
    removed = store.prune(500)
    assert [artefact.path for artefact in removed] == [store.folder(KEY)]
    assert store.folder(used).exists() and not store.folder(KEY).exists()


def test_pruning_leaves_what_is_being_made(tmp_path: Path) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=_make_slowly, args=(tmp_path, 600))
    worker.start()
    _wait(lambda: _started(tmp_path) == 1)
    store = ArtefactStore(tmp_path)
    part = store.folder(KEY).with_name(store.folder(KEY).name + ".part")
    assert store.prune(0) == [] and part.exists()
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    store.prune(0)
    assert not part.exists()


def test_the_list_says_what_made_a_result(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    store.take(KEY, write("x" * 1000))
    (artefact,) = store.stored()
    assert (artefact.stage, artefact.inputs) == ("features", json.loads(json.dumps(KEY.inputs)))
    assert artefact.megabytes >= 0.001 and artefact.unused_seconds < 60
