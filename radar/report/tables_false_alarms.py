"""False alarms: how many normal images are called anomalous where a share was promised, and where the promise fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radar.config.verbs import ReportConfig
from radar.evaluation.statistics_rates import Rate, delivered_rates, grouped_rate, promised_rate
from radar.report.cells import Cell, by_dataset, mean, without_shared_images
from radar.report.result import Result
from radar.report.tables import NOTHING, Entry, Table, number, table
from radar.scoring.threshold import conformal_quantile

Floats = NDArray[np.float64]
Flags = tuple[NDArray[np.bool_], list[str]]
"""Which normal images are called anomalous, and their groups."""
CONTAMINATIONS = (0.01, 0.05, 0.1)
ALL = "**all**"
_SPLITS = {"validation": ("validation",), "cross_fitted": ("train", "validation")}  # by `detector.threshold_on`


@dataclass(frozen=True, eq=False)
class Alarms:
    """Of one run at one contamination, whose threshold is a quantile of normals that had no part in what scored them."""

    contamination: float
    setting: int | None  # how many normals set the threshold; None where the record does not tell
    test: Flags
    left_out: Flags | None  # the normals that set it, each by the threshold of those of other groups

    @property
    def promised(self) -> float:
        """What the expected rate does not exceed."""
        return self.contamination if self.setting is None else promised_rate(self.setting, self.contamination)


def alarms(result: Result) -> Iterator[Alarms]:
    """At each of `CONTAMINATIONS`; of a record that holds no scores of normals, at its own. Nothing where no rate is promised."""
    detector, asked = result.config.get("detector", {}), result.config.get("contamination", {}).get("value")
    splits = _SPLITS.get(detector.get("threshold_on"))
    if splits is None or (detector["name"], detector["threshold"]) != ("upper_tail", "quantile"):
        return
    normal = result.labels == 0
    groups = [group for group, chosen in zip(result.groups, normal, strict=True) if chosen]
    if result.is_older:
        known = result.scored - len(result.images) if detector["threshold_on"] == "cross_fitted" else None
        yield Alarms(asked, known, (result.decisions[normal], groups), None)
        return
    chosen = [each for each in result.normals if each.split in splits]
    if not all("detector" in each.unseen_by for each in chosen):
        return
    scores = np.concatenate([each.scores for each in chosen])
    of_scores = [group for each in chosen for group in result.groups_of(each.content_hashes, each.groups)]
    for contamination in CONTAMINATIONS:
        flagged = result.scores[normal] > conformal_quantile(scores, contamination)
        left_out = _left_out(scores, of_scores, contamination), of_scores
        yield Alarms(contamination, len(scores), (flagged, groups), left_out)


def _left_out(scores: Floats, groups: Sequence[str], contamination: float) -> NDArray[np.bool_]:
    """Whether each of N scores lies above the threshold of the other groups'; False where there is no other."""
    names, flagged = np.asarray(groups), np.zeros(scores.size, dtype=np.bool_)
    for group in np.unique(names):
        others = scores[names != group]
        if others.size:
            flagged[names == group] = scores[names == group] > conformal_quantile(others, contamination)
    return flagged


def false_alarm_table(cells: Sequence[Cell], settings: ReportConfig) -> Table | None:
    """A row per data set, method and contamination, and per method one over data sets that share no image; None without any."""
    by_method: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if any(alarms(cell.one)):
            by_method[cell.method].append(cell)
    rows: list[Sequence[Entry | str]] = []
    pools = set()
    for method, members in by_method.items():
        found = [(cell, each) for cell in members for each in alarms(cell.one)]
        rows += [_row(cell, each, settings.level) for cell, each in found]
        apart = without_shared_images(by_dataset(members))
        if len(apart) > 1:
            rows += _pooled(method, [(cell, each) for cell, each in found if cell.dataset in apart], settings.level)
            pools.add(", ".join(apart))
    if not rows:
        return None
    headings = ("data set", "method", "contamination", "promised, at most", "set by normals", "such thresholds deliver", "left out",
                "test normals", "called anomalous", "rate, mean over seeds", "promise")  # fmt: skip
    notes = (*_notes(f"{settings.level:.0%}"), *(f"{ALL}: of {pool}, which share no image" for pool in sorted(pools)))
    return table("false_alarms", "False alarms", headings, rows, *notes)


