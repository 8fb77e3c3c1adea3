"""All that the project takes from Hydra beside its documented interface, in one place: a new Hydra is tried here."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, product
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
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import HydraContext, RunMode
from omegaconf import MISSING, AnyNode, DictConfig, ListConfig, OmegaConf, StringNode

from radar.compose.config_files import CheckedFiles, ConsentedPackages
from radar.compose.config_tree import config_folder, further_folders, leaf_values, options
from radar.config.schema import Config
from radar.config.verbs import SweepConfig
from radar.errors import ConfigError
from radar.runtime.terminal import brief

__all__ = ["HydraException", "Override"]

_VERSION_BASE = "1.3"
MOST_JOBS = 10_000  # of one sweep
CONFIG_NAME = "config"  # of the config that an experiment starts from

_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
_DIGITS = r"\d+(?:_\d+)*"
_OTHERWISE = re.compile(  # a number that is a whole value, and as a text would be written otherwise
    rf"(?:(?<!\\)[=,\[(]|\{{(?:[^}}]*,)?[^:}}]*:)\s*(?=\+|-0+(?![.\d])|[^\s,]*_)([+-]?{_DIGITS}(?:\.(?:{_DIGITS})?)?(?:[eE][+-]?{_DIGITS})?)(?=\s*(?:[,\])}}]|$))"
)

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


def read_overrides(overrides: Sequence[str]) -> list[Override]:
    """Hydra's reading of `key=value` arguments. Raises `HydraException`, and `ConfigError` for what is beyond its parser."""
    parser = OverridesParser.create(config_loader=cast(Any, _Options()))
    for override in overrides:
        _refuse_other_spellings(override)
    try:
        return parser.parse_overrides(overrides=list(overrides))
    except ValueError as error:  # thousands of digits
        raise ConfigError(f"{brief(' '.join(overrides))}: {brief(str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{brief(' '.join(overrides))}: is nested too deeply to be read") from None


def _refuse_other_spellings(override: str) -> None:
    """Raise `ConfigError` where a number is written with '_' or '+', which Hydra leaves out: a name like 1_6 would become 16."""
    found = _OTHERWISE.search(_QUOTED.sub('""', override))
    if found:
        number = found[1].replace("_", "").lstrip("+")
        number = "0" if number.strip("-0") == "" else number
        raise ConfigError(
            f"{brief(override)}: {brief(found[1])} would be read as the number {brief(number)}; write that, or quote a name, as in "
            f"'key=\"{brief(found[1])}\"'"
        )


def quoted(text: str) -> str:
    """Text as a value that Hydra reads back. Raises `ConfigError` for a text that a config would read as another key's value."""
    if "${" in text:
        raise ConfigError(f"{text}: holds ${{, which stands for another key in a config; rename it")
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{escaped}'"


def values_of(override: Override) -> list[str]:
    """What an override sweeps over, as it would be written; none of a range that a search draws from.

    Raises `ConfigError` where there are more than `MOST_JOBS`, where it cannot be counted up, and for a range of no numbers.
    """
    try:
        _check_range(override)
        values = [] if override.is_interval_sweep() else list(islice(override.sweep_string_iterator(), MOST_JOBS + 1))
    except (ValueError, TypeError, ArithmeticError) as error:
        raise ConfigError(f"{override.input_line}: {error}; name values, as in a,b") from None
    if len(values) > MOST_JOBS:
        raise ConfigError(f"{override.input_line}: more than {MOST_JOBS:,} values; sweep over fewer")
    return values


def has_braces(override: Override) -> bool:
    """Whether the value of an override, or one that it sweeps over, is in braces: names with values."""
    value = override.value()
    return any(isinstance(each, dict) for each in getattr(value, "list", [value]))


def words_of(override: Override) -> list[str]:
    """What an override says in the jobs of a sweep, a word for each of its values; none of a range that a search draws from."""
    values = values_of(override) if override.is_sweep_override() else [override.get_value_element_as_str()]
    return [f"{override.get_key_element()}={value}" for value in values]


def _check_range(override: Override) -> None:
    """Raises `ConfigError` where an override is a range of a search that holds no number."""
    if not override.is_interval_sweep():
        return
    drawn = cast(Any, override.value())
    if not (math.isfinite(drawn.start) and math.isfinite(drawn.end) and drawn.start <= drawn.end):
        raise ConfigError(f"{override.input_line}: needs two finite ends, the smaller one first, as in interval(0.1,1)")
    if "log" in drawn.tags and drawn.start <= 0:
        raise ConfigError(f"{override.input_line}: 0 and below have no logarithm; let it begin above 0")


def expanded(overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every job of a sweep, the last axis running fastest.

    Of those with one key the last counts; what is said in braces stands beside what is chosen, and is of several keys.
    """
    plain = [override for override in read_overrides(overrides) if not override.is_hydra_override()]
    for override in plain:
        if override.is_interval_sweep():
            raise ConfigError(
                f"{override.input_line}: a range is for a search, as of --config-name sweep_search; name values, as in a,b"
            )
    words: dict[str | None, list[str]] = {}
    for each in plain:
        name = each.input_line if has_braces(each) else each.get_key_element()
        words.pop(name, None)  # so that it stands where it was said last
        words[name] = words_of(each)
    jobs = math.prod(map(len, words.values()))
    if jobs > MOST_JOBS:
        raise ConfigError(
            f"{' '.join(overrides)}: {jobs:,} jobs, and at most {MOST_JOBS:,} are one sweep; name fewer values"
        )
    return [list(job) for job in product(*words.values())]


class _Options:
    """What Hydra asks of its loader to read `glob(…)`."""

    def get_group_options(self, group_name: str, results_filter: object = None) -> list[str]:
        return options(group_name)


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
