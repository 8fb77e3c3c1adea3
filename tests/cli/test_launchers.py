"""Sweeps in several processes: Hydra's launchers for one machine and for a cluster, run for real on this one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_main import QUICK

from radar import install_command
from radar.cli.exit_codes import FAILED
from radar.experiment.artefact_inventory import artefacts
from radar.experiment.session import CACHE_FOLDER
from radar.experiment.sweep import sweeps

LAUNCHERS = [
    pytest.param(name, [f"hydra/launcher={name}", *settings], marks=pytest.mark.skipif(
        not importlib.util.find_spec(f"hydra_plugins.{package}"), reason=f"{package} is not installed; {install_command(extra)}"
    ))
    for name, package, extra, settings in (
        ("joblib", "hydra_joblib_launcher", "launchers", ["hydra.launcher.n_jobs=2"]),
        ("submitit_local", "hydra_submitit_launcher", "launchers", ["hydra.launcher.timeout_min=10"]),
        ("ray", "hydra_ray_launcher", "ray", ["+hydra.launcher.ray.init={address: local, num_cpus: 2, include_dashboard: false}"]),
    )
]  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else it writes a token into the home folder
    monkeypatch.delenv("RAY_ADDRESS", raising=False)  # never a cluster that is there already


@pytest.mark.slow
@pytest.mark.parametrize(("name", "launcher"), LAUNCHERS)
def test_jobs_in_other_processes_share_their_training_and_are_written_down(
    name: str, launcher: list[str], tmp_path: Path
) -> None:
    jobs = ["contamination=c05,c20", "seed=0,1", "training.max_steps=20", "trainer.threads=null"]
    command = [sys.executable, "-m", "radar", "-m", *QUICK, *jobs, *launcher, f"output_root={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (sweep,) = sweeps(tmp_path)
    assert [state.state for state in sweep.states()] == ["done"] * 4
    trained = [each for each in artefacts(tmp_path / CACHE_FOLDER) if each.stage == "network"]
    assert len(trained) == 2
    assert "All jobs" in done.stdout
    if name == "joblib":  # two processes share the cores
        runs = [json.loads(path.read_text()) for path in tmp_path.glob("printed_layers-*/environment.json")]
        assert all(run["threads"] <= max(1, run["cpu_count"] // 2) for run in runs)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "launcher"), LAUNCHERS)
def test_a_job_that_fails_in_another_process_is_told(name: str, launcher: list[str], tmp_path: Path) -> None:
    # weights that grow a thousandfold at each step; nothing before training can know
    jobs = [
        "training.learning_rate=1e-3,10",
        "training.weight_decay=100",
        "training.max_steps=20",
        "training.gradient_clip=0",
    ]
    command = [sys.executable, "-m", "radar", "-m", *QUICK, *jobs, *launcher, f"output_root={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == FAILED, done.stdout + done.stderr
    (sweep,) = sweeps(tmp_path)
    states = sweep.states()
    assert [state.state for state in states] == ["done", "failed"]
    assert "learning_rate" in (states[1].error or "")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "launcher"), LAUNCHERS)
def test_processes_of_a_launcher_import_nothing_of_the_working_folder(
    name: str, launcher: list[str], tmp_path: Path
) -> None:
    (theirs := tmp_path / "theirs").mkdir()
    for module in (
        "joblib",
        "multiprocessing",
        "logging",
        "hydra",
        "omegaconf",
        "cloudpickle",
        "torch",
        "hydra_plugins",
    ):
        (theirs / f"{module}.py").write_text(f"open({str(tmp_path / 'run')!r}, 'a').write({module!r})")
    words = ["seed=0,1", *launcher, "output_root=out"]  # of the working folder, whatever folder a process starts in
    command = [sys.executable, "-P", "-m", "radar", "-m", *QUICK, *words]
    done = subprocess.run(command, cwd=theirs, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "run").exists(), (tmp_path / "run").read_text()
    assert [[state.state for state in sweep.states()] for sweep in sweeps(theirs / "out")] == [["done"] * 2]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [pytest.param(each.values[1], marks=each.marks) for each in LAUNCHERS[2:]])
def test_ray_ends_with_its_sweep_and_knows_places_of_modules_that_are_relative(
    launcher: list[str], tmp_path: Path
) -> None:
    """Two sweeps in one process, as in a notebook, whose jobs each have a process of their own."""
    (tmp_path / "places").mkdir()
    (tmp_path / "places" / "from_a_place.py").touch()
    settings = ["+hydra.launcher.ray.remote.max_calls=1", "+hydra.launcher.ray.init.resources={slot: '${..num_cpus}'}"]
    words = ["--plugins", "from_a_place", "-m", *QUICK, *launcher, *settings, "output_root=out"]
    script = f"""
import sys
from radar.cli.main import main
sys.exit(max(main([*{words!r}, f"seed={{seed}},{{seed + 1}}"]) for seed in (0, 2)))
"""
    named = {**os.environ, "PYTHONPATH": f"places{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=named, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [[state.state for state in sweep.states()] for sweep in sweeps(tmp_path / "out")] == [["done"] * 2] * 2
