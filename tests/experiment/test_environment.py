"""Where a run was computed, on machines that are not as an installation leaves them."""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path

import pytest
import torch

from radar.experiment.environment import environment, origin


def test_a_package_that_is_not_installed_is_recorded_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def without_wandb(name: str) -> str:
        if name == "wandb":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_wandb)
    packages = environment(torch.device("cpu"), "hash", None)["packages"]
    assert isinstance(packages, dict)
    assert packages["wandb"] is None
    assert packages["torch"] == version("torch")


def test_stored_results_say_which_packages_made_them() -> None:
    packages = origin()["packages"]
    assert packages == {name: importlib.metadata.version(name) for name in ("torch", "kornia", "scikit-learn")}


def test_git_is_asked_of_the_checkout_alone_and_starts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a hook or `git rebase --exec` of another repository sets git's variables for what it starts."""
    about, cpu = ("git_revision", "git_modified"), torch.device("cpu")
    before = environment(cpu, "hash", None)
    if before["git_revision"] is None:
        pytest.skip("no checkout, or no git")
    started = tmp_path / "started"
    (monitor := tmp_path / "monitor").write_text(f"#!/bin/sh\ntouch {started}\n")
    monitor.chmod(0o755)
    commit = ["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "--allow-empty", "-m", "x"]
    for words in (["init", "--quiet"], commit, ["config", "core.fsmonitor", str(monitor)]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(monitor))
    after = environment(cpu, "hash", None)
    assert [after[name] for name in about] == [before[name] for name in about]
    assert not started.exists()
