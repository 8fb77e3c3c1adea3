"""Counts of branches by package, and the exit code that they give."""

from __future__ import annotations

import json
import sys

import pytest

from scripts.covered import by_package, main, share


def counted(taken: int, branches: int) -> dict:
    return {"summary": {"covered_branches": taken, "num_branches": branches, "covered_lines": 9}}


FILES = {
    "radar/model.py": counted(3, 4),
    "radar/__init__.py": counted(0, 0),
    "radar/methods/pca.py": counted(5, 6),
    "radar/methods/parts/gaussian.py": counted(1, 2),
}


def test_branches_are_summed_over_packages():
    assert by_package(FILES) == {
        "radar": {"covered_branches": 3, "num_branches": 4},
        "radar.methods": {"covered_branches": 6, "num_branches": 8},
    }
    assert share({"covered_branches": 6, "num_branches": 8}) == 0.75
    assert share({"covered_branches": 0, "num_branches": 0}) == 1.0


@pytest.mark.parametrize(("taken", "code"), [(89, 1), (90, 0)])
def test_less_than_nine_in_ten_branches_is_a_failure(tmp_path, monkeypatch, taken, code):
    (report := tmp_path / "coverage.json").write_text(json.dumps({"files": {"radar/a.py": counted(taken, 100)}}))
    monkeypatch.setattr(sys, "argv", ["covered", str(report), "--to", str(tmp_path / "to.json")])
    assert main() == code
    told = json.loads((tmp_path / "to.json").read_text())
    assert (told["covered_branches"], told["num_branches"], told["command"]) == (taken, 100, "make coverage")
