"""Regions of interest as a reader is told of them: what kind, and a digest in place of a text of up to millions of characters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

_REGION = "region_of_interest"
_KEY = f"dataset.image.{_REGION}"
_LONG = ("mask", "polygons")  # entries whose values are long
_DIGITS = 8  # of the digest
_LONGEST_WORD = 200  # characters of a command's word that is shown as it was typed


def named(key: str, value: Any) -> Any:
    """The value of a dotted key: `mask 3f2a91c4` in place of a region's mask, and alike for polygons; any other as it is."""
    section, _, name = key.rpartition(".")
    if value is None or name not in _LONG or section.rpartition(".")[2] != _REGION:
        return value
    return f"{name} {hashlib.sha256(str(value).encode()).hexdigest()[:_DIGITS]}"


def region_name(region: Mapping[str, Any]) -> str:
    """A region of plain values: `mask 3f2a91c4`, `polygons 1b2c9d05`, or `found` with its settings; of equal regions the same."""
    kind, given = str(region.get("name")), {key: value for key, value in region.items() if value is not None}
    if kind in _LONG and kind in given:
        return str(named(f"{_KEY}.{kind}", given[kind]))
    return " ".join([kind, *(f"{key}={value}" for key, value in given.items() if key not in ("name", *_LONG))])


def with_named_region(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A config of plain values with names in place of what a region's long entries hold."""
    return {
        key: with_named_region(value, f"{prefix}{key}.") if isinstance(value, Mapping) else named(prefix + key, value)
        for key, value in values.items()
    }


def override_told(override: str, config: Mapping[str, Any]) -> str:
    """An override as it was typed; of one that sets a region, the key and what `config` has of it."""
    key, region = override.lstrip("+~").partition("=")[0], _region_of(config)
    if region is None or key not in (_KEY, *(f"{_KEY}.{name}" for name in _LONG)):
        return override
    name = key.rpartition(".")[2]
    shown = region_name(region) if key == _KEY else named(key, region.get(name))
    return f"{key}={shown}"


def command_told(words: Sequence[str], config: Mapping[str, Any]) -> str:
    """A command's words, as they were typed but for a region that is long."""
    return " ".join(override_told(word, config) if len(word) > _LONGEST_WORD else word for word in words)


def _region_of(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The section of the region in a config of plain values; None where it has none."""
    image = config["dataset"].get("image")
    region = image.get(_REGION) if isinstance(image, Mapping) else None
    return region if isinstance(region, Mapping) else None
