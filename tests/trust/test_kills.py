"""Commands killed at random moments end at the same bytes, and nothing that is half written is read as whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import pytest
from test_writing import QUICK

from radar.cli.main import main
from radar.experiment.artefact_inventory import artefacts
from radar.experiment.artefact_store import ArtefactStore
from radar.experiment.run_directory import RunDirectory
from radar.experiment.session import CACHE_FOLDER
from scripts.kills import COMMANDS


@pytest.mark.slow
def test_commands_that_are_killed_end_at_the_same_bytes(tmp_path: Path) -> None:
    # in a process of its own: it forks, and a child of a process that has threads may wait for one that it does not have
    script = [sys.executable, "-m", "scripts.kills", "--kills", "12", "--work", str(tmp_path / "kills")]
    record = tmp_path / "found.json"
    ended = subprocess.run([*script, "--record", str(record)], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(record.read_text())["commands"]
    assert set(found) == set(COMMANDS) and sum(counts["kills"] for counts in found.values()) == 12
    assert sum(counts["hit"] for counts in found.values()) >= 10, ended.stdout
    assert not any(counts["half_written"] or counts["lost_or_other"] for counts in found.values())


def outcome(root: Path) -> bytes:
    (run,) = root.glob("r-*")
    return (run / "scores.csv").read_bytes()


@pytest.mark.parametrize("jump", [-10 * 86_400, 10 * 86_400, -(2**31)], ids=["back", "ahead", "to the epoch"])
def test_a_clock_that_jumps_changes_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int) -> None:
    assert main([*QUICK, f"output_root={tmp_path / 'steady'}"]) == 0
    asked, clock = iter(range(10**6)), time.time
    monkeypatch.setattr(time, "time", lambda: max(0.0, clock() + (jump if next(asked) % 3 else 0)))
    assert main([*QUICK, f"output_root={tmp_path / 'jumping'}"]) == 0
    assert outcome(tmp_path / "jumping") == outcome(tmp_path / "steady")
    (run,) = (tmp_path / "jumping").glob("r-*")
    assert 0 <= (RunDirectory(run).read_status().seconds or -1) < 600
    store = ArtefactStore(tmp_path / "jumping" / CACHE_FOLDER)
    assert list(artefacts(store.root)) and all(0 <= each.seconds < 600 for each in artefacts(store.root))
    monkeypatch.undo()
    assert main([*QUICK, f"output_root={tmp_path / 'jumping'}"]) == 0  # and is found again


def test_two_processes_in_one_folder(tmp_path: Path) -> None:
    assert main([*QUICK, f"output_root={tmp_path / 'alone'}"]) == 0
    words = [*QUICK, f"output_root={tmp_path / 'shared'}"]
    processes = [subprocess.Popen([sys.executable, "-m", "radar", *words]) for _ in range(3)]
    codes = [process.wait() for process in processes]
    assert 0 in codes and set(codes) <= {0, 3}  # 3: another process is computing this run
    assert main(words) == 0
    assert outcome(tmp_path / "shared") == outcome(tmp_path / "alone")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_two_users_in_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """What belongs to another one is read; what cannot be written beside it is one line."""
    if not all(folder.stat().st_mode & 0o001 for folder in Path(__file__).resolve().parents):
        pytest.skip("the sources lie where nobody else may read them")
    root = Path(mkdtemp()) / "shared"  # pytest's own folders are for one user
    root.parent.chmod(0o755)
    words = [*QUICK, f"output_root={root}"]
    assert main(words) == 0
    os.seteuid(65534)
    try:
        assert main(words) == 0
        assert main([*words, "seed=1"]) == 3
        assert main(["cache", "list", f"output_root={root}"]) == 0
        assert main(["cache", "prune", "--days", "0", f"output_root={root}"]) == 0
    finally:
        os.seteuid(0)
    told = capsys.readouterr()
    assert (
        f"{root}/" in told.err and "cannot be written (Permission denied)" in told.err and "Traceback" not in told.err
    )
    assert len(list(artefacts(root / CACHE_FOLDER))) > 2
    shutil.rmtree(root.parent)
