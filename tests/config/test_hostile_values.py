"""Any value for any key: a checked config that can be stored, or one line that names the key."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radar.config import verbs
from radar.config.plain import plain
from radar.config.schema import Config
from radar.config.typed import typed
from radar.data.layouts import LAYOUTS
from radar.errors import ConfigError
from radar.methods.key_rules import check
from radar.methods.registry import METHODS, typed_config
from radar.runtime.terminal import printable

VERBS = [
    verbs.SweepConfig,
    verbs.ReportConfig,
    verbs.PredictConfig,
    verbs.CalibrateConfig,
    verbs.MonitorConfig,
    verbs.InspectConfig,
]
METHOD_NAMES = ("radar", "fused_densities", "diffusion_ad", "osd_irf", "anoddpm")
NUMBERS = [
    0,
    1,
    -1,
    3,
    10**6,
    10**12,
    -(10**30),
    10**30,
    1e-320,
    1e-300,
    1e308,
    0.5,
    -0.0,
    math.nan,
    math.inf,
    -math.inf,
]
TEXTS = [
    "",
    " ",
    "???",
    "${seed}",
    "${nothing}",
    "${oc.env:NOTHING}",
    "a\nb",
    "a\0b",
    "\udcff",
    "$a^$",
    "[b]x",
    "../../x",
    "~",
    "x" * 5000,
    "inf",
    "null",
]
OTHERS: list[Any] = [
    None,
    True,
    [],
    {},
    [[]],
    [[1]],
    [None],
    {"a": 1},
    [{}],
    [math.nan],
    [math.inf],
    [10**30],
    [1] * 1000,
    ["\udcff"],
    [["a"]],
]
HOSTILE = st.one_of(
    st.sampled_from([*NUMBERS, *TEXTS, *OTHERS]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                 lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)),
)  # fmt: skip


def sections(kind: type) -> Iterator[type]:
    """A dataclass of the schema and those below it."""
    yield kind
    for hint in get_type_hints(kind).values():
        for inner in (hint, *get_args(hint)):
            if isinstance(inner, type) and is_dataclass(inner):
                yield from sections(inner)


def all_sections() -> list[type]:
    own = [METHODS.get(name).Settings for name in METHODS.names()]
    layouts = [LAYOUTS.get(name).Settings for name in LAYOUTS.names()]
    roots = [Config, *VERBS, *(kind for kind in (*own, *layouts) if kind is not None)]
    return list(dict.fromkeys(section for root in roots for section in sections(root)))


@pytest.mark.parametrize("section", all_sections(), ids=lambda section: section.__name__)
def test_every_number_of_the_schema_is_bounded_on_both_sides(section: type) -> None:
    hints = get_type_hints(section)
    for item in fields(section):
        outer = (hints[item.name], *get_args(hints[item.name]))
        kinds = {kind for each in outer for kind in (each, *get_args(each))}
        if {int, float} & kinds:
            bounds = item.metadata
            assert bounds.get("minimum") is not None or bounds.get("above") is not None, item.name
            assert bounds.get("maximum") is not None or bounds.get("below") is not None, item.name


@cache
def keys_of(method: str) -> tuple[dict[str, Any], list[tuple[str, ...]]]:
    from radar.compose import experiment  # noqa: PLC0415 - composing takes longer than what is tested

    image = ["dataset.image.channels=luma_chroma"] if method == "fused_densities" else []
    values = plain(experiment([f"method={method}", "dataset=folder", "dataset.root=parts", *image]))
    return values, [*paths(values)]


def paths(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from paths(value, (*above, key))


def faults(method: str, path: tuple[str, ...], value: Any) -> list[str]:
    """What is wrong with the answer to `value` at `path`: a config that cannot be read again, or a message that is no line of
    its own or does not name the key.
    """
    values = json.loads(json.dumps(keys_of(method)[0]))
    node = values
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    case = f"{method} {'.'.join(path)}={value!r:.60}"
    try:
        config = typed_config(values)
    except ConfigError as error:
        said = str(error)
        named = path[-1] in said or path[0] in said
        return [] if printable(said) == said and len(said) < 1500 and named else [f"{case} is told {said!r}"]
    if typed_config(json.loads(json.dumps(plain(config), allow_nan=False))) != config:
        return [f"{case} changes where it is stored"]
    try:
        check(config)
    except ConfigError as error:
        return [] if printable(str(error)) == str(error) else [f"{case} is told {str(error)!r}"]
    return []


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value_for_any_key_makes_a_config_or_one_line(data: st.DataObject) -> None:
    method = data.draw(st.sampled_from(METHOD_NAMES[:2]))
    assert faults(method, data.draw(st.sampled_from(keys_of(method)[1])), data.draw(HOSTILE)) == []


@pytest.mark.slow
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_each_hostile_value_for_each_key_makes_a_config_or_one_line(method: str) -> None:
    before = {path for name in METHOD_NAMES[: METHOD_NAMES.index(method)] for path in keys_of(name)[1]}
    own = [
        path for path in keys_of(method)[1] if path not in before
    ]  # a key that methods share is tried with the first
    hostile = (*NUMBERS, *TEXTS, *OTHERS)
    assert [fault for path in own for value in hostile for fault in faults(method, path, value)] == []


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(VERBS), data=st.data())
def test_any_value_for_any_key_of_a_verb_makes_settings_or_one_line(kind: type, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([item.name for item in fields(kind)]))
    try:
        typed(kind, {key: data.draw(HOSTILE)})
    except ConfigError as error:
        assert printable(str(error)) == str(error)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["scoring.smoothing=101"], "scoring.smoothing=101.0: must be ≤ the image's side, 100 px"),
        (["scoring.blur.sigma=1e-300"], "scoring.blur.sigma=1e-300: must be ≥ 0.01"),
        (["scoring.blur.sigma=0"], "scoring.blur.sigma=0.0: must be ≥ 0.01"),
        (["scoring.smoothing=0.001"], "scoring.smoothing=0.001: must be 0 or ≥ 0.01"),
        (["training.gradient_clip=inf"], "training.gradient_clip=inf: must be ≤"),
        (["training.weight_decay=inf"], "training.weight_decay=inf: must be ≤"),
        (["trainer.threads=1000000000000"], "trainer.threads=1000000000000: must be ≤ 1024"),
        (["unet.channels=[[16]]"], "unet.channels=[[16]]: must be a flat list"),
        (["tags=[[a]]"], "tags=[['a']]: must be a flat list"),
        (["method=pca", "method.windows.size=101"], "method.windows.size=101: must be ≤ the image's side, 100 px"),
        (["method=lof_texture", "method.windows.size=3", "method.windows.stride=3"], "method.windows.size=3: must be ≥ 4 with"),
        (["evaluation.noise.permutations=1000000000"], "evaluation.noise.permutations=1000000000: must be ≤ 1000000"),
    ],
)  # fmt: skip
def test_a_number_without_meaning_is_refused(
    composed: Callable[..., Config], overrides: list[str], expected: str
) -> None:
    with pytest.raises(ConfigError) as error:
        composed(*overrides)
    assert expected in str(error.value)
