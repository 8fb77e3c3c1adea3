"""Two processes train one network (gloo, CPU); the process that holds the run directory scores."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_experiment import TINY, network_weights

from radar.experiment.run_directory import RunDirectory

SHORT = ("training.max_steps=8", "training.warmup_steps=0")
DISTRIBUTED = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "training.batch_size=4")


def run(root: Path, *overrides: str) -> RunDirectory:
    settings = [item for item in TINY if item != "trainer=cpu"]
    command = [sys.executable, "-m", "radar", *settings, *SHORT, *overrides, "trainer.threads=1", f"output_root={root}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert answer.returncode == 0, answer.stderr
    (path,) = root.glob("printed_layers-*")
    return RunDirectory(path)


def scores(run: RunDirectory) -> np.ndarray:
    return np.array([float(row["score"]) for row in csv.DictReader(run.scores.open())])


@pytest.mark.slow
def test_two_processes_train_what_one_trains_with_twice_the_batch(tmp_path: Path) -> None:
    together = run(tmp_path / "together", *DISTRIBUTED)
    assert together.read_status().state == "done"
    assert [float(row["step"]) for row in csv.DictReader(together.history.open())] == [4, 8]
    alone = run(tmp_path / "alone", "trainer=cpu", "training.batch_size=8")
    ours, theirs = (network_weights(each) for each in (together, alone))
    assert any(value.abs().sum() > 0 for name, value in ours.items() if name.startswith("head.2"))  # it began at zero
    # a gradient is summed in another order, and Adam takes the sign of those that are nearly zero
    difference = sum(float((ours[name] - value).square().sum()) for name, value in theirs.items())
    assert difference < 1e-6 * sum(float(value.square().sum()) for value in theirs.values())
    losses = [
        [float(row["validation_loss"]) for row in csv.DictReader(each.history.open())] for each in (together, alone)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)
    np.testing.assert_allclose(scores(together), scores(alone), rtol=1e-2, atol=1e-2)
