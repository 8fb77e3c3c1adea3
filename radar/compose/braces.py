"""Values in braces: `scoring={window: 7, draws: 2}` says of a section what dotted keys say one by one, and is judged as these are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from omegaconf import DictConfig

from radar.compose.config_tree import is_group
from radar.compose.overrides import Override, has_braces, read_overrides, words_of
from radar.config.plain import leaves
from radar.methods.registry import has_setting


def chooses(override: Override) -> bool:
    """Whether an override chooses a config of a group, or is Hydra's own: braces set keys of what was chosen."""
    if override.is_hydra_override():
        return True
    return is_group(override.key_or_group.partition("@")[0]) and not has_braces(override)


def node_at(composed: DictConfig, key: str) -> object:
    """What a typed tree has at `key`; None where there is nothing."""
    node: object = composed
    for part in key.split("."):
        if _is_null(node):
            return None
        node = cast(DictConfig, node)._get_node(part, validate_access=False)
    return node


def _is_null(node: object) -> bool:
    """Whether a node is no section that is there."""
    return not isinstance(node, DictConfig) or node._is_none() or node._is_missing()


def keys_set(override: Override, composed: DictConfig) -> dict[str, object]:
    """The keys that an override sets in a composed config, with their values.

    A section that is null can only be set whole, and so is a value that has names of its own; either is one key.
    """
    key, value = override.key_or_group, override.value()
    if override.is_delete() or override.is_hydra_override() or override.package is not None:
        return {key: value}
    return dict(_spread(key, value, composed))


def _spread(key: str, value: object, composed: DictConfig) -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict) or not _is_section(key, value, composed):
        yield key, value
        return
    for name, below in value.items():
        yield from _spread(f"{key}.{name}", below, composed)


def _is_section(key: str, names: Mapping[Any, object], composed: DictConfig) -> bool:
    """Whether `key` is a section of configs whose keys `names` are."""
    if not names or not all(isinstance(name, str) and "." not in name for name in names):
        return False
    node = node_at(composed, key)
    first, *path = key.split(".")
    if first != "method":
        return not _is_null(node) and names.keys() <= set(cast(DictConfig, node).keys())
    method = composed.method.name
    if not path or not has_setting(method, path):  # of another method, which the keys below it tell
        return True
    return not _is_null(node) and any(has_setting(method, [*path, name]) for name in names)


def keys_said(text: str) -> list[str]:
    """The keys that the values of an override name, each as deep as its braces go."""
    override = read_overrides([text])[0]
    if not has_braces(override):
        return [override.key_or_group]
    values = [each.value() for each in read_overrides(words_of(override))]
    return list(dict.fromkeys(leaf for value in values for leaf in leaves(value, override.key_or_group)))


def without(override: Override, keys: Collection[str]) -> Override | None:
    """What is left of an override that sets none of `keys`; None where nothing is."""
    if override.key_or_group in keys:
        return None
    given = override._value
    if not isinstance(given, dict):
        return override
    left = _without(given, override.key_or_group, keys)
    if left == given:
        return override
    shorter = replace(override, _value=left)
    words = f"{shorter.get_key_element()}={shorter.get_value_element_as_str()}"
    return replace(shorter, input_line=words) if left else None


def _without(values: Mapping[Any, Any], key: str, keys: Collection[str]) -> dict[Any, Any]:
    left = {}
    for name, value in values.items():
        below = _without(value, f"{key}.{name}", keys) if isinstance(value, dict) else value
        if f"{key}.{name}" not in keys and (below != {} or value == {}):
            left[name] = below
    return left
