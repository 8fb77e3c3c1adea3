"""Where a run was computed, on machines that are not as an installation leaves them."""

from __future__ import annotations

import importlib.metadata

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
