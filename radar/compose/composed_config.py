"""From a composed config to a checked `Config`: ranges of single keys, then rules between keys."""

from __future__ import annotations

from dataclasses import replace

from omegaconf import DictConfig, OmegaConf

from radar.config.schema import Config
from radar.config.typed import one_line
from radar.data.region_of_interest import with_mask_read
from radar.errors import ConfigError
from radar.files import expanded
from radar.methods.key_rules import check, check_extra
from radar.methods.registry import typed_config


def parse(composed: DictConfig) -> Config:
    """A typed, checked `Config`. Raises `ConfigError`, one line that names the key and the fix."""
    config = typed_composed(composed)
    check(config)
    check_extra(config)
    return config


def typed_composed(composed: DictConfig) -> Config:
    """A typed `Config` with every key in range, without rules between keys. Raises `ConfigError`."""
    with one_line({}):
        values = OmegaConf.to_container(composed, resolve=True)
    if isinstance(values, dict):
        values.pop("sweep", None)  # of a command with several jobs
    return with_home(with_mask_read(typed_config(values)))


def refuse_empty_root(output_root: str) -> None:
    """Raise `ConfigError` where outputs would lie wherever the command happens to be started."""
    if not output_root.strip():
        raise ConfigError("output_root is empty; name a folder with output_root=FOLDER or in RADAR_OUTPUTS")


def with_home(config: Config) -> Config:
    """`~` in the places of data and outputs is the home folder, once and for all who read them. Raises `ConfigError`."""
    refuse_empty_root(config.output_root)
    return replace(
        config,
        data_root=expanded(config.data_root),
        output_root=expanded(config.output_root),
    )
