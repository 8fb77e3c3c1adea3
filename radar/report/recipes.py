"""What the project's own config files say, beside which a stored run is judged: by its settings, not by the words of its command."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from radar.compose import hydra_internals
from radar.compose.composed_config import typed_composed
from radar.compose.config_tree import config_folder
from radar.config.plain import plain
from radar.files import Plain


@cache
def told_by(*overrides: str) -> dict[str, Plain]:
    """The config that these overrides give, also where the packages that its method needs are not installed."""
    with hydra_internals.composing():
        return plain(typed_composed(hydra_internals.compose_config(hydra_internals.CONFIG_NAME, list(overrides))))


@cache
def option_values(group: str, option: str) -> Mapping[str, Any] | None:
    """What an option of a group says by itself; None of what is none of the project's own: the file of a folder of one's own may be
    gone, and any key's value is asked for here."""
    found = _option(group, option)
    return None if found is None else cast(dict[str, Any], OmegaConf.to_container(found, resolve=False))


@cache
def is_own(group: str, option: str) -> bool:
    """Whether the project has this option of this group. Names are compared with those of its files and never made into a path, as
    they come from stored commands, in which anything may stand."""
    return any(
        (file.parent.name, file.stem) == (group, option)
        for folder in config_folder().iterdir()
        if folder.is_dir()
        for file in folder.glob("*.yaml")
    )


def _option(group: str, option: str) -> DictConfig | None:
    """Its own keys over those of the options of its group that it builds on."""
    if not is_own(group, option):
        return None
    own = cast(DictConfig, OmegaConf.load(config_folder() / group / f"{option}.yaml"))
    bases = [_option(group, str(name)) for name in own.pop("defaults", []) if name != "_self_"]
    return cast(DictConfig, OmegaConf.merge(*(base for base in bases if base is not None), own))
