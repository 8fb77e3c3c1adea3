"""The artefact store: made once, by one process at a time, never half there."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from radar.experiment.artefact_inventory import artefacts, prune, remnants
from radar.experiment.artefact_store import ArtefactStore, Key

KEY = Key("features", 1, {"seed": 0, "blur": {"kernel": 3}})


def take(store: ArtefactStore, key: Key, make) -> Path:
    """The folder of a result, as who reads nothing of it finds it."""
    return store.take(key, make, lambda folder: folder)


def write(text: str):
    return lambda part: (part / "result").write_text(text)


def test_a_result_is_made_once_and_found_again(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    folder = take(store, KEY, write("first"))
    assert take(store, KEY, write("second")) == folder
    assert take(ArtefactStore(tmp_path), KEY, write("third")) == folder
    assert (folder / "result").read_text() == "first"
    assert store.made == [KEY]
    (artefact,) = artefacts(store.root)
    assert (artefact.stage, artefact.path.name) == ("features", KEY.fingerprint)


@pytest.mark.parametrize(
    "other",
    [
        Key("noise_maps", 1, KEY.inputs),
        Key("features", 1, {"seed": 1, "blur": {"kernel": 3}}),
        Key("features", 1, {"seed": 0}),
    ],
)
def test_other_stages_and_inputs_are_other_results(tmp_path: Path, other: Key) -> None:
    store = ArtefactStore(tmp_path)
    assert take(store, KEY, write("one")) != take(store, other, write("two"))


def test_the_order_of_inputs_does_not_matter_and_the_version_does() -> None:
    assert Key("features", 1, {"blur": {"kernel": 3}, "seed": 0}).fingerprint == KEY.fingerprint
    assert Key("features", 2, dict(KEY.inputs)).fingerprint != KEY.fingerprint


def test_what_fails_is_not_there_and_its_part_is_handed_on(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)

    def fail(part: Path) -> None:
        (part / "checkpoint").write_text("half way")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        take(store, KEY, fail)
    assert not store.folder(KEY).exists()
    assert list(artefacts(store.root)) == []
    folder = take(store, KEY, lambda part: (part / "result").write_text((part / "checkpoint").read_text()))
    assert (folder / "result").read_text() == "half way"


def test_afresh_makes_again_once_for_all_processes_of_a_command(tmp_path: Path) -> None:
    take(ArtefactStore(tmp_path), KEY, write("old"))
    stores = [ArtefactStore(tmp_path, "command") for _ in range(2)]  # as two processes of one command have
    folders = [take(store, KEY, write(text)) for store in stores for text in ("new", "newer")]
    assert {(folder / "result").read_text() for folder in folders} == {"new"}
    assert [len(store.made) for store in stores] == [1, 0]


@pytest.mark.parametrize("afresh", [None, "command"])
@pytest.mark.parametrize("damage", ["made.json", "result"])
def test_a_damaged_result_is_made_again(tmp_path: Path, damage: str, afresh: str | None) -> None:
    def make(part: Path) -> None:
        (part / "result").write_text("1234")

    def read(folder: Path) -> int:
        return int((folder / "result").read_text())

    folder = take(ArtefactStore(tmp_path), KEY, make)
    (folder / damage).write_text("")
    store = ArtefactStore(tmp_path, afresh)
    assert [each.stage for each in artefacts(store.root)] == ([] if damage == "made.json" else ["features"])
    assert store.take(KEY, make, read) == 1234
    assert store.take(KEY, make, read) == 1234 and len(store.made) == 1


def test_what_a_killed_writer_left_does_not_stay(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)

    def killed(part: Path) -> None:
        (part / ".result.7.tmp").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(store, KEY, killed)
    folder = take(store, KEY, write("whole"))
    assert sorted(path.name for path in folder.iterdir()) == ["made.json", "result"]
    assert store.record(KEY)["attempts"] == 2


def test_seconds_of_earlier_attempts_count_up_to_what_they_left(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)

    def interrupted(part: Path) -> None:
        checkpoint = part / "checkpoint"
        checkpoint.write_text("half way")
        os.utime(checkpoint, (time.time() + 100, time.time() + 100))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(store, KEY, interrupted)
    take(store, KEY, write("whole"))
    assert store.record(KEY)["seconds"] == pytest.approx(100, abs=5)


def test_a_full_disk_fails_a_job_and_leaves_no_result(tmp_path: Path) -> None:
    """`ulimit` stands in for the disk: a file may not grow beyond 8 KiB."""
    script = (
        "import resource, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from radar.experiment.artefact_store import ArtefactStore, Key\n"
        "from radar.files import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n"
        "values = np.zeros(100_000)\n"
        "make = lambda part: write_atomically(part / 'result', lambda file: np.save(file, values))\n"
        "ArtefactStore(Path(sys.argv[1])).take(Key('features', 1, {'seed': 0}), make, lambda folder: folder)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert answer.returncode == 1 and "OSError" in answer.stderr
    store = ArtefactStore(tmp_path)
    assert list(artefacts(store.root)) == []
    folder = take(store, Key("features", 1, {"seed": 0}), write("whole"))
    assert sorted(path.name for path in folder.iterdir()) == ["made.json", "result"]


def _make_slowly(root: Path, seconds: float) -> None:
    def make(part: Path) -> None:
        with (root / "starts").open("a") as file:
            file.write("started\n")
        time.sleep(seconds)
        (part / "result").write_text("made")

    take(ArtefactStore(root), KEY, make)


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
    assert len(list(artefacts(tmp_path))) == 1


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
    store, used = ArtefactStore(tmp_path), Key("features", 1, {"seed": 1})
    old = time.time() - 1000
    for key in (KEY, used):
        folder = take(store, key, write("x"))
        os.utime(folder / "made.json", (old, old))
    take(store, used, write("x"))
    removed, _ = prune(store.root, 500)
    assert [artefact.path for artefact in removed] == [store.folder(KEY)]
    assert store.folder(used).exists() and not store.folder(KEY).exists()


def test_pruning_leaves_what_is_being_made(tmp_path: Path) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=_make_slowly, args=(tmp_path, 600))
    worker.start()
    _wait(lambda: _started(tmp_path) == 1)
    store = ArtefactStore(tmp_path)
    part = store.folder(KEY).with_name(store.folder(KEY).name + ".part")
    assert prune(store.root, 0) == ([], []) and part.exists()
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    (remnant,) = remnants(store.root)
    assert (remnant.path, remnant.unfinished) == (part, True)
    assert prune(store.root, 0) == ([], [remnant]) and not part.exists()


def test_damaged_results_are_counted_apart_from_whole_ones(tmp_path: Path) -> None:
    store, other = ArtefactStore(tmp_path), Key("features", 1, {"seed": 1})
    for key in (KEY, other):
        take(store, key, write("x" * 1000))
    (store.folder(KEY) / "made.json").write_text("{")
    removed, (damaged,) = prune(store.root, 0)
    assert [artefact.path for artefact in removed] == [store.folder(other)]
    assert (damaged.path, damaged.unfinished) == (store.folder(KEY), False) and damaged.megabytes >= 0.001
    assert not store.folder(KEY).exists() and remnants(store.root) == []


def test_the_list_says_what_made_a_result(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    take(store, KEY, write("x" * 1000))
    (artefact,) = artefacts(store.root)
    assert (artefact.stage, artefact.inputs) == ("features", json.loads(json.dumps(KEY.inputs)))
    assert artefact.megabytes >= 0.001 and artefact.unused_seconds < 60
