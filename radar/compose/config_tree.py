"""Where the config tree lies, and how an override is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

import radar


def config_folder() -> Path:
    """The config tree: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(radar.__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def parse_overrides(overrides: Sequence[str]) -> list[Override]:
    """Hydra's own reading of `key=value` arguments."""
    return OverridesParser.create().parse_overrides(overrides=list(overrides))
