"""A run that is killed and started again ends at the bits of a run that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_experiment import TINY, network_weights

from radar.experiment.run_directory import RunDirectory

ARGUMENTS = [*TINY, "trainer.threads=1", "training.max_steps=60", "training.epoch_steps=5"]


def start(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "radar", *ARGUMENTS, f"output_root={root}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finished(root: Path) -> RunDirectory:
    assert start(root).wait(timeout=240) == 0
    return RunDirectory(next(root.glob("printed_layers-*")))


def kill_after_the_first_checkpoint(root: Path) -> None:
    process = start(root)
    deadline = time.monotonic() + 240
    while not list(root.glob("cache/network/*/checkpoints/last.ckpt")):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_kill_and_resume_equals_uninterrupted(tmp_path: Path) -> None:
    whole = finished(tmp_path / "whole")
    kill_after_the_first_checkpoint(tmp_path / "killed")
    interrupted = RunDirectory(next((tmp_path / "killed").glob("printed_layers-*")))
    assert interrupted.read_status().state == "running"
    assert not interrupted.metrics.exists()
    resumed = finished(tmp_path / "killed")
    assert resumed.scores.read_bytes() == whole.scores.read_bytes()
    assert resumed.history.read_bytes() == whole.history.read_bytes()
    expected, found = (network_weights(run) for run in (whole, resumed))
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
