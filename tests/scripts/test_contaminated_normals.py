"""Bad images among the good: which are planted, that nothing of their groups is tested, and what the page says."""

from __future__ import annotations

from typing import Any

import pytest

from radar.data.sample import Sample
from radar.errors import RunError
from scripts.contaminated_normals import contaminated
from scripts.pages import contaminated as page


def sample(split: str, label: int, number: int) -> Sample:
    name = f"{split}/{label}/{number}.png"
    group = f"{split} {number // 2}"  # two images of each part, one of them sound
    return Sample(name, name, split, label, "dent" if label else "good", f"{name} mask" if label else None, group)  # type: ignore[arg-type]


SAMPLES = [
    *(sample("train", 0, number) for number in range(40)),
    *(sample("validation", 0, number) for number in range(4)),
    *(sample("test", number % 2, number) for number in range(60)),
]


@pytest.mark.parametrize(("share", "count"), [(0.05, 2), (0.1, 4), (0.001, 1)])
def test_a_share_of_the_normals_is_bad_and_no_group_stands_on_both_sides(share: float, count: int) -> None:
    found, planted = contaminated(SAMPLES, share, seed=3)
    rows = {each.path: each for each in found}
    assert len(planted) == count and all(
        each.split == "test" and each.label for each in SAMPLES if each.path in planted
    )
    assert {(rows[path].split, rows[path].label, rows[path].defect, rows[path].mask) for path in planted} == {
        ("train", 0, "good", None)
    }
    learnt, tested = ({each.group for each in found if (each.split == "test") is is_test} for is_test in (False, True))
    assert not learnt & tested
    left_out = [each for each in SAMPLES if each.path not in rows]
    assert len(left_out) == count and {each.group for each in left_out} == {rows[path].group for path in planted}
    assert contaminated(SAMPLES, share, seed=3)[1] == planted != contaminated(SAMPLES, share, seed=4)[1]


def test_enough_is_left_to_test_with() -> None:
    with pytest.raises(RunError, match="16 of 30 defective images leave too few"):
        contaminated(SAMPLES, 0.4, seed=0)


def test_the_page_counts_what_was_named() -> None:
    measured = {"image_auroc": 1.0, "f1": 0.5, "false_positive_rate": 0.25, "recall": 0.125}
    row: dict[str, Any] = {
        "dataset": "grid", "seed": 0, "share": 0.05, "normals": 2000, "planted": 10, "planted_named": 9, "sound_named": 3,
        "sound_named_without_planted": 2, "sound": measured, "contaminated": {**measured, "recall": 0.5}, "sorted_out": measured,
        "command": "python -m it", "date": "2026-11-28", "cores": 2, "machine": "x86_64",
    }  # fmt: skip
    text = page.section({"rows": [row, {**row, "dataset": "wood_quads", "planted_named": 1}]})
    assert "Over all rows named: 10 of 20 bad images, and 6 of 4,000 sound ones." in text
    assert (
        "| grid ◆ | 2,000 | 10 | 9 | 3 / 2 | 1.000 / 1.000 / 1.000 | 0.125 / 0.500 / 0.125 | 0.250 / 0.250 / 0.250 |"
        in text
    )
    assert text.count("`python -m it`") == 1
