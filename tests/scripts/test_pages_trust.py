"""docs/trust.md: mutants by module with the lines of those that live, and what many images take."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.pages import trust

WHEN = {"command": "make it", "date": "2026-01-02", "cores": 2, "machine": "x86_64"}
SAID = "Measured once, 2026-01-02, on 2 cores (x86_64): `make it`."


def mutant(before: str, after: str, module: str = "radar.a") -> dict[str, str]:
    return {"module": module, "function": "Kind.add", "status": "survived", "before": before, "after": after}


def planted(monkeypatch: pytest.MonkeyPatch, **record: Any) -> None:
    monkeypatch.setattr(trust, "measured", lambda name: {**WHEN, **record})


def test_mutants_are_counted_by_module_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {
        "radar.a": {"killed": 1500, "timeout": 20, "survived": 4, "suspicious": 1},
        "radar.b": {"no_tests": 2, "survived": 1},
        "radar.c": {"killed": 472},
    }
    planted(monkeypatch, modules=modules, living=[])
    table, said, living = trust.mutants().split("\n\n")
    assert table.splitlines() == [
        "| module | mutants | killed | alive | not reached by tests |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| `radar.a` | 1,525 | 1,520 | 5 | 0 |",
        "| `radar.b` | 3 | 0 | 1 | 2 |",
        "| `radar.c` | 472 | 472 | 0 | 0 |",
        "| all | 2,000 | 1,992 (99.6%) | 6 | 2 |",
    ]
    assert (said, living) == (SAID, "None lives.")


def test_lines_of_living_mutants_are_listed_by_module(monkeypatch: pytest.MonkeyPatch) -> None:
    living = [mutant("a | b", "a & b"), mutant("x = 1", ""), mutant("y = `1``2`", "y", module="radar.b")]
    planted(monkeypatch, modules={"radar.a": {"survived": 2}, "radar.b": {"survived": 1}}, living=living)
    *_, said, summary, lines, end = trust.mutants().split("\n\n")
    assert said.startswith("3 live.")
    assert (summary, end) == ("<details><summary>The lines of those that live</summary>", "</details>")
    assert lines.splitlines() == [
        "- `radar.a`",
        "  - `Kind.add`: `a | b` → `a & b`",
        "  - `Kind.add`: `x = 1` → nothing",
        "- `radar.b`",
        "  - `Kind.add`: ``` y = `1``2` ``` → `y`",
    ]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        pytest.param(100, 0, "a" * 100, id="fits"),
        pytest.param(0, 200, "<" + "b" * 97 + "…", id="at-the-start"),
        pytest.param(200, 0, "…" + "a" * 97 + "<", id="at-the-end"),
        pytest.param(200, 200, "…" + "a" * 49 + "<" + "b" * 48 + "…", id="in-the-middle"),
    ],
)
def test_a_long_line_is_shown_about_its_change(
    monkeypatch: pytest.MonkeyPatch, before: int, after: int, shown: str
) -> None:
    sign = "" if before == 100 else "<"
    old, new = ("a" * before + each + "b" * after for each in (sign, sign.replace("<", ">")))
    planted(monkeypatch, modules={"radar.a": {"survived": 1}}, living=[mutant(old, new)])
    assert f"`Kind.add`: `{shown}` → `{shown.replace('<', '>')}`" in trust.mutants()


def test_what_many_images_take_is_told_by_command(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {
        name: {"seconds": seconds, "peak_memory_mib": peak}
        for name, seconds, peak in (("data_check", 61.4, 300), ("training", 5000.6, 2500), ("predict", 1234.0, 900))
    }
    planted(monkeypatch, images=20_000, **taken)
    table, said = trust.long_images().split("\n\n")
    assert table.splitlines() == [
        "| command, on 20,000 photos | seconds | peak memory, MiB |",
        "| --- | ---: | ---: |",
        "| `radar data check` | 61 | 300 |",
        "| `radar` | 5,001 | 2,500 |",
        "| `radar predict` | 1,234 | 900 |",
    ]
    assert said == f"4,096 MiB are allowed; none takes more. {SAID}"


def test_branches_are_told_with_the_packages_of_fewest(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = {
        f"radar.{name}": {"covered_branches": taken, "num_branches": 1000}
        for name, taken in (("a", 950), ("b", 800), ("c", 1000), ("d", 901))
    }
    planted(monkeypatch, packages=packages, covered_branches=3651, num_branches=4000)
    assert trust.branches() == (
        "3,651 of 4,000 branches are taken, 91.3%; the smallest shares are those of `radar.b` (80.0%), `radar.d` (90.1%), "
        f"`radar.a` (95.0%). {SAID}"
    )
