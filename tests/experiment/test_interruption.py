"""Signals end a run with the shell's exit code and one line; the status says interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_experiment import TINY

from radar.cli.exit_codes import FAILED
from radar.cli.main import main
from radar.experiment.run_directory import RunDirectory

# a shell's background jobs ignore Ctrl-C and hand that on, so the command asks for it again
COMMAND = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from radar.cli.main import main; sys.exit(main())"
)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_a_signal_stops_the_whole_sweep_and_says_so(tmp_path: Path, number: signal.Signals) -> None:
    steps = ["training.max_steps=4000", "training.epoch_steps=5", "trainer.threads=1", "seed=0,1"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "-m", *TINY, *steps, f"output_root={tmp_path}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("cache/network/*/checkpoints/last.ckpt")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert (
        errors.strip().splitlines()[-1]
        == "radar: interrupted; the same command goes on from the last checkpoint, if one was reached"
    )
    assert "Traceback" not in errors
    (path,) = tmp_path.glob("printed_layers-*")
    assert RunDirectory(path).read_status().state == "interrupted"
    assert list(tmp_path.glob("cache/network/*.part/checkpoints/last.ckpt"))


def test_a_method_that_ends_the_process_has_not_done_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(*_: object, **__: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr("radar.cli.running.run_experiment", end)
    assert main([*TINY, f"output_root={tmp_path}"]) == FAILED
    assert capsys.readouterr().err.endswith("radar: job 1 of 1 failed; the traceback is above\n")
