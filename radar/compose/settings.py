"""Settings of a verb: its file in the config tree, with `key=value` words over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from omegaconf import OmegaConf
from yaml import YAMLError

from radar.compose.config_files import check_yaml
from radar.compose.config_tree import config_folder
from radar.config.typed import typed
from radar.errors import ConfigError
from radar.runtime.terminal import brief

Schema = TypeVar("Schema")


def is_override(word: str) -> bool:
    """Whether a word is `key=value` and not a path: what is there is a path, whatever its name."""
    try:
        return "=" in word and not Path(word).exists()
    except (OSError, ValueError):  # no name that a file could have
        return "=" in word


def refuse_unread(overrides: Sequence[str], unread: Mapping[str, str]) -> None:
    """Raise `ConfigError` for the first of `overrides` whose key is one of `unread`, which say what does not read it."""
    for word in overrides:
        if reader := unread.get(word.partition("=")[0]):
            raise ConfigError(f"{brief(word)}: {reader} does not read it; leave it out")


def verb_settings(schema: type[Schema], verb: str, overrides: Sequence[str]) -> Schema:
    """`conf/VERB/default.yaml` as `schema`, with `overrides`. Raises `ConfigError`."""
    for word in overrides:
        if not isinstance(word, str):
            raise ConfigError(f"a value of type {type(word).__name__} is no override; write each as 'key=value'")
    composed = OmegaConf.load(config_folder() / verb / "default.yaml")
    try:
        for word in overrides:
            check_yaml(word.partition("=")[2], brief(word))
        given = OmegaConf.from_dotlist(list(overrides))
    except (ValueError, YAMLError, RecursionError) as error:
        raise ConfigError(f"{brief(' '.join(overrides))}: {brief(str(error))}") from None
    values = OmegaConf.to_container(OmegaConf.merge(composed, given))
    return typed(schema, {str(key): value for key, value in values.items()} if isinstance(values, dict) else {})
