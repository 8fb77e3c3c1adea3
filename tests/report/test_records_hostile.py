"""Whatever a record holds, it is left out and named, or a report is made of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_builders import SETTINGS, result

from radar.files import read_lines
from radar.report.build import Report, table_files
from radar.report.comparison import comparison_tables
from radar.report.html import page
from radar.report.records import add_records, read_records
from radar.report.result import Result
from radar.report.stored import read_results
from radar.report.tables import markdown
from radar.report.tables_sweep import ANSWERS, sweep_table

Place = tuple[str | int, ...]
REMOVED = object()
VALUES: dict[str, Any] = {
    "removed": REMOVED, "null": None, "number": 7, "zero": 0, "negative": -2.5, "huge": 10**30, "longest": 10**400, "text": "x",
    "digits": "01", "half a character": "\ud800", "list": [1], "list of lists": [["x"]], "keys": {"a": {}}, "bool": True,
}  # fmt: skip
OFTEN = ("removed", "null", "number", "text", "list")  # the others find little that these do not
QUICK = replace(SETTINGS, resamples=5, permutations=9)
SECTIONS: dict[str, Any] = {
    "detector": {"name": "upper_tail", "threshold": "quantile", "threshold_on": "cross_fitted", "fitted_on": "train"},
    "contamination": {"value": 0.05},
    "unet": {"channels": [8, 16], "attention_levels": [1], "fold": 1, "kind": "small"},
    "scoring": {"stride": 14, "border": {"name": "margin", "width": 2}},
    "dataset": {
        "name": "grid", "layout": "mvtec", "category": "grid", "split": "published",
        "image": {"size": 64, "width": None, "channels": "grey", "region_of_interest": {"name": "mask", "mask": "m"}},
    },
    "method": {
        "name": "radar", "controls": ["raw_sobel"], "windows": {"descriptor": "texture"},
        "reconstruction": {"features": "efficientnet"}, "fused_densities": None, "feature_space": None,
    },
}  # fmt: skip


def whole(seed: int) -> Result:
    """One of a config with all sections that tables read."""
    one = result(seed=seed, overrides=["unet=small", "scoring.stride=14", "dataset.image.region_of_interest=m"])
    environment = {**one.environment, "data_masks_hash": "m" * 16}
    return replace(one, config={**one.config, **SECTIONS}, environment=environment)


def places(tree: Any, above: Place = ()) -> Iterator[Place]:
    """Of all keys, and of what stands first in a list; deep in the metrics a test of their own looks."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree[:1]) if isinstance(tree, list) else ()
    for name, value in items:
        yield (*above, name)
        if above[:1] != ("metrics",) or name in ("image", "border_share"):
            yield from places(value, (*above, name))


def changed(content: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    found = copy.deepcopy(content)
    node: Any = found
    for name in place[:-1]:
        node = node[name]
    if value is REMOVED:
        del node[place[-1]]
    else:
        node[place[-1]] = value
    return found


def make_report(results: list[Result]) -> None:
    """All texts of it, of comparing the runs, and of the tables that answer sweeps."""
    report = Report(results, QUICK, [])
    assert all(text.encode() for text in table_files(report).values())
    assert page(report, []).encode()
    tables = [*comparison_tables(results, QUICK), *(sweep_table(name, results, None, []) for name in ANSWERS)]
    assert all(markdown(each).encode() for each in tables)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("record") / "one.runs.jsonl"
    add_records(path, [whole(0)])
    content: dict[str, Any] = json.loads(next(read_lines(path)))
    return content


def test_a_whole_record_makes_a_report(record: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "one.runs.jsonl"
    path.write_text(json.dumps(record))
    results, errors = read_records(path)
    assert not errors
    make_report([*results, whole(1)])


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in VALUES]
)
def test_a_record_with_any_key_changed_is_left_out_or_a_report_is_made_of_it(
    record: dict[str, Any], tmp_path: Path, name: str
) -> None:
    path, good = tmp_path / "one.runs.jsonl", whole(1)
    for place in places(record):
        path.write_text(json.dumps(changed(record, place, VALUES[name])))
        results, errors = read_records(path)
        assert len(results) + len(errors) == 1
        if errors:
            assert errors[0].startswith(f"{path}, line 1: not a record of a run (") and "\n" not in errors[0]
            continue
        try:
            make_report([*results, good])
        except Exception as error:
            raise AssertionError(f"{'/'.join(map(str, place))} = {name}") from error


NEEDED: tuple[tuple[Place, str], ...] = (
    (("environment", "device"), "removed"), (("environment", "git_modified"), "removed"), (("environment", "packages"), "text"),
    (("environment", "packages", "numpy"), "removed"), (("environment", "data_manifest_hash"), "number"),
    (("environment", "data_masks_hash"), "list"), (("ended",), "null"), (("fingerprint",), "number"), (("name",), "list"),
    (("scored",), "text"), (("command", "words"), "text"), (("command", "overrides", 0), "number"), (("command", "preset"), "list"),
    (("images", 0, 4), "null"), (("images", 0, 2), "bool"), (("images", 0, 5), "text"), (("normals", 0, "split"), "null"),
    (("normals", 0, "unseen_by"), "text"), (("decisions",), "text"), (("config", "timestep", "value"), "null"),
    (("config", "unet", "channels", 0), "text"), (("config", "unet", "fold"), "zero"), (("config", "scoring", "border"), "removed"),
    (("config", "method", "windows"), "text"), (("name",), "half a character"),
)  # fmt: skip


@pytest.mark.parametrize(("place", "name"), NEEDED)
def test_a_line_that_no_run_wrote_is_named_and_the_others_make_a_report(
    record: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], place: Place, name: str
) -> None:
    path = tmp_path / "two.runs.jsonl"
    add_records(path, [whole(1)])
    with path.open("a") as file:
        file.write(json.dumps(changed(record, place, VALUES[name])))
    results = read_results([path])
    assert [each.seed for each in results] == [1]
    told = capsys.readouterr().err
    assert f"{path}, line 2: not a record of a run (" in told and told.count("\n") == 1
