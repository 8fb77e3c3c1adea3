"""Plain values to the typed config and back: each the inverse of the other; what is unknown, unset or out of range is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from radar.config.plain import plain, selected
from radar.config.schema import Config
from radar.errors import ConfigError
from radar.methods.registry import typed_config

TREE = {"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": [4]}
PRESETS = [
    ("method=radar",),
    ("method=fused_densities", "dataset.image.channels=luma_chroma", "method.fused_densities.colour=null"),
    ("method=pca", "dataset=folder", "dataset.root=parts"),
    ("method=anoddpm", "method.controls=[]", "tags=[one,two]"),
]


@pytest.mark.parametrize("overrides", PRESETS, ids=lambda overrides: overrides[0])
def test_plain_and_typed_are_inverses(composed: Callable[..., Config], overrides: tuple[str, ...]) -> None:
    config = composed(*overrides)
    values = plain(config)
    again = typed_config(json.loads(json.dumps(values)))
    assert again == config
    assert type(again.method.settings) is type(config.method.settings)
    assert plain(again) == values
    assert "settings" not in values["method"] and "settings" not in values["dataset"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("seeed", 1, "seeed: no such key"),
        ("scoring.blur.kernell", 3, "scoring.blur.kernell: no such key"),
        ("method.windows.sise", 3, "method.windows.sise: no such key"),
        ("method.windows.size", "wide", "method.windows.size: "),
        ("method.windows.size", "???", "method.windows.size: no value is set; give one with method.windows.size=…"),
        ("scoring.draws", -1, "scoring.draws=-1: must be ≥ 0"),
        ("contamination.value", float("nan"), "contamination.value=nan: must be "),
        ("scoring.edge", "prewitt", "scoring.edge=prewitt: must be one of sobel, none"),
        ("method.reduction.statistic", "median", "method.reduction.statistic=median: must be one of max, mean, top"),
        ("method.name", "nothing", "method nothing: there is none; use one of "),
        ("method.name", None, "method.name: no value is set"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_key_as_it_is_written(
    composed: Callable[..., Config], path: str, value: Any, message: str
) -> None:
    values = plain(composed("method=pca"))
    *sections, name = path.split(".")
    node: Any = values
    for section in sections:
        node = node[section]
    node[name] = value
    with pytest.raises(ConfigError) as error:
        typed_config(values)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("prefixes", "found"),
    [
        (["a.b"], {"a": {"b": {"c": 1, "d": 2}}}),
        (["a.b.c", "a.b.d"], {"a": {"b": {"c": 1, "d": 2}}}),
        (["a.e", "a.b.c"], {"a": {"e": 3, "b": {"c": 1}}}),
        (["f", "nothing", "a.nothing"], {"f": [4], "a": {}}),
        ([], {}),
    ],
)
def test_selected_keys_stay_nested_as_they_were(prefixes: list[str], found: dict[str, Any]) -> None:
    assert selected(TREE, prefixes) == found
