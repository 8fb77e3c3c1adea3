"""All that the project takes from Hydra beside its documented interface, but for how overrides are read: a new Hydra is tried here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import hydra
from hydra import compose, initialize_config_dir, version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.sources_registry import SourcesRegistry
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import HydraContext, RunMode
from omegaconf import MISSING, AnyNode, DictConfig, ListConfig, OmegaConf, StringNode

from radar.compose.config_files import CheckedFiles, ConsentedPackages
from radar.compose.config_tree import config_folder, further_folders, leaf_values
from radar.config.schema import Config
from radar.config.verbs import SweepConfig
from radar.errors import ConfigError

__all__ = ["HydraException", "Override"]

_VERSION_BASE = "1.3"
CONFIG_NAME = "config"  # of the config that an experiment starts from

Task = Callable[[DictConfig], object]


class _FurtherFolders(SearchPathPlugin):
    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in further_folders():
            search_path.append("radar", f"file://{folder}")


@dataclass
class OpenConfig(Config):
    """The schema as Hydra composes it: below `dataset` and `method` stand the keys of the layout and the method they name."""

    dataset: Any = MISSING
    method: Any = MISSING
    sweep: SweepConfig = field(default_factory=SweepConfig)


def _prepare() -> None:
    """Make the schema known, under the name that `conf/config.yaml` starts from, and the folders beside the project's own."""
    version.setbase(_VERSION_BASE)
    schema = OmegaConf.structured(OpenConfig)
    _leave_texts_open(schema)
    ConfigStore.instance().store(name="schema", node=schema)
    Plugins.instance().register(_FurtherFolders)
    SourcesRegistry.instance().types |= {"file": CheckedFiles, "pkg": ConsentedPackages}


def _leave_texts_open(section: DictConfig) -> None:
    """Let keys of text hold a number as it is: a text that is made of one may be another name than was written, 1.1 for 1.10."""
    for key in list(section):
        node = cast(Any, section._get_node(key))
        is_list = isinstance(node, ListConfig) and node._metadata.element_type is str
        if isinstance(node, DictConfig) and not (node._is_none() or node._is_missing()):
            _leave_texts_open(node)
        elif isinstance(node, DictConfig | StringNode) or is_list:  # a section that is not there may hold texts, too
            section._content[key] = AnyNode(node._value(), key=key, parent=section)  # type: ignore[index]


def read_arguments(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Hydra's reading of a command line, and what it does not know."""
    return get_args_parser().parse_known_intermixed_args(list(arguments))


@contextmanager
def composing() -> Iterator[None]:
    """Inside, `compose_config` and `compose_settings` work."""
    _prepare()
    with initialize_config_dir(str(config_folder()), version_base=_VERSION_BASE):
        yield


def compose_config(name: str, overrides: Sequence[str]) -> DictConfig:
    """The config `name` with overrides."""
    return compose(name, overrides=list(overrides))


def option_values(group: str, option: str) -> dict[str, object]:
    """What an option's own file says, by dotted keys of a composed config; nothing where Hydra finds none. Inside `composing`."""
    loader = GlobalHydra.instance().config_loader()
    found = loader.repository.load_config(f"{group}/{option}") if isinstance(loader, ConfigLoaderImpl) else None
    if found is None or not isinstance(found.config, DictConfig):
        return {}
    package = (found.header or {}).get("package") or group.replace("/", ".")
    prefix = "" if package == "_global_" else f"{package}."
    return {f"{prefix}{key}": value for key, value in leaf_values(found.config).items()}


def compose_settings(name: str, overrides: Sequence[str]) -> tuple[DictConfig, DictConfig]:
    """Hydra's own node of a config, and what the config says of sweeps."""
    composed = compose(name, overrides=list(overrides), return_hydra_config=True)
    return composed.hydra, composed.sweep


def assign(composed: DictConfig, values: Sequence[Override]) -> None:
    """Set values in a composed config, as `compose_config` does last of all."""
    ConfigLoaderImpl._apply_overrides_to_config(list(values), composed)


def sweeps(settings: DictConfig) -> bool:
    """Whether a config is a sweep by itself."""
    return bool(settings.mode == RunMode.MULTIRUN)


def searches(settings: DictConfig) -> bool:
    """Whether a sweeper makes up the jobs of a sweep as it goes."""
    return bool(settings.sweeper._target_ != _target(BasicSweeper))


def searches_with_optuna(settings: DictConfig) -> bool:
    """Whether that sweeper is Optuna's."""
    return "optuna" in settings.sweeper._target_


def refuse_other_directions(settings: DictConfig) -> None:
    """Raise `ConfigError` for a search of anything but the smallest loss, which is the one thing that a trial tells."""
    direction = settings.sweeper.get("direction")
    if searches_with_optuna(settings) and getattr(direction, "name", direction) != "minimize":
        raise ConfigError(
            f"hydra.sweeper.direction={direction}: a search looks for the smallest validation_loss; leave the key out"
        )


def launches_elsewhere(settings: DictConfig) -> bool:
    """Whether the jobs of a sweep run in other processes."""
    return bool(settings.launcher._target_ != _target(BasicLauncher))


def _target(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def job_number() -> int:
    """Which job of its sweep this process runs, from 0."""
    return int(HydraConfig.get().job.num)


def job_overrides() -> list[str]:
    """What makes the job that this process runs."""
    return list(HydraConfig.get().overrides.task)


def run_hydra(arguments: Sequence[str], task: Task) -> None:
    """Hand a command line to Hydra: help, one job with callbacks. `task` is called once per job."""
    _prepare()

    def job(composed: DictConfig) -> object:
        return task(composed)

    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        hydra.main(version_base=_VERSION_BASE, config_path=str(config_folder()), config_name=CONFIG_NAME)(job)()
    finally:
        sys.argv = before


def search(name: str, overrides: Sequence[str], task: Task) -> None:
    """Let the sweeper that the config `name` and `overrides` choose make up jobs; `task` is called once per job.

    Raises `ValueError` where none of all trials is done, which Optuna then asks for the best one.
    """
    _prepare()
    GlobalHydra.instance().clear()
    main = Hydra.create_main_hydra2("radar", create_config_search_path(str(config_folder())))
    try:
        main.multirun(config_name=name, task_function=task, overrides=list(overrides))
    finally:
        GlobalHydra.instance().clear()


def launch(name: str, overrides: Sequence[str], jobs: Sequence[Sequence[str]], task: Task) -> None:
    """Let the launcher that the config `name` and `overrides` choose run `jobs`, each given by its overrides."""
    _prepare()
    GlobalHydra.instance().clear()
    main = Hydra.create_main_hydra2("radar", create_config_search_path(str(config_folder())))
    try:
        config = main.compose_config(name, list(overrides), run_mode=RunMode.MULTIRUN, with_log_configuration=True)
        callbacks = Callbacks(config)
        context = HydraContext(config_loader=main.config_loader, callbacks=callbacks)
        launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)
        callbacks.on_multirun_start(config=config, config_name=name)
        size = config.hydra.sweeper.max_batch_size or len(jobs)
        for first in range(0, len(jobs), size):
            batch = [list(job) for job in jobs[first : first + size]]
            for result in launcher.launch(batch, initial_job_idx=first):
                _ = result.return_value  # raises what the job raised
        callbacks.on_multirun_end(config=config, config_name=name)
    finally:
        GlobalHydra.instance().clear()
