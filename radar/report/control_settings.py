"""Keys that controls alone read: they are no settings of the method beside runs of it that have no controls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from radar.config.plain import merged, remove, selected
from radar.errors import RadarError
from radar.methods.registry import METHODS, typed_config
from radar.methods.relevance import METHODS_OWN, effective
from radar.report.recipes import told_by
from radar.report.result import Result
from radar.report.settings import flat, method_label


def without_control_settings(results: Sequence[Result]) -> list[Result]:
    """The results, in the same order. Where a method ran with controls and without, keys that its controls alone read are left out
    of its configs, as runs without controls do not have them, but for those that vary among the runs with controls: these a person
    turned.
    """
    by_label: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_label[method_label(result.config["method"])].append(result)
    left_out: dict[int, list[str]] = {}
    for members in by_label.values():
        controlled = [each for each in members if each.config["method"].get("controls")]
        if 0 < len(controlled) < len(members):
            left_out |= _left_out(controlled)
    return [replace(each, config=_without(each.config, left_out.get(id(each), []))) for each in results]


def _left_out(controlled: Sequence[Result]) -> dict[int, list[str]]:
    """Of each result of one method, by its `id`, the keys that its controls alone read and that have one value wherever they are."""
    found = {id(each): _of_controls(each) for each in controlled}
    values: dict[str, set[str]] = defaultdict(set)
    for each in controlled:
        for key in found[id(each)]:
            values[key].add(repr(selected(each.config, [key])))
    return {place: [key for key in keys if len(values[key]) == 1] for place, keys in found.items()}


def _of_controls(result: Result) -> list[str]:
    """The keys of a config that its method does not read; none where that cannot be known, as of a method that is not installed."""
    method = result.config["method"]
    if method["name"] not in METHODS.names():
        return []
    try:
        base = told_by(f"method={method_label(method)}")
        values = {**merged(base, result.config), "method": {**method, "controls": []}, "dataset": base["dataset"]}
        read = flat(effective(typed_config(values)))
    except RadarError:
        return []
    return [key for key in flat(result.config) if key.partition(".")[0] in METHODS_OWN and key not in read]


def _without(config: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    kept = dict(config)
    for key in keys:
        remove(kept, key)
    return kept
