"""Ray, where it launches the jobs of a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig

_LAUNCHER = "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher"
_STORE = 78_643_200  # bytes of its object store where nobody says, as the launcher has it


@contextmanager
def ray_apart(launcher: DictConfig) -> Iterator[None]:
    """Where `launcher` is Ray's, start Ray in an empty folder, which its processes then search for modules.

    Else they search the working folder, before what is installed, and that may be anyone's. What Ray is told of a runtime
    environment is seen from the working folder, and holds modules on purpose.
    """
    start: Any = launcher.get("ray", {}).get("init") or {}
    if launcher._target_ != _LAUNCHER or start.get("runtime_env"):
        yield
        return
    from hydra_plugins.hydra_ray_launcher._launcher_util import start_ray  # noqa: PLC0415 - an extra

    with TemporaryDirectory() as empty:
        with chdir(empty):
            start_ray(DictConfig({"object_store_memory": _STORE, **start}))
        yield
