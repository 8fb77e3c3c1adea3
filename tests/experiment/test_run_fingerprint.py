"""A run's fingerprint: what its results depend on changes it, what only says where they lie does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from radar.config.schema import Config
from radar.experiment import run_fingerprint
from radar.experiment.run_fingerprint import fingerprint
from radar.experiment.stage import VERSIONS
from radar.methods.registry import method_of

DATA = "0" * 64


@pytest.fixture
def config(composed: Callable[..., Config]) -> Config:
    return composed("method=radar", "dataset=folder", "dataset.root=parts")


def test_it_is_forty_digits_and_the_same_for_equal_configs(config: Config, composed: Callable[..., Config]) -> None:
    again = composed("method=radar", "dataset=folder", "dataset.root=parts")
    assert re.fullmatch("[0-9a-f]{40}", fingerprint(config, DATA))
    assert fingerprint(again, DATA) == fingerprint(config, DATA)


def test_what_says_where_things_lie_changes_nothing(config: Config) -> None:
    dataset, trainer = config.dataset, config.trainer
    elsewhere = {
        "name": "another", "preset": "another", "output_root": "another", "data_root": "another", "tags": ["another"],
        "dataset": replace(dataset, name="another", root="another", manifest="another.csv"),
        "trainer": replace(trainer, progress=not trainer.progress, workers=7, stack="host", stack_memory_fraction=0.01),
    }  # fmt: skip
    for key, value in elsewhere.items():
        assert getattr(config, key) != value
        assert fingerprint(replace(config, **{key: value}), DATA) == fingerprint(config, DATA), key


def test_what_results_depend_on_changes_it(config: Config) -> None:
    changed = [
        replace(config, seed=config.seed + 1),
        replace(config, patch=replace(config.patch, size=config.patch.size + 2)),
        replace(config, dataset=replace(config.dataset, split_seed=99)),
        replace(config, trainer=replace(config.trainer, threads=3)),
        replace(config, scoring=replace(config.scoring, smoothing=0.5)),
        replace(config, contamination=replace(config.contamination, value=0.123)),
    ]
    found = {fingerprint(each, DATA) for each in (config, *changed)} | {fingerprint(config, "1" * 64)}
    assert len(found) == len(changed) + 2


@pytest.mark.parametrize("turned", [False, True], ids=["as-it-is", "keys-in-another-order"])
def test_the_digits_of_a_known_config_stay_what_they_were(
    config: Config, monkeypatch: pytest.MonkeyPatch, turned: bool
) -> None:
    """Stored runs are found by them: other digits for equal content would have every run of old made again."""
    tree = {
        "name": "left out",
        "seed": 3,
        "dataset": {"layout": "folder", "root": "left out", "image": {"size": 100}},
        "method": {"name": "radar", "controls": ["raw_sobel"]},
        "training": {"learning_rate": 3e-3, "max_steps": 600},
    }
    versions = {"network": 4, "fitted": 5}

    def ordered(values: dict[str, Any]) -> dict[str, Any]:
        items = [(key, ordered(each) if isinstance(each, dict) else each) for key, each in values.items()]
        return dict(reversed(items) if turned else items)

    monkeypatch.setattr(run_fingerprint, "effective", lambda _: ordered(tree))
    monkeypatch.setattr(run_fingerprint, "VERSIONS", ordered(versions))
    monkeypatch.setattr(run_fingerprint, "_VERSION", 1)
    monkeypatch.setattr(run_fingerprint, "FORMAT", 2)
    monkeypatch.setattr(type(method_of(config)), "version", 3)
    assert fingerprint(config, DATA) == "a44305eeaa37de1cdfc3889fed19b55280f137b0"


def test_what_another_version_computes_changes_it(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {fingerprint(config, DATA)}
    for target, name, value in (
        (run_fingerprint, "_VERSION", 1000),
        (run_fingerprint, "FORMAT", 1000),
        (type(method_of(config)), "version", 1000),
    ):
        monkeypatch.setattr(target, name, value)
        before.add(fingerprint(config, DATA))
    for stage in VERSIONS:
        monkeypatch.setitem(VERSIONS, stage, 1000)
        before.add(fingerprint(config, DATA))
    assert len(before) == 4 + len(VERSIONS)


def test_a_method_of_ones_own_is_another_once_its_file_has_changed(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {fingerprint(config, DATA)}
    for code in ("a", "b"):
        monkeypatch.setattr("radar.methods.method.own_code", lambda _, code=code: code)
        found.add(fingerprint(config, DATA))
    assert len(found) == 3, "with the file's hash, and with another"
