"""What mutmut prints, read: statuses, functions and changed lines."""

from __future__ import annotations

import pytest

from radar.errors import RunError
from scripts.mutants import changed, function_of, share_killed, statuses, summary

TOLD = """
    radar.scoring.tiling.x_taper__mutmut_5: survived
    radar.scoring.tiling.x__offsets__mutmut_1: killed
    radar.scoring.tiling.xǁTilingǁadd__mutmut_12: timeout
    radar.scoring.border.x_width__mutmut_1: no tests
"""
DIFF = """# radar.scoring.tiling.x_taper__mutmut_5: survived
--- radar/scoring/tiling.py
+++ radar/scoring/tiling.py
@@ -1,2 +1,2 @@
 def taper(side: int) -> Tensor:
-    position = 1
+    position = 2
"""


def test_what_mutmut_prints_is_counted() -> None:
    found = statuses(TOLD)
    assert list(found.values()) == ["survived", "killed", "timeout", "no tests"]
    assert share_killed(found) == 0.5
    living = {name: DIFF for name, status in found.items() if status in ("survived", "no tests")}
    told = summary(found, living)
    assert told["modules"] == {
        "radar.scoring.tiling": {"survived": 1, "killed": 1, "timeout": 1},
        "radar.scoring.border": {"no_tests": 1},
    }
    assert told["living"] == [
        {"module": module, "function": function, "status": status, "before": "position = 1", "after": "position = 2"}
        for module, function, status in (
            ("radar.scoring.tiling", "taper", "survived"),
            ("radar.scoring.border", "width", "no tests"),
        )
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("radar.a.x_b__mutmut_1", ("radar.a", "b")),
        ("radar.a.x__b__mutmut_1", ("radar.a", "_b")),
        ("radar.a.xǁKindǁ__init____mutmut_12", ("radar.a", "Kind.__init__")),
    ],
)
def test_a_mutant_is_of_a_function(name: str, expected: tuple[str, str]) -> None:
    assert function_of(name) == expected


def test_nothing_and_other_names_are_told() -> None:
    assert changed("-a\n+b\n-c\n") == ("a c", "b")
    with pytest.raises(RunError, match="has no results here"):
        statuses("")
    with pytest.raises(RunError, match="is no name of a mutant"):
        function_of("something")
