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

from radar.compose import command_line
from radar.compose.plan import plan
from radar.files import read_lines
from radar.methods.registry import method_of
from radar.methods.relevance import effective
from radar.report.build import Report, table_files
from radar.report.comparison import comparison_tables
from radar.report.html import page
from radar.report.recipes import option_values
from radar.report.records import add_records, read_records
from radar.report.result import Result
from radar.report.settings import method_label
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
    (("config", "unet", "attention_levels"), "null"), (("config", "patch", "size"), "text"), (("name",), "half a character"),
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


@pytest.mark.parametrize(
    "value",
    [
        "x" * 300,
        "[" + ", ".join(["16"] * 400) + "]",
        "../config",
        "../../pyproject",
        "a/../small",
        "/etc/hosts",
        "a\0b",
        "",
        ".",
    ],
)
@pytest.mark.parametrize("key", ["unet", "scoring", "patch.size", "../conf/unet", "/etc", "", "x" * 300])
def test_what_was_typed_never_becomes_the_name_of_a_file(
    record: dict[str, Any], tmp_path: Path, key: str, value: str
) -> None:
    path = tmp_path / "one.runs.jsonl"
    typed = changed(record, ("command", "overrides"), [f"{key}={value}"])
    departing = changed(typed, ("config", "unet", "channels"), [7])  # of what departs it is asked who explains it
    path.write_text("".join(f"{json.dumps(each)}\n" for each in (typed, {**departing, "fingerprint": "another"})))
    results, errors = read_records(path)
    assert not errors and len(results) == 2
    make_report([*results, whole(1)])
    assert option_values(key, value) is None


def test_a_foreign_file_beside_the_projects_is_no_option_of_it(tmp_path: Path) -> None:
    foreign = tmp_path / "mine.yaml"
    foreign.write_text("channels: [1]\n")
    assert option_values("unet", str(foreign.with_suffix(""))) is None
    assert option_values(str(tmp_path), "mine") is None
    assert option_values("unet/../unet", "small") is None and option_values("unet", "./small") is None
    assert option_values("unet", "small") is not None


@pytest.mark.parametrize("value", ["x", 16, True, None, [1], {"features": "efficientnet"}])
@pytest.mark.parametrize("name", ["windows", "reconstruction", "fused_densities", "feature_space", "anything"])
def test_a_key_of_a_plug_in_may_be_called_like_a_section_of_another_method(
    record: dict[str, Any], tmp_path: Path, name: str, value: object
) -> None:
    path = tmp_path / "one.runs.jsonl"
    path.write_text(json.dumps(changed(record, ("config", "method"), {"name": "mine", "controls": [], name: value})))
    results, errors = read_records(path)
    assert not errors
    if not isinstance(value, dict):
        assert method_label(results[0].config["method"]) == "mine"
    make_report([*results, whole(1)])


PARTS: dict[str, dict[str, Any]] = {
    "widths": {"unet": {"channels": [8, 16]}},
    "levels without fold": {"unet": {"attention_levels": [1], "channels": [8]}},
    "a part of patches": {"patch": {"flips": True}, "unet": {"fold": 2}},
    "nothing that tables read": {"unet": {"dropout": 0.1}, "patch": {"rotations": False}, "timestep": {}},
}


@pytest.mark.parametrize("name", PARTS)
def test_a_method_may_read_a_part_of_a_section(record: dict[str, Any], tmp_path: Path, name: str) -> None:
    path = tmp_path / "one.runs.jsonl"
    path.write_text(json.dumps({**record, "config": {**record["config"], **PARTS[name]}}))
    results, errors = read_records(path)
    assert not errors
    make_report([*results, whole(1)])
    content = sweep_table("unet", results, None, [])
    shown = {heading: entry.text for heading, entry in zip(content.headings, content.rows[0], strict=True)}
    widths = PARTS[name]["unet"].get("channels")
    assert shown["channels"] == ("–" if widths is None else ", ".join(map(str, widths)))
    assert (shown["levels"], shown["attention at"]) == ("–" if widths is None else str(len(widths)), "–")


def test_a_plug_in_that_reads_a_part_of_a_section_is_read_from_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = plan(command_line.read(["method=lof", "dataset=grid"])).jobs
    keys = ("unet.channels", "patch.flips", "timestep")
    monkeypatch.setattr(type(method_of(job.config)), "fitting_keys", property(lambda _: keys))
    config = effective(job.config)
    assert (list(config["unet"]), list(config["patch"])) == (["channels"], ["flips"])
    one = result(preset=None)
    add_records(tmp_path / "one.runs.jsonl", [replace(one, config={**config, "name": "x"})])
    results, errors = read_records(tmp_path / "one.runs.jsonl")
    assert not errors
    make_report([*results, whole(1)])


@pytest.mark.parametrize("row", [0, 5, -2, -1])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        (2, -1),
        (2, 7.5),
        (5, -0.5),
        (5, 1.5),
        (5, 10**400),
        (6, -3.0),
        (6, float("inf")),
        (6, float("nan")),
        (3, 4),
        (0, None),
    ],
)
def test_a_value_that_is_none_is_found_in_any_row(
    record: dict[str, Any], tmp_path: Path, row: int, column: int, value: object
) -> None:
    path = tmp_path / "one.runs.jsonl"
    rows = copy.deepcopy(record["images"])
    for place, each in enumerate(rows):
        each[5], each[6] = 0.01 * (place + 1), None if place % 3 else 0.5  # beside values of all sizes, and none
    rows[row][column] = value
    path.write_text(json.dumps({**record, "images": rows}))
    results, errors = read_records(path)
    assert not results and len(errors) == 1 and "not a record of a run (" in errors[0]
