"""Many photos under kill -9, again and again: each has one line, and the watcher does not grow."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from deploy_builders import drawn, quick_model, save, save_model
from test_watch import watch_process

PAGE_KIB = 4
SIDE = 48  # px, of the photos


@pytest.mark.slow
def test_every_photo_is_decided_once_and_memory_is_flat(tmp_path: Path) -> None:
    kills, growth = endured(tmp_path, photos=600, lines=(10, 100), most_kills=4)
    assert kills == 4
    assert growth < 8 * 1024  # KiB: what is remembered of 600 photos is far less


def endured(folder: Path, *, photos: int, lines: tuple[int, int], most_kills: int) -> tuple[int, int]:
    """Kill the watcher after so many new lines, again and again; how often, and by how many KiB the last one grew."""
    run, watched, out = folder / "model", folder / "in", folder / "out"
    save_model(quick_model(folder / "normals", "dataset.image.size=32"), run)
    for number in range(photos):
        save(watched / f"{number % 10}" / f"{number:05}.png", drawn(number, width=SIDE, height=SIDE))
    draw, kills, log = random.Random(0), 0, out / "predictions.jsonl"
    while True:
        process, before = watch_process(run, watched, out), _count(log)
        wanted = min(photos, before + draw.randint(*lines))
        _wait(lambda wanted=wanted: _count(log) >= wanted, process)
        if kills == most_kills or _count(log) == photos:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
    early = before + (photos - before) // 10
    _wait(lambda: _count(log) >= early, process)
    first = _resident_kib(process)
    _wait(lambda: _count(log) == photos, process)
    last = _resident_kib(process)
    save(watched / "last.png", drawn(photos, width=SIDE, height=SIDE))
    _wait(lambda: _count(log) == photos + 1, process)  # it runs, however late it was started
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode in (0, 1)
    paths = Counter(json.loads(line)["path"] for line in log.read_text().splitlines())
    assert len(paths) == photos + 1 and set(paths.values()) == {1}
    assert (out / "predictions.csv").read_text().count("\n") == photos + 2
    return kills, last - first


def _wait(holds, process: subprocess.Popen[str]) -> None:
    while not holds():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def _count(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def _resident_kib(process: subprocess.Popen[str]) -> int:
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * PAGE_KIB
