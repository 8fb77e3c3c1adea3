"""A launcher's own commands, paths and addresses, and a job's environment, come from the command line, not from a config file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig

from radar.compose.config_files import load_config_file
from radar.compose.config_tree import config_folder
from radar.compose.hydra_internals import CONFIG_NAME
from radar.compose.overrides import Override
from radar.errors import ConfigError
from radar.runtime.file_names import is_plain_name
from radar.runtime.terminal import brief

# what a config file may say of a launcher: how much, how many, how long, and names of a cluster's own
_LAUNCHERS_OWN = frozenset({
    "account", "array_parallelism", "batch_size", "comment", "constraint", "cpus_per_gpu", "cpus_per_task", "exclude", "gpus_per_node",
    "gpus_per_task", "gres", "ignore_reinit_error", "local_mode", "log_to_driver", "max_nbytes", "max_num_timeout", "mem_gb",
    "mem_per_cpu", "mem_per_gpu", "memory", "n_jobs", "name", "nodes", "num_cpus", "num_gpus", "object_store_memory", "partition",
    "prefer", "qos", "require", "signal_delay_s", "stderr_to_stdout", "tasks_per_node", "timeout", "timeout_min", "verbose",
})  # fmt: skip
_TARGET = "_target_"  # which radar/compose/consent.py judges
_STORAGE = "hydra.sweeper.storage"
_FOLDERS = (
    "hydra.output_subdir",
    "hydra.run.dir",
    "hydra.sweep.dir",
    "hydra.sweep.subdir",
    "hydra.job.chdir",
)  # where Hydra writes
_AXES = ("hydra.sweeper.params", "hydra.sweeper.search_space")


def refuse_commands(settings: DictConfig, overrides: Sequence[Override]) -> None:
    """Raise `ConfigError` where Hydra's own node has such a value that is neither usual nor said by one of `overrides`."""
    if settings.launcher is None or settings.sweeper is None:
        raise ConfigError("hydra: has no launcher or no sweeper; name one, or leave it out")
    said = {key for each in overrides for key in _said(each.key_or_group, each.value())}
    for key, value in _values(settings, "hydra"):
        if key not in said and _is_told(key, value, settings):
            raise ConfigError(
                f"{key}={brief(str(value))}: no config file says this, as it may run or write anything; say it on the command line"
            )


def _said(key: str, value: object) -> Iterator[str]:
    """The keys that an override says: Hydra merges a section into what files say."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _said(f"{key}.{name}", below)
    else:
        yield key


def _is_told(key: str, value: Any, settings: DictConfig) -> bool:
    """Whether a value of Hydra's node is one that the command line has to say."""
    first, _, rest = key.removeprefix("hydra.").partition(".")
    if first == "launcher":
        name = rest.removeprefix("ray.init.").removeprefix("ray.remote.")
        plain = not isinstance(value, str) or (value.isprintable() and "${" not in value)
        return not (name in _LAUNCHERS_OWN and plain) and rest != _TARGET and not _is_usual(rest, value, settings)
    for axis in _AXES:  # a key of every job
        if key.startswith(f"{axis}."):
            name = key.removeprefix(f"{axis}.").lstrip("+~")
            return name.startswith("hydra") or "@" in name
    if key in _FOLDERS:
        return bool(value != dict(_values(_own_config(), "hydra"))[key])
    if key == "hydra.job.name":  # jobs of a cluster are called after it
        return isinstance(value, str) and ("${" in value or not is_plain_name(value))
    return value is not None and (key == _STORAGE or key.startswith("hydra.job.env_set"))


def _own_config() -> DictConfig:
    """Hydra's node as the project's own config has it."""
    own: DictConfig = load_config_file(config_folder() / f"{CONFIG_NAME}.yaml").hydra
    return own


def _is_usual(key: str, value: Any, settings: DictConfig) -> bool:
    """Whether an installed launcher has this value where nobody says anything."""
    entries: Any = ConfigStore.instance().repo["hydra"]["launcher"]
    for each in (entry for entry in entries.values() if isinstance(entry, ConfigNode)):
        usual = dict(_values(each.node, ""))
        if usual.get(f".{_TARGET}") == settings.launcher[_TARGET]:
            return bool(usual.get(f".{key}") == value)
    return False  # a plug-in's, which the command line names


def _values(section: DictConfig, key: str) -> Iterator[tuple[str, Any]]:
    """Every key below and its value as it was written, with no reference to another followed; lists are values."""
    for name in map(str, section):
        node: Any = section._get_node(name, validate_access=False)
        if isinstance(node, DictConfig) and not (node._is_none() or node._is_missing() or node._is_interpolation()):
            yield from _values(node, f"{key}.{name}")
        else:
            yield f"{key}.{name}", None if node is None or node._is_none() else node._value()
