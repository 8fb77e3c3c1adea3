"""Where the config tree lies: the project's own folder, those beside plug-ins, and one that the command line names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

import radar
from radar.compose.config_files import load_config_file
from radar.errors import ConfigError
from radar.files import expanded
from radar.plugins import config_folders

_named: list[Path] = []  # while a command line that names one is composed


def config_folder() -> Path:
    """The project's config tree: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(radar.__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def further_folders() -> list[Path]:
    """The folders that are searched after the project's own."""
    return [*_named, *config_folders()]


@contextmanager
def with_folder(config_dir: str | None) -> Iterator[None]:
    """Search the folder that `--config-dir` names, too. Raises `ConfigError` where it is none, or holds what would not be read."""
    folder = None if config_dir is None else Path(expanded(config_dir)).resolve()
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"--config-dir {config_dir}: no such folder")
    for each in [*([] if folder is None else [folder]), *config_folders()]:
        _refuse_hidden(each)
    before = list(_named)
    _named[:] = [] if folder is None else [folder]
    try:
        yield
    finally:
        _named[:] = before


def _refuse_hidden(folder: Path) -> None:
    """Raise `ConfigError` where a config has the name of one of radar's own, which is read in its place, and says something else."""
    own = config_folder()
    for file in sorted(own.rglob("*.yaml")):
        name = file.relative_to(own)
        try:
            hidden = (folder / name).read_bytes() != file.read_bytes()
        except OSError:  # there is none
            continue
        if hidden:
            raise ConfigError(f"{folder / name}: radar's own {name} is read in its place; give it another name")


def is_group(key: str) -> bool:
    """Whether `key` is a group of configs, of which one is chosen."""
    return any((folder / key).is_dir() for folder in _folders())


def options(group: str) -> list[str]:
    """What can be chosen in a group; what starts with '_' is a part of others."""
    return sorted(
        {file.stem for folder in _folders() for file in (folder / group).glob("[!_]*.yaml") if file.is_file()}
    )


def sweep_configs() -> list[str]:
    """The configs that are sweeps by themselves."""
    return sorted({file.stem for folder in _folders() for file in folder.glob("sweep_*.yaml")})


def method_keys() -> set[str]:
    """All keys below `method` that the config of any method gives, and the sections that they stand in."""
    files = [file for folder in _folders() for file in sorted((folder / "method").glob("*.yaml"))]
    return {key for file in files for key in leaf_keys(load_config_file(file))} - {"defaults"}


def leaf_keys(section: DictConfig, prefix: str = "") -> Iterator[str]:
    """All keys of a section, dotted, and the sections below it."""
    for name, value in section.items_ex(resolve=False):
        key = prefix + str(name)
        yield key
        if isinstance(value, DictConfig) and not value._is_none():
            yield from leaf_keys(value, f"{key}.")


def leaf_values(config: DictConfig) -> dict[str, object]:
    """The values of a config by their dotted keys, as they are written; lists are values."""
    tree = OmegaConf.to_container(config, resolve=False)
    return dict(_leaf_values(tree, "")) if isinstance(tree, dict) else {}


def _leaf_values(tree: Mapping[Any, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaf_values(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _folders() -> list[Path]:
    return [config_folder(), *further_folders()]
