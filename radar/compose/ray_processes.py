"""Ray, where it launches the jobs of a sweep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig, OmegaConf

from radar.errors import RunError

_LAUNCHER = "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher"
_STORE = 78_643_200  # bytes of its object store where nobody says, as the launcher has it
_PLACES = "PYTHONPATH"


@contextmanager
def ray_apart(launcher: DictConfig) -> Iterator[None]:
    """Where `launcher` is Ray's, Ray, started in an empty folder, which its processes then search for modules.

    Else they search the working folder, before what is installed, and that may be anyone's. A runtime environment that names
    modules, seen from the working folder, does so on purpose. Raises `RunError` where Ray does not start.
    """
    if launcher._target_ != _LAUNCHER:
        yield
        return
    import ray  # noqa: PLC0415 - an extra

    start: Any = OmegaConf.to_container(launcher.ray.init, resolve=True) if launcher.ray.init else {}
    if ray.is_initialized() or {"working_dir", "py_modules"} & set(start.get("runtime_env") or ()):
        yield
        return
    with TemporaryDirectory() as empty:
        _start({"object_store_memory": _STORE, **start}, empty)
        try:
            yield
        finally:
            ray.shutdown()


def _start(init: dict[str, object], folder: str) -> None:
    from hydra_plugins.hydra_ray_launcher._launcher_util import start_ray  # noqa: PLC0415 - an extra

    places = os.environ.get(_PLACES)
    try:
        if places:  # of the working folder
            os.environ[_PLACES] = os.pathsep.join(
                str(Path(place).absolute()) for place in places.split(os.pathsep) if place
            )
        with chdir(folder):
            start_ray(DictConfig(init))
    except Exception as error:  # of a cluster, of what it is told
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunError(f"hydra/launcher: Ray does not start ({what}); see hydra.launcher.ray.init") from error
    finally:
        if places:
            os.environ[_PLACES] = places
