"""Where a run was computed: versions, device, git revision, data."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import radar
from radar.evaluation.typed_sections import read_value

_PACKAGES = (
    "torch", "pytorch-lightning", "hydra-core", "omegaconf", "kornia", "scikit-learn", "scipy", "numpy", "pillow", "wandb",
)  # fmt: skip
_SHOWN = ("torch", "scikit-learn", "numpy")  # whose versions stand beside a result
_READ_LATER: dict[str, Any] = {
    "device": str, "data_manifest_hash": str, "data_masks_hash": str | None, "git_revision": str | None,
    "git_modified": bool | None, "packages": dict[str, str | None],
}  # fmt: skip
_NOT_OF_OLD = ("data_masks_hash",)  # what older versions did not write
_KEPT = ("GIT_CONFIG", "GIT_EXEC_PATH")


def _git(*arguments: str) -> str | None:
    """Output of a git command in the checkout that `radar` runs from; None for an installed wheel.

    It writes nothing there, and starts no monitor of files. Git's variables, which name another repository within a hook or a
    rebase, are left out; its settings and the place of its own programs are kept.
    """
    folder = Path(radar.__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return None
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)}
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, env=plain)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def check_environment(values: Mapping[str, Any]) -> None:
    """Raise `ValueError` where what `environment` writes is missing or of another type, as far as anything reads it later."""
    for name, kind in _READ_LATER.items():
        if name not in values and name not in _NOT_OF_OLD:
            raise ValueError(f"environment/{name}: is missing")
        read_value(kind, values.get(name), f"environment/{name}")
    if missing := [name for name in _SHOWN if name not in values["packages"]]:
        raise ValueError(f"environment/packages/{missing[0]}: is missing")


def describe_device(device: torch.device) -> str:
    """A name that a table can print."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()} CPU, {torch.get_num_threads()} threads"


def origin() -> dict[str, object]:
    """What is written beside each stored result."""
    packages = _versions(("torch", "kornia", "scikit-learn"))
    return {"radar": radar.__version__, "git_revision": _git("rev-parse", "HEAD"), "packages": packages}


def _versions(packages: tuple[str, ...]) -> dict[str, str | None]:
    """The installed version of each; None where one is not installed as a package, which no run fails for."""
    found: dict[str, str | None] = dict.fromkeys(packages)
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def environment(device: torch.device, manifest_hash: str, masks_hash: str | None) -> dict[str, object]:
    """What `environment.json` holds; `masks_hash` is None where no masks are read."""
    changes = _git("status", "--porcelain")
    return {
        "radar": radar.__version__,
        "python": platform.python_version(),
        "packages": _versions(_PACKAGES),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": describe_device(device),
        "git_revision": _git("rev-parse", "HEAD"),
        "git_modified": None if changes is None else bool(changes),
        "data_manifest_hash": manifest_hash,
        "data_masks_hash": masks_hash,
    }
