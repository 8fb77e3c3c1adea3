"""Code that a config names runs only where the command line names its module: `--plugins`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from radar.errors import ConfigError
from radar.runtime.file_names import is_plain_name
from radar.runtime.terminal import brief

# behind which Hydra, the logging module, or Optuna's sweeper looks for something to call
_KEYS = ("_target_", "()", "class", "custom_search_space")
_ATTRIBUTES = "."  # behind which logging sets what a handler keeps, its file among others
_REFERENCE = "ext://"  # behind which logging looks for something to import
_STREAMS = ("sys.stdout", "sys.stderr")
_SAMPLERS = ("GridSampler", "TPESampler", "RandomSampler", "CmaEsSampler", "NSGAIISampler", "MOTPESampler")
_KNOWN = ("logging.StreamHandler", "colorlog.ColoredFormatter", *(f"optuna.samplers.{each}" for each in _SAMPLERS))
_CALLED = ("job_logging", "hydra_logging", "callbacks", "launcher", "sweeper")  # sections of Hydra's node that it calls
_FILE_HANDLER = "logging.FileHandler"
_FILE_NAME = "${hydra.runtime.output_dir}/${hydra.job.name}.log"  # of Hydra's own job_logging


class _Named(NamedTuple):
    """Code that a config names, and the section that names it."""

    key: str
    code: str
    section: DictConfig


def refuse_code(settings: DictConfig, plugins: Sequence[str]) -> None:
    """Raise `ConfigError` where Hydra's own node names code that is neither Hydra's, an installed launcher, nor of `plugins`."""
    known = {*_KNOWN, *(f"{each.__module__}.{each.__qualname__}" for each in _launchers())}
    for key, code, section in _named(settings, "hydra"):
        if code == _FILE_HANDLER and key.startswith("hydra.job_logging.") and key.endswith(".class"):
            _refuse_file(key, section, settings)
        elif code not in known and not any(_is_of(code, plugin) for plugin in plugins):
            module = code.rpartition(".")[0] or "MODULE"
            raise ConfigError(
                f"{key}={brief(code)}: a config runs no code of its own; name its module with --plugins {brief(module)}"
            )


def _launchers() -> list[type]:
    """Hydra's own launchers and sweepers, and installed ones."""
    found: list[type] = [each for kind in (Launcher, Sweeper) for each in Plugins.instance().discover(kind)]
    return found


def _is_of(code: str, plugin: str) -> bool:
    """Whether an imported plug-in defines what is named, which it may also only import."""
    if not code.startswith(f"{plugin}."):
        return False
    found: Any = import_module(plugin)
    for name in code.removeprefix(f"{plugin}.").split("."):
        if not hasattr(found, name):
            with suppress(ImportError, AttributeError):
                import_module(f"{found.__name__}.{name}")
        found = getattr(found, name, None)
    module = str(getattr(found, "__module__", ""))
    return module == plugin or module.startswith(f"{plugin}.")


def _refuse_file(key: str, handler: DictConfig, settings: DictConfig) -> None:
    """Raise `ConfigError` where a handler's file is not the one that Hydra's own job_logging writes."""
    if _written(handler, "filename") != _FILE_NAME:
        raise ConfigError(f"{key}={_FILE_HANDLER}: a config names no file to write; use filename: {_FILE_NAME}")
    name = str(_written(settings.job, "name"))
    if "$" in name or not is_plain_name(name):
        raise ConfigError(f"hydra.job.name={brief(name)}: a file is called after it; use letters and digits")


def _named(section: Any, key: str) -> Iterator[_Named]:
    """Where code is named below `key`. Raises `ConfigError` where that is only known later."""
    names: Any = section if isinstance(section, DictConfig) else range(len(section))
    for name in names:
        below, value = f"{key}.{name}", _written(section, name)
        if value is None or OmegaConf.is_missing(section, name):
            continue
        if name == _ATTRIBUTES:
            raise ConfigError(f"{below}: a config sets no attributes; leave it out")
        if name in _KEYS:
            yield _Named(below, str(value), section)
        elif isinstance(value, Container):
            yield from _named(value, below)
        elif isinstance(value, str):
            text = _resolved(section, name, value, below) if "${" in value else value
            code = text.removeprefix(_REFERENCE)
            if code != text and code not in _STREAMS:
                yield _Named(below, code, section)


def _written(section: Any, name: object) -> Any:
    """A value as it was written, with no reference to another one followed."""
    node = section._get_node(name, validate_access=False)
    if node is None or node._is_none():
        return None
    return node if isinstance(node, Container) and not node._is_interpolation() else node._value()


def _resolved(section: Any, name: object, written: str, key: str) -> str:
    """What a text with references says, where that is a text. Raises `ConfigError` where it may come to name code."""
    if key.split(".")[1] not in _CALLED or (name == "filename" and written == _FILE_NAME):
        return ""
    try:
        value = section[name]
    except OmegaConfBaseException:  # it is only known in a job
        value = {} if _REFERENCE.startswith(written.partition("${")[0]) else ""
    if isinstance(value, Container | dict):
        raise ConfigError(f"{key}={brief(written)}: a config may name code here; write the value out")
    return str(value)
