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
    from hydra_plugins.hydra_ray_launcher._launcher_util import start_ray  # noqa: PLC0415 - as above

    with _refused():
        init: dict[str, Any] = {"object_store_memory": _STORE, **_told(launcher.ray.init)}
        names_modules = bool({"working_dir", "py_modules"} & set(init.get("runtime_env") or ()))
    if ray.is_initialized() or names_modules:
        yield
        return
    with TemporaryDirectory() as empty:
        with _refused(), _places_absolute(), chdir(empty):
            start_ray(DictConfig(init))
        try:
            yield
        finally:
            ray.shutdown()


def _told(init: DictConfig | None) -> dict[str, Any]:
    found: Any = OmegaConf.to_container(init, resolve=True) if init else {}
    return dict(found)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of a cluster, of what Ray is told
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunError(f"hydra/launcher: Ray does not start ({what}); see hydra.launcher.ray.init") from error


@contextmanager
def _places_absolute() -> Iterator[None]:
    """Places of modules that the environment names, seen from the working folder, whatever folder a process starts in."""
    places = os.environ.get(_PLACES)
    if not places:
        yield
        return
    os.environ[_PLACES] = os.pathsep.join(str(Path(place).absolute()) for place in places.split(os.pathsep) if place)
    try:
        yield
    finally:
        os.environ[_PLACES] = places
