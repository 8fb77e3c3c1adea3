"""Two processes train one network (gloo, CPU); the process that holds the run directory scores."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests_tiny import TINY

from radar.experiment.run_directory import RunDirectory


@pytest.mark.slow
def test_two_processes_train_and_one_scores(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "radar", *[item for item in TINY if item != "trainer=cpu"]]
    command += [
        "trainer=ddp",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "trainer.threads=1",
        f"output_root={tmp_path}",
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert answer.returncode == 0, answer.stderr
    (path,) = tmp_path.glob("printed_layers-*")
    run = RunDirectory(path)
    assert run.read_status()["state"] == "done"
    assert [float(row["step"]) for row in csv.DictReader(run.history.open())] == [4, 8, 12]
    weights = torch.load(run.network, weights_only=True)["weights"]
    assert any(
        value.abs().sum() > 0 for name, value in weights.items() if name.startswith("head.2")
    )  # it began at zero
