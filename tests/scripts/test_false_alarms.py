"""Counts of false alarms: thresholds by rank, and the table's intervals against SciPy's by hand."""

from __future__ import annotations

import numpy as np

from radar.report.tables import markdown
from scripts.false_alarms import CONTAMINATIONS, Count, counts_of, false_alarm_table, read_counts
from scripts.pages.quality import COUNTS


def test_counts_by_rank():
    fitted = np.arange(1.0, 100.0)  # 99 scores: the threshold at 5 % is the 95th
    test = np.array([94.5, 95.0, 95.5, 200.0])
    flagged = {(count.of, count.contamination): count.flagged for count in counts_of("set", 0, fitted, test)}
    assert flagged["left_out", 0.05] == 4
    assert flagged["test", 0.05] == 2
    assert flagged["test", 0.01] == 1
    assert [flagged["left_out", value] for value in CONTAMINATIONS] == [1, 4, 9]


def test_the_table_by_hand():
    counts = [
        Count("a", seed, 0.05, of, 20, flagged) for seed, flagged in ((0, 1), (1, 3)) for of in ("left_out", "test")
    ]
    counts += [
        Count("a", seed, value, of, 20, 0) for seed in (0, 1) for value in (0.01, 0.1) for of in ("left_out", "test")
    ]
    row = markdown(false_alarm_table(counts)).splitlines()[2]
    assert row.startswith(
        "| a | 0 of 20 (0.000–0.168); 0.000 | 1 of 20 (0.001–0.249); 0.100 |"
    )  # Clopper and Pearson, 1934


def test_pooled_rates_lie_within_half_of_what_is_asked():
    counts = read_counts(COUNTS)
    for of in ("left_out", "test"):
        for asked in CONTAMINATIONS:
            some = [count for count in counts if (count.of, count.contamination) == (of, asked)]
            assert asked / 1.5 <= sum(c.flagged for c in some) / sum(c.normals for c in some) <= asked * 1.5
