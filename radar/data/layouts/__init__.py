"""Layouts by name: NAME stands in `radar/data/layouts/NAME.py`, in an entry point, or in a `--plugins` module.

A layout's own settings stand in the section `dataset.NAME`; in the typed config they are `dataset.settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from radar.config.schema import DatasetConfig
from radar.data.layouts.layout import Layout, PublicSource
from radar.errors import ConfigError
from radar.plugins import Registry
from radar.runtime.terminal import brief

LAYOUTS: Registry[Layout] = Registry(
    kind="dataset.layout", group="radar.layouts", package="radar.data.layouts", besides=("files", "layout")
)
register_layout = LAYOUTS.register


def layout_of(config: DatasetConfig) -> Layout:
    """The layout that `config` names, with its settings; nothing is read.

    Raises ConfigError for an unknown name and for what the layout misses in its config.
    """
    layout = LAYOUTS.get(config.layout)(config)
    for problem in layout.problems():
        raise ConfigError(problem)
    return layout


def public_sources() -> dict[str, PublicSource]:
    """Where the public data sets are to be had, by name, of all layouts."""
    found = (LAYOUTS.get(name).public for name in LAYOUTS.names())
    return {source.name: source for source in found if source is not None}


def settings_gathered(dataset: object) -> tuple[dict[str, object], type | None]:
    """Plain values below `dataset` with its layout's section as `settings`, and the dataclass of that section.

    Sections of other layouts, which a preset may have left behind, are dropped. Raises ConfigError for an unknown layout.
    """
    if not isinstance(dataset, Mapping):
        raise ConfigError(f"dataset={brief(dataset)}: is a section; give values to the keys below it")
    name = dataset.get("layout")
    if not isinstance(name, str) or name == "???":
        raise ConfigError("dataset.layout: no value is set; choose a data set by its group, dataset=folder")
    kind, sections = LAYOUTS.get(name).Settings, LAYOUTS.names()
    plain = {key: value for key, value in dataset.items() if key not in sections}
    if kind is not None and dataset.get(name) is None:
        raise ConfigError(f"dataset.layout={name}: needs the section dataset.{name}; choose a preset that has it")
    return {**plain, "settings": dataset[name] if kind is not None else None}, kind


def setting_keys() -> set[str]:
    """The keys below `dataset` that layouts have of their own: `folder.masks`."""
    kinds = {name: LAYOUTS.get(name).Settings for name in LAYOUTS.names()}
    return {f"{name}.{item.name}" for name, kind in kinds.items() if is_dataclass(kind) for item in fields(kind)}
