"""A typed config as plain values, as a user writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from radar.config.schema import Config, ImageConfig
from radar.files import Plain

_YOUNGER = ("region_of_interest", "working_size")  # sections that stored runs may be older than


def plain(config: Config) -> dict[str, Plain]:
    """All keys, those of the method directly below `method`, those of the layout below its name: the inverse of `typed_config`."""
    values = asdict(config)
    values["dataset"]["image"] = image_values(config.dataset.image)
    values["method"] |= values["method"].pop("settings")
    layout = values["dataset"].pop("settings")
    return values if layout is None else {**values, "dataset": {**values["dataset"], config.dataset.layout: layout}}


def leaves(value: object, key: str) -> Iterator[str]:
    """The keys below `key` that hold no further keys, dotted: {"a": {"b": 1}} at `x` has x.a.b; `key` itself of what has none."""
    if not isinstance(value, Mapping):
        yield key
        return
    for name, below in value.items():
        yield from leaves(below, f"{key}.{name}")


def image_values(config: ImageConfig) -> dict[str, Plain]:
    """How images are read. What was stored before there was a choice is still the same: a section is left out where it is null."""
    values: dict[str, Plain] = asdict(config)
    return {key: value for key, value in values.items() if value is not None or key not in _YOUNGER}


def selected(values: Mapping[str, Plain], prefixes: Iterable[str]) -> dict[str, Plain]:
    """The keys below `prefixes` (`scoring.blur`, `unet`), nested as they were; a prefix that names nothing selects nothing."""
    found: dict[str, Plain] = {}
    for prefix in prefixes:
        first, _, rest = prefix.partition(".")
        if first not in values:
            continue
        below = values[first]
        if not rest:
            found[first] = below
        elif isinstance(below, dict):
            already = found.get(first)
            inner = selected(below, [rest])
            found[first] = merged(already, inner) if isinstance(already, dict) else inner
    return found


def merged(first: Mapping[str, Plain], second: Mapping[str, Plain]) -> dict[str, Plain]:
    """The first with what the second has in place of it, section by section."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def remove(tree: dict[str, Plain], key: str) -> None:
    """Take a key such as `dataset.root` out of nested values, where it is there. Nothing else changes."""
    first, _, rest = key.partition(".")
    below = tree.get(first)
    if rest and isinstance(below, dict):
        tree[first] = below = dict(below)
        remove(below, rest)
    elif not rest:
        tree.pop(first, None)
