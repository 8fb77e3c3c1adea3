"""Rows of a reviewed table that take earlier ones back."""

from __future__ import annotations

from pathlib import Path

import pytest

from radar.deploy.reviewed import read_reviewed
from radar.errors import DataError

A, B = "a" * 64, "b" * 64


def read(folder: Path, *rows: str) -> list[tuple[str, str]]:
    table = folder / "reviews.csv"
    table.write_text("\n".join(["path,verdict,score,content_hash", *rows]))
    return [(each.path, each.verdict) for each in read_reviewed(table, "1234")]


KEPT = f"keep.png,good,1,{'c' * 64}"


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param((f"x.png,good,1,{A}", f"x.png,withdrawn,1,{A}"), id="as it was said"),
        pytest.param(
            (f"x.png,good,1,{A}", f"./x.png,withdrawn,,{A.upper()}"), id="without the score, spelled otherwise"
        ),
        pytest.param(
            (f"x.png,good,1,{A}", f"x.png,defective,1,{B}", "x.png,withdrawn,,"), id="whatever its content was"
        ),
        pytest.param((f"x.png,good,1,{A}", f"x.png,withdrawn,1,{A}", "x.png,withdrawn,,"), id="twice"),
        pytest.param((f"x.png,defective,1,{A}", f"copy.png,withdrawn,1,{A}"), id="under another name"),
        pytest.param((f"x.png,defective,1,{A}", f"copy.png,good,1,{A}", f"copy.png,withdrawn,1,{A}"), id="two names"),
        pytest.param(("x.png,good,1,", "x.png,withdrawn,1,"), id="no content is told"),
    ],
)
def test_what_is_withdrawn_does_not_count(tmp_path: Path, rows: tuple[str, ...]) -> None:
    assert read(tmp_path, KEPT, *rows) == [("keep.png", "good")]
    assert read(tmp_path, *rows, KEPT) == [("keep.png", "good")]


def test_photos_without_scores_are_withdrawn_by_their_path(tmp_path: Path) -> None:
    assert read(tmp_path, "keep.png,good,,", "x.png,good,,", "x.png,withdrawn,,") == [("keep.png", "good")]
    assert read(tmp_path, "keep.png,good,,", "x.png,good,,", f"x.png,withdrawn,,{A}") == [("keep.png", "good")]


def test_verdicts_on_two_contents_of_one_path_both_stand_with_scores_or_without(tmp_path: Path) -> None:
    """Which of them lies there now is known when it is scored."""
    for score in ("1", ""):
        keep, both = KEPT.replace(",1,", f",{score},"), (f"x.png,good,{score},{A}", f"x.png,defective,{score},{B}")
        assert read(tmp_path, keep, *both)[1:] == [("x.png", "good"), ("x.png", "defective")]
        assert read(tmp_path, keep, *both, f"x.png,withdrawn,,{B}")[1:] == [("x.png", "good")]


@pytest.mark.parametrize("last", ["good", "defective"])
def test_the_last_of_several_verdicts_counts_under_whatever_name(tmp_path: Path, last: str) -> None:
    rows = (f"x.png,good,1,{A}", f"copy.png,defective,1,{A}", f"x.png,{last},1,{A}")
    assert read(tmp_path, KEPT, *rows) == [("keep.png", "good"), ("x.png", last)]
    unhashed = ("y.png,good,1,", f"y.png,defective,2,{A}", f"y.png,{last},1,")
    assert read(tmp_path, KEPT, *unhashed)[-1] == ("y.png", last), "what is said last stands last"


def test_what_is_said_after_it_counts(tmp_path: Path) -> None:
    rows = (KEPT, f"x.png,good,1,{A}", f"x.png,withdrawn,1,{A}", f"x.png,defective,1,{A}")
    assert read(tmp_path, *rows) == [("keep.png", "good"), ("x.png", "defective")]


@pytest.mark.parametrize(
    "withdrawn",
    [
        "other.png,withdrawn,,",
        f"x.png,withdrawn,1,{B}",
    ],
    ids=["never said", "other content"],
)
def test_what_withdraws_nothing_is_one_line(tmp_path: Path, withdrawn: str) -> None:
    with pytest.raises(DataError, match=r"reviews.csv, row 4: withdrawn, and no row before it is of this photo"):
        read(tmp_path, KEPT, f"x.png,good,1,{A}", withdrawn)
    with pytest.raises(DataError, match=r"reviews.csv, row 2: withdrawn, and no row before it"):
        read(tmp_path, withdrawn, KEPT, f"x.png,good,1,{A}")