def _notes(share: str) -> tuple[str, ...]:
    return (
        "Normal images called anomalous, of the first seed, by thresholds that are a quantile of normals which what scored them had "
        "not learnt from (of cross-fitted ones the densities had not, the network had). Promised: the contamination; or, where the "
        "normals are too few for it, one over their number and one more.",
        f"Such thresholds deliver: the expected rate, and where it lies for {share} of them, were their normals independent. Left "
        "out: the normals that set the threshold, each by that of the other groups; it says that ranks are right, no more.",
        f"Intervals at {share}: Clopper and Pearson's, of as many images as the groups are worth (design effect). Promise: fails, or "
        "is kept with fewer than promised, where the interval says so.",
    )


def _row(cell: Cell, found: Alarms, level: float) -> list[Entry | str]:
    rates = [
        float(each.test[0].mean())
        for result in cell.results
        for each in alarms(result)
        if each.contamination == found.contamination
    ]
    delivered = NOTHING
    if found.setting is not None:
        expected, low, high = delivered_rates(found.setting, found.contamination, level)
        delivered = f"{expected:.3f} ({low:.3f} … {high:.3f})"
    setting = NOTHING if found.setting is None else str(found.setting)
    left_out = None if found.left_out is None else grouped_rate(*found.left_out, level)
    test = grouped_rate(*found.test, level)
    shown = _entries(found.promised, setting, delivered, left_out, test)
    told = (number(mean(rates)), _promise(found.promised, test))
    return [cell.dataset, cell.method, number(found.contamination, 2), *shown, *told]


def _pooled(method: str, found: Sequence[tuple[Cell, Alarms]], level: float) -> Iterator[list[Entry | str]]:
    """One row per contamination that all data sets have."""
    datasets = {cell.dataset for cell, _ in found}
    for contamination in sorted({each.contamination for _, each in found}):
        some = [(cell, each) for cell, each in found if each.contamination == contamination]
        if {cell.dataset for cell, _ in some} != datasets:
            continue
        test = grouped_rate(*_joined([(cell.dataset, each.test) for cell, each in some]), level)
        parts = [(cell.dataset, each.left_out) for cell, each in some if each.left_out is not None]
        left_out = grouped_rate(*_joined(parts), level) if len(parts) == len(some) else None
        promised = float(
            np.average([each.promised for _, each in some], weights=[len(each.test[1]) for _, each in some])
        )
        yield [
            ALL,
            method,
            number(contamination, 2),
            *_entries(promised, NOTHING, NOTHING, left_out, test),
            NOTHING,
            _promise(promised, test),
        ]


def _joined(parts: Sequence[tuple[str, Flags]]) -> Flags:
    flags = np.concatenate([flagged for _, (flagged, _) in parts])
    return flags, [f"{dataset} {group}" for dataset, (_, groups) in parts for group in groups]


def _entries(promised: float, setting: str, delivered: str, left_out: Rate | None, test: Rate) -> list[Entry | str]:
    return [
        number(promised),
        setting,
        delivered,
        NOTHING if left_out is None else _told(left_out),
        f"{test.images} in {test.groups} groups",
        _told(test),
    ]


def _told(rate: Rate) -> str:
    return f"{rate.flagged} of {rate.images}: {rate.value:.3f} ({rate.low:.3f} … {rate.high:.3f})"


def _promise(promised: float, test: Rate) -> str:
    if test.low > promised:
        return "fails: more"
    return "fewer" if test.high < promised else "–"
